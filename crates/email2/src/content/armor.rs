//! ASCII armor around messages and signatures (RFC 9580 §6), line by line and
//! without the library.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificate::armor::crc24;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// A ciphertext.
    Message,
    /// A detached signature.
    Signature,
}

/// Octets in one line, before base64: 64 characters.
const LINE: usize = 48;

impl Block {
    fn label(self) -> &'static str {
        match self {
            Self::Message => "PGP MESSAGE",
            Self::Signature => "PGP SIGNATURE",
        }
    }
}

/// Writes one block with CRLF and without the optional checksum (RFC 9580 §6.1),
/// which newer packets must not have.
pub(crate) fn write(block: Block, octets: &[u8]) -> Vec<u8> {
    lines(block, octets, "")
}

/// The same with the checksum, for older packets: without it GnuPG 2.2 reads on
/// behind base64 that has no padding, and ends with an error.
pub(crate) fn write_checked(block: Block, octets: &[u8]) -> Vec<u8> {
    let [_, checksum @ ..] = crc24(octets).to_be_bytes();
    lines(
        block,
        octets,
        &format!("={}\r\n", STANDARD.encode(checksum)),
    )
}

fn lines(block: Block, octets: &[u8], checksum: &str) -> Vec<u8> {
    let label = block.label();
    let mut out = Vec::with_capacity(octets.len() / 3 * 4 + octets.len() / 24 + 80);
    out.extend_from_slice(format!("-----BEGIN {label}-----\r\n\r\n").as_bytes());
    for line in octets.chunks(LINE) {
        out.extend_from_slice(STANDARD.encode(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(checksum.as_bytes());
    out.extend_from_slice(format!("-----END {label}-----\r\n").as_bytes());
    out
}

/// Reads the one block of a text; `None` when there is none, more than one, or
/// it is broken. Blank lines may stand around it, nothing else.
pub(crate) fn read(block: Block, text: &[u8]) -> Option<Vec<u8>> {
    let label = block.label();
    let mut lines = text
        .split(|octet| *octet == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let begin = lines.find(|line| !line.is_empty())?;
    if begin != format!("-----BEGIN {label}-----").as_bytes() {
        return None;
    }
    let end = format!("-----END {label}-----");
    let headers_end = lines.find(|line| line.is_empty() || !is_header(line))?;
    let mut base64 = headers_end.to_vec();
    let mut ended = false;
    for line in lines.by_ref() {
        if line == end.as_bytes() {
            ended = true;
            break;
        }
        let is_checksum = line.len() == 5 && line.starts_with(b"=");
        if !is_checksum {
            base64.extend_from_slice(line);
        }
    }
    let alone = lines.all(<[u8]>::is_empty);
    (ended && alone).then(|| STANDARD.decode(base64).ok())?
}

/// RFC 9580 §6.2.2: a key, a colon, a space.
fn is_header(line: &[u8]) -> bool {
    line.windows(2).any(|pair| pair == b": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_back() {
        for length in [0, 1, 47, 48, 49, 1_000] {
            let octets: Vec<u8> = (0..length).map(|n: i32| n.to_le_bytes()[0]).collect();
            let text = write(Block::Message, &octets);
            assert_eq!(read(Block::Message, &text).as_ref(), Some(&octets));
            let text = write_checked(Block::Message, &octets);
            assert_eq!(read(Block::Message, &text), Some(octets));
        }
    }

    #[test]
    fn the_checksum_stands_before_the_end() {
        let text = write_checked(Block::Message, b"123456789");
        let text = String::from_utf8(text).unwrap();
        assert!(text.ends_with("\r\n=Ic8C\r\n-----END PGP MESSAGE-----\r\n"));
    }

    #[test]
    fn headers_checksum_and_blanks_are_read_over() {
        let text = b"\r\n-----BEGIN PGP SIGNATURE-----\nVersion: x\n\nAAEC\n=abcd\n\
            -----END PGP SIGNATURE-----  \n\n";
        assert_eq!(read(Block::Signature, text), Some(vec![0, 1, 2]));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = write(Block::Message, b"x");
        let twice = [good.as_slice(), &good].concat();
        let open = good.strip_suffix(b"-----END PGP MESSAGE-----\r\n").unwrap();
        let before = [b"hello\n", good.as_slice()].concat();
        for text in [
            &twice[..],
            open,
            &before,
            b"",
            b"-----BEGIN PGP MESSAGE-----",
        ] {
            assert_eq!(read(Block::Message, text), None);
        }
        assert_eq!(read(Block::Signature, &good), None);
    }
}

//! ASCII armor (RFC 9580 §6): read line by line and without the library, so
//! that no octet passes the bound on the way in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::CertificateError;
use crate::limits;

/// What a block of armor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Public,
    Private,
}

impl Block {
    fn label(self) -> &'static str {
        match self {
            Self::Public => "PGP PUBLIC KEY BLOCK",
            Self::Private => "PGP PRIVATE KEY BLOCK",
        }
    }

    fn begin(self) -> String {
        format!("-----BEGIN {}-----", self.label())
    }
}

/// Characters of base64 in a line (RFC 9580 §6.2).
const LINE: usize = 64;

/// Whether octets are armor rather than packets: a packet begins with bit 7.
pub(crate) fn is_armored(octets: &[u8]) -> bool {
    octets.first().is_some_and(u8::is_ascii)
}

/// Writes one block, with the checksum that older programs expect.
pub(crate) fn write(block: Block, octets: &[u8]) -> String {
    let mut out = format!("{}\n\n", block.begin());
    let body = STANDARD.encode(octets);
    let mut rest = body.as_str();
    while let Some((line, behind)) = rest.split_at_checked(LINE) {
        out.push_str(line);
        out.push('\n');
        rest = behind;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    let [_, crc @ ..] = crc24(octets).to_be_bytes();
    out.push_str(&format!(
        "={}\n-----END {}-----\n",
        STANDARD.encode(crc),
        block.label()
    ));
    out
}

/// Reads all blocks of key material in a text and gives their octets, one
/// behind the other; text around them is read over.
///
/// # Errors
/// `Malformed` when there is no block or one is broken; `TooLarge`.
pub(crate) fn read(text: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let text = std::str::from_utf8(text).map_err(|_| CertificateError::Malformed("not armor"))?;
    let mut octets = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(block) = lines.find_map(begins) {
        octets.extend(read_block(&mut lines, block)?);
        if octets.len() > limits::CERTIFICATE_OCTETS_RECEIVED {
            return Err(CertificateError::TooLarge {
                limit: limits::CERTIFICATE_OCTETS_RECEIVED,
            });
        }
    }
    if octets.is_empty() {
        return Err(CertificateError::Malformed("it holds no armored key"));
    }
    Ok(octets)
}

fn begins(line: &str) -> Option<Block> {
    [Block::Public, Block::Private]
        .into_iter()
        .find(|block| line == block.begin())
}

fn read_block<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    block: Block,
) -> Result<Vec<u8>, CertificateError> {
    let end = format!("-----END {}-----", block.label());
    let mut body = String::new();
    let mut in_headers = true;
    for line in lines {
        if line == end {
            return STANDARD
                .decode(&body)
                .map_err(|_| CertificateError::Malformed("broken base64 in the armor"));
        }
        match line {
            "" => in_headers = false,
            line if in_headers && line.contains(": ") => {}
            line if line.starts_with('=') && line.len() == 5 => {}
            line => {
                in_headers = false;
                body.push_str(line);
            }
        }
    }
    Err(CertificateError::Malformed("the armor does not end"))
}

/// The checksum of armor (RFC 9580 §6.1.1), in the lower 24 bits.
pub(crate) fn crc24(octets: &[u8]) -> u32 {
    let crc = octets.iter().fold(0x00b7_04ce_u32, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet) << 16, |crc, _| {
            let shifted = crc << 1;
            if shifted & 0x0100_0000 == 0 {
                shifted
            } else {
                shifted ^ 0x0186_4cfb
            }
        })
    });
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        for length in [1, 47, 48, 49, 500] {
            let octets: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let text = write(Block::Public, &octets);
            assert_eq!(read(text.as_bytes()).unwrap(), octets);
            let twice = format!("hello\n{text}\r\n{text}");
            assert_eq!(read(twice.as_bytes()).unwrap(), octets.repeat(2));
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
    }

    #[test]
    fn what_is_broken_is_refused() {
        for text in ["", "x", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"] {
            assert!(read(text.as_bytes()).is_err());
        }
    }
}

//! The canonical form `relaxed` of header fields and bodies (RFC 6376 §3.4.2, §3.4.4), and
//! `simple` of bodies (§3.4.3).

use sha2::{Digest, Sha256};

/// The hash of a body that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct BodyHash {
    hash: Sha256,
    form: Form,
    /// Line ends that are written before the next content, and not at the end of the body.
    line_ends: u64,
    blank: bool,
    any: bool,
}

/// What of a body is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Blanks together, none at the end of a line, no empty lines at the end.
    #[default]
    Relaxed,
    /// No empty lines at the end.
    Simple,
}

impl BodyHash {
    /// That of the form `simple`.
    pub(super) fn simple() -> BodyHash {
        BodyHash {
            form: Form::Simple,
            ..BodyHash::default()
        }
    }

    /// The next octets; lines end in CRLF, as everything that is kept here.
    pub(super) fn push(&mut self, octets: &[u8]) {
        let mut out = Vec::with_capacity(octets.len() + 2);
        for octet in octets {
            match octet {
                b'\r' => {}
                b'\n' => {
                    self.line_ends += 1;
                    self.blank = false;
                }
                b' ' | b'\t' if self.form == Form::Relaxed => self.blank = true,
                octet => self.content(*octet, &mut out),
            }
        }
        self.hash.update(&out);
    }

    fn content(&mut self, octet: u8, out: &mut Vec<u8>) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            out.extend_from_slice(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            out.push(b' ');
        }
        out.push(octet);
        self.any = true;
    }

    /// The hash; of an empty body that of nothing, in the simple form that of a line end.
    pub(super) fn finish(mut self) -> [u8; 32] {
        if self.any || self.form == Form::Simple {
            self.hash.update(b"\r\n");
        }
        self.hash.finalize().into()
    }
}

/// A field without its final CRLF: name in lower case, unfolded, blanks together.
pub(super) fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = name.trim_end().to_ascii_lowercase().into_bytes();
    out.push(b':');
    let words = value.split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'));
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    out.extend_from_slice(&words.join(&b' '));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pieces: &[&str]) -> [u8; 32] {
        let mut hash = BodyHash::default();
        pieces.iter().for_each(|piece| hash.push(piece.as_bytes()));
        hash.finish()
    }

    fn of(text: &str) -> [u8; 32] {
        Sha256::digest(text).into()
    }

    /// The example of RFC 6376 §3.4.5.
    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(hash(&[" C \r\nD \t E\r\n\r\n\r\n"]), of(" C\r\nD E\r\n"));
        assert_eq!(field("A", b" X"), b"a:X");
        assert_eq!(field("B ", b" Y\t\r\n\tZ  "), b"b:Y Z");
    }

    #[test]
    fn pieces_may_end_anywhere_and_an_empty_body_is_empty() {
        let body = " C \r\nD \t E\r\n\r\nx";
        let whole = hash(&[body]);
        for cut in 0..body.len() {
            let (a, b) = body.split_at(cut);
            assert_eq!(hash(&[a, b]), whole, "{cut}");
        }
        assert_eq!(whole, of(" C\r\nD E\r\n\r\nx\r\n"));
        assert_eq!(hash(&[]), of(""));
        assert_eq!(hash(&["\r\n \r\n"]), of(""));
        assert_eq!(hash(&["\r\n\r\na\r\n"]), of("\r\n\r\na\r\n"));
    }
}

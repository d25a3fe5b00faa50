//! The digest of a seal: SHA-256 over the content as it is, no
//! canonicalization (spec §4.3).

use sha2::{Digest, Sha256};

use super::SealError;
use crate::limits;

/// Hashes content while it streams by, and checks its line ends.
#[derive(Clone, Debug, Default)]
pub struct ContentDigest {
    hash: Sha256,
    lines: Lines,
}

/// Where in a line the last octet was.
#[derive(Clone, Debug, Default)]
struct Lines {
    column: usize,
    after_cr: bool,
    after_crlf: bool,
}

impl ContentDigest {
    /// Starts with no octet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets; chunks may end anywhere.
    ///
    /// # Errors
    /// [`SealError::Content`]: a bare CR or LF, a NUL, a line over 998 octets
    /// (spec §4.3.2).
    pub fn push(&mut self, octets: &[u8]) -> Result<(), SealError> {
        for octet in octets {
            self.lines.push(*octet).map_err(SealError::Content)?;
        }
        self.hash.update(octets);
        Ok(())
    }

    /// The digest.
    ///
    /// # Errors
    /// [`SealError::Content`]: the content does not end with CRLF.
    pub fn finish(self) -> Result<[u8; 32], SealError> {
        if !self.lines.after_crlf {
            return Err(SealError::Content("it does not end with CRLF"));
        }
        Ok(self.hash.finalize().into())
    }

    /// The digest of content that is at hand.
    ///
    /// # Errors
    /// As [`ContentDigest::push`] and [`ContentDigest::finish`].
    pub fn of(content: &[u8]) -> Result<[u8; 32], SealError> {
        let mut digest = Self::new();
        digest.push(content)?;
        digest.finish()
    }
}

impl Lines {
    fn push(&mut self, octet: u8) -> Result<(), &'static str> {
        match octet {
            b'\n' if self.after_cr => {
                *self = Self {
                    after_crlf: true,
                    ..Self::default()
                }
            }
            b'\n' => return Err("a bare LF"),
            _ if self.after_cr => return Err("a bare CR"),
            b'\r' => {
                self.after_cr = true;
                self.after_crlf = false;
            }
            0 => return Err("a NUL"),
            _ => {
                self.after_crlf = false;
                self.column += 1;
                if self.column > limits::LINE_OCTETS {
                    return Err("a line of more than 998 octets");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_refused_and_never_repaired() {
        let long = ["x".repeat(999).as_bytes(), b"\r\n"].concat();
        let bad: [&[u8]; 9] = [
            b"",
            b"a",
            b"a\n",
            b"a\r",
            b"a\r\n\r",
            b"a\rb\r\n",
            b"a\0\r\n",
            b"\r\r\n",
            &long,
        ];
        for content in bad {
            assert!(ContentDigest::of(content).is_err(), "{content:?}");
        }
        let longest = ["x".repeat(998).as_bytes(), b"\r\n"].concat();
        assert!(ContentDigest::of(&longest).is_ok());
    }

    #[test]
    fn chunks_do_not_matter() {
        let content = b"From: a\r\n\r\nx\r\n.\r\n";
        for cut in 0..=content.len() {
            let (head, tail) = content.split_at(cut);
            let mut digest = ContentDigest::new();
            digest.push(head).unwrap();
            digest.push(tail).unwrap();
            assert_eq!(
                digest.finish().unwrap(),
                ContentDigest::of(content).unwrap()
            );
        }
    }
}

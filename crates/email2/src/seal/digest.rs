//! The digest of a seal: SHA-256 over the content as it is, no
//! canonicalization (spec §4.3).

use super::SealError;

/// Hashes content octet by octet and checks its line ends while it does.
#[derive(Clone, Debug, Default)]
pub struct ContentDigest {}

impl ContentDigest {
    /// Starts with no octet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// [`SealError::Content`]: a bare CR or LF, a NUL, a line over 998 octets.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), SealError> {
        todo!("{}", octets.len())
    }

    /// The digest.
    ///
    /// # Errors
    /// [`SealError::Content`]: the content does not end with CRLF.
    pub fn finish(self) -> Result<[u8; 32], SealError> {
        todo!()
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

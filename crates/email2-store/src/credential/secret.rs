//! Secrets in clear, on their way to a person.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::Token;
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Letters and digits that are not mistaken for each other when read aloud.
const CODE_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstvwxyz0123456789";

/// Characters of a code without its hyphens: 140 bits (spec §3.7 asks for 128).
const CODE_LENGTH: usize = 28;

/// Characters between two hyphens of a code.
const CODE_GROUP: usize = 4;

/// A secret in clear: shown once, never kept; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new token: 256 bits in 43 characters of base64url.
    #[must_use]
    pub fn token(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut octets = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *octets);
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*octets)))
    }

    /// A new one-time code: 140 bits in seven groups of four characters.
    #[must_use]
    pub fn code(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut octets = Zeroizing::new([0; CODE_LENGTH]);
        rng.fill_bytes(&mut *octets);
        let mut code = Zeroizing::new(String::with_capacity(
            CODE_LENGTH + CODE_LENGTH / CODE_GROUP,
        ));
        for (position, octet) in octets.iter().enumerate() {
            if position > 0 && position % CODE_GROUP == 0 {
                code.push('-');
            }
            code.extend(
                CODE_ALPHABET
                    .get(usize::from(octet % 32))
                    .map(|&letter| char::from(letter)),
            );
        }
        Self(code)
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A code as a person may have typed it, in the one form that is verified:
    /// without hyphens and spaces, lower case.
    pub(crate) fn typed(octets: &[u8]) -> Zeroizing<Vec<u8>> {
        let kept = octets.iter().filter(|octet| !matches!(octet, b'-' | b' '));
        Zeroizing::new(kept.map(u8::to_ascii_lowercase).collect())
    }
}

impl From<&Token> for Secret {
    fn from(token: &Token) -> Self {
        Self(Zeroizing::new(token.reveal().to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_43_and_a_code_is_seven_groups_of_four() {
        let mut rng = rand_core::OsRng;
        assert_eq!(Secret::token(&mut rng).reveal().len(), 43);
        let code = Secret::code(&mut rng);
        let groups: Vec<&str> = code.reveal().split('-').collect();
        assert_eq!(groups.len(), 7);
        assert!(groups.iter().all(|group| group.len() == 4));
        assert_ne!(code, Secret::code(&mut rng));
        assert_eq!(format!("{code:?}"), "Secret([redacted])");
    }

    #[test]
    fn a_code_is_read_as_typed() {
        assert_eq!(*Secret::typed(b"AB12-cd34 "), b"ab12cd34");
    }
}

//! Fingerprints of keys (RFC 9580 §5.5.4).

use std::fmt;
use std::str::FromStr;

/// The fingerprint of an OpenPGP key: 20 octets (version 4) or 32 (version 6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Octets);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Octets {
    V4([u8; 20]),
    V6([u8; 32]),
}

/// A text or octet string that is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 40 or 64 lower-case hexadecimal digits")]
pub struct FingerprintError;

impl Fingerprint {
    /// Takes the 20 or 32 octets of a fingerprint.
    ///
    /// # Errors
    /// Any other length.
    pub fn from_bytes(octets: &[u8]) -> Result<Self, FingerprintError> {
        if let Ok(v4) = <[u8; 20]>::try_from(octets) {
            return Ok(Self(Octets::V4(v4)));
        }
        let v6 = <[u8; 32]>::try_from(octets).map_err(|_| FingerprintError)?;
        Ok(Self(Octets::V6(v6)))
    }

    /// The 20 or 32 octets.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Octets::V4(octets) => octets,
            Octets::V6(octets) => octets,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads 40 or 64 lower-case hexadecimal digits (spec §4.1).
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits: Option<Vec<u8>> = text.bytes().map(lower_hex_digit).collect();
        let digits = digits.ok_or(FingerprintError)?;
        let octets: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
            .collect();
        if digits.len() % 2 == 0 {
            Self::from_bytes(&octets)
        } else {
            Err(FingerprintError)
        }
    }
}

fn lower_hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

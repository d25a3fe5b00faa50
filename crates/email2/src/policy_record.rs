//! The domain record, `_email2.D TXT` (spec §2.3).

use std::fmt;
use std::str::FromStr;

/// Whether a domain always seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strictness {
    /// Unsealed mail from it may exist.
    Open,
    /// Unsealed mail from it is forged.
    Strict,
}

/// What a domain says of itself in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The domain's own policy.
    pub p: Strictness,
    /// The policy of subdomains without a record of their own; `p` if absent.
    pub sp: Option<Strictness>,
    /// An opaque word that changes whenever the policy does.
    pub id: String,
    /// Memory in seconds; `Some(0)` withdraws (only if DNSSEC-secure).
    pub ma: Option<u32>,
}

/// Why a TXT record is no domain record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyRecordError {
    /// It does not begin with `v=EMAIL2`: some other TXT record.
    #[error("not a domain record of Email 2.0")]
    OtherRecord,
    /// It begins like one and breaks its grammar.
    #[error("the domain record is malformed at {0}")]
    Malformed(&'static str),
}

impl PolicyRecord {
    /// Reads the TXT record's joined strings.
    ///
    /// # Errors
    /// See [`PolicyRecordError`].
    pub fn parse(text: &str) -> Result<Self, PolicyRecordError> {
        todo!("{text}")
    }

    /// The policy of subdomains without a record of their own.
    pub fn for_subdomains(&self) -> Strictness {
        self.sp.unwrap_or(self.p)
    }
}

impl Strictness {
    /// `strict` or `open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Strictness {
    type Err = PolicyRecordError;
    fn from_str(word: &str) -> Result<Self, PolicyRecordError> {
        match word {
            "open" => Ok(Self::Open),
            "strict" => Ok(Self::Strict),
            _ => Err(PolicyRecordError::Malformed("p")),
        }
    }
}

impl fmt::Display for PolicyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=EMAIL2; p={}", self.p)
    }
}

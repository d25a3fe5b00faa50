//! Which keys and signatures are accepted, and what they say at a time
//! (spec §6.2, §6.3, §6.6).

use std::fmt;

/// Why a key was revoked (RFC 9580 §5.2.3.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// No reason given: hard.
    None,
    /// Superseded by another key: soft.
    Superseded,
    /// The key material is in other hands: hard.
    Compromised,
    /// No longer used: soft.
    Retired,
    /// The User ID is no longer valid: soft.
    UserIdInvalid,
}

/// A revocation of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When it was made, Unix seconds.
    pub at: u64,
    /// Whether nothing by the key holds any more, whatever its time
    /// (spec §4.10).
    pub hard: bool,
    /// The reason that its signature states.
    pub reason: RevocationReason,
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no reason given",
            Self::Superseded => "superseded",
            Self::Compromised => "compromised",
            Self::Retired => "retired",
            Self::UserIdInvalid => "the User ID is no longer valid",
        })
    }
}

//! What a server or a person's program knows of other domains and their people.

use crate::{Assurance, Etag, KeyFlags, Strictness};

/// What is known of a domain (spec §2.3, §2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownDomain {
    /// Known to speak Email 2.0 until then, Unix seconds; 0 when it is not, or has withdrawn.
    pub speaks_until: u64,
    /// Its memory, seconds (spec §2.3.7).
    pub ma: Option<u32>,
    /// Its policy, by its own authenticated word.
    pub p: Option<Strictness>,
    /// The policy of subdomains without a record of their own.
    pub sp: Option<Strictness>,
    /// How its word was authenticated.
    pub assurance: Option<Assurance>,
    /// When that was learnt, Unix seconds.
    pub learnt: u64,
}

impl KnownDomain {
    /// Whether the domain is known at `now` to speak Email 2.0: what looks otherwise is a failure
    /// and an alarm (spec §2.4.1).
    #[must_use]
    pub fn speaks(&self, now: u64) -> bool {
        now < self.speaks_until
    }
}

/// What a domain answered to KEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The answer; `None`: no such key.
    pub answer: Option<KnownCertificate>,
    /// How the answer was authenticated (spec §2.2.3); `None`: not at all.
    pub assurance: Option<Assurance>,
    /// When it was fetched or confirmed, Unix seconds.
    pub fetched: u64,
    /// How long the domain lets it be kept, seconds.
    pub ttl: u32,
}

/// A certificate as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCertificate {
    /// Binary OpenPGP, at most 32 KiB.
    pub octets: Vec<u8>,
    /// Its version.
    pub etag: Etag,
    /// What the domain says of it.
    pub flags: KeyFlags,
}

/// The MTA-STS policy of a domain, as it was fetched (RFC 8461).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPolicy {
    /// The id that its record had.
    pub id: String,
    /// Its text, at most 64 KiB.
    pub text: String,
    /// When it was fetched, Unix seconds.
    pub fetched: u64,
    /// Until when it must be kept, Unix seconds: its text says no longer time.
    pub until: u64,
}

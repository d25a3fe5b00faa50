//! Asks for certificates (spec §3.4), keeps what was answered (spec §3.8), asks each question
//! once at a time.

mod ask;
mod cache;
mod confirm;
mod flight;
mod idle;
mod openpgpkey;
mod ordinary;
mod shelf;
mod signer;
mod wkd;
mod writer;

use std::sync::Arc;

use email2::certificate::Certificate;
use email2::known::{KnownCertificate, KnownKey};
use email2::{Assurance, Etag, Fingerprint, Identity, KeyFlags, limits};

pub use ordinary::{KeySource, OrdinaryKey, OrdinaryKeyError};
pub use writer::{FoundKey, KeyError};

pub(crate) use cache::KeyCache;
pub(crate) use confirm::unauthenticated;
pub(crate) use flight::Flights;
pub(crate) use idle::IdleSessions;
pub(crate) use ordinary::{ANSWERS, Recalled};
pub(crate) use shelf::Shelf;

/// What a question brings home.
pub(crate) type Asked = Result<Arc<Kept>, Trouble>;

/// What is asked: a verifier's question names the key, a writer's does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) identity: Identity,
    pub(crate) asked: Option<Fingerprint>,
}

/// An answer as it is kept in memory: parsed and verified once.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// `None`: no such key.
    pub(crate) found: Option<Found>,
    pub(crate) assurance: Option<Assurance>,
    /// Unix seconds.
    pub(crate) fetched: u64,
    /// Seconds.
    pub(crate) ttl: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) certificate: Certificate,
    pub(crate) etag: Etag,
    pub(crate) flags: KeyFlags,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The domain does not exist, and is not known to speak Email 2.0.
    NoDomain,
    /// The domain takes no mail.
    NullMx,
    /// DNS failed.
    Dns(String),
    /// Hosts were reached, none speaks Email 2.0, and nothing else says that the domain does.
    NotSpeaking,
    /// What does not speak, cannot be reached or fails is known to speak (spec §2.4.1).
    Alarm(String),
    /// No host could be reached, or the answer was none; the domain is not known.
    Unreachable(String),
    /// A host answers that nothing authenticates for the domain.
    Unauthenticated { definite: bool, why: String },
}

impl Trouble {
    fn unreachable(known: bool, why: String) -> Self {
        if known {
            Trouble::Alarm(why)
        } else {
            Trouble::Unreachable(why)
        }
    }
}

impl Kept {
    /// A certificate, from a host that was authenticated for the domain: what the directory alone
    /// confirmed has lost its flags, which the version (etag) covers.
    pub(crate) fn is_assured(&self) -> bool {
        let covers = self.assurance.is_some_and(Assurance::covers_domain);
        self.found.is_some() && covers
    }

    /// Which key it is; none where there is none.
    fn primary(&self) -> Option<&Fingerprint> {
        let found = self.found.as_ref();
        found.map(|found| found.certificate.primary())
    }

    fn record(&self) -> KnownKey {
        let answer = self.found.as_ref().map(|found| KnownCertificate {
            octets: found.certificate.octets().to_vec(),
            etag: found.etag.clone(),
            flags: found.flags.clone(),
        });
        KnownKey {
            answer,
            assurance: self.assurance,
            fetched: self.fetched,
            ttl: self.ttl,
        }
    }

    /// Whether the answer may still be used without asking (spec §3.8.1): as long as the domain
    /// says, at most `most` seconds; a "no", and what nothing vouches for yet, at most 5 minutes.
    pub(crate) fn is_fresh(&self, now: u64, most: u64) -> bool {
        let most = match (&self.found, self.assurance) {
            (Some(_), Some(_)) => u64::from(self.ttl).min(most),
            _ => u64::from(self.ttl).min(limits::NEGATIVE_TTL),
        };
        now < self.fetched.saturating_add(most)
    }

    /// Until when it verifies without asking, Unix seconds (spec §3.8.1); `None` when it does not
    /// at all.
    fn verifies_until(&self) -> Option<u64> {
        let usable = self.found.is_some() && self.assurance.is_some();
        let most = u64::from(self.ttl).min(limits::VERIFY_TTL);
        usable.then(|| self.fetched.saturating_add(most))
    }

    /// How many octets its certificate has.
    fn octets(&self) -> usize {
        self.found
            .as_ref()
            .map_or(0, |found| found.certificate.octets().len())
    }

    /// Whether a verifier may still use it while nobody can be asked (spec §3.8).
    fn serves_while_nobody_answers(&self, now: u64) -> bool {
        let until = self.fetched.saturating_add(limits::STALE_IF_ERROR);
        self.found.is_some() && self.assurance.is_some() && now < until
    }
}

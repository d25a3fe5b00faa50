//! What was learnt of other domains and their people; survives a restart.

use async_trait::async_trait;
use email2::{Assurance, Domain, Etag, Fingerprint, Identity, KeyFlags, Strictness};

use crate::error::StoreError;

/// What is known of a domain (spec §2.3, §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerDomain {
    /// The domain.
    pub domain: Domain,
    /// Known to speak Email 2.0 until then, Unix seconds.
    pub speaks_until: Option<u64>,
    /// Its memory, seconds.
    pub ma: Option<u32>,
    /// Its policy.
    pub p: Option<Strictness>,
    /// The policy of subdomains without a record.
    pub sp: Option<Strictness>,
    /// How its answer was authenticated (spec §2.2.3).
    pub assurance: Option<Assurance>,
    /// When that was learnt, Unix seconds.
    pub learnt: u64,
}

/// What a domain answered to KEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerKey {
    /// Whose certificate was asked for.
    pub identity: Identity,
    /// The key that a verifier named; `None` for a writer's question.
    pub asked: Option<Fingerprint>,
    /// The answer.
    pub answer: PeerAnswer,
    /// How the answer was authenticated; `None`: not at all.
    pub assurance: Option<Assurance>,
    /// When it was fetched or revalidated, Unix seconds.
    pub fetched: u64,
    /// How long it was said to be good, seconds.
    pub ttl: u32,
}

/// The answer itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAnswer {
    /// A certificate.
    Certificate {
        /// Binary OpenPGP.
        octets: Vec<u8>,
        /// Its version.
        etag: Etag,
        /// What the domain says of it.
        flags: KeyFlags,
    },
    /// No such key.
    None,
}

/// The MTA-STS policy of a domain, as it was fetched (RFC 8461).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// The domain.
    pub domain: Domain,
    /// The id that its record had.
    pub id: String,
    /// Its text.
    pub text: String,
    /// When it was fetched, Unix seconds.
    pub fetched: u64,
}

/// Whether a pinned key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The key that is used for this correspondent.
    Known,
    /// Another primary key that appeared without a signed transition: waits
    /// for its person's decision, is never used (spec §6.5.2).
    Held,
}

impl Standing {
    /// The word for it: `known` or `held`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Held => "held",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Known, Self::Held]
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }
}

/// Trust on first use: what a person's client keeps of a correspondent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The correspondent.
    pub identity: Identity,
    /// In use or held.
    pub standing: Standing,
    /// The primary key.
    pub primary: Fingerprint,
    /// Binary OpenPGP, merged with all that was seen.
    pub octets: Vec<u8>,
    /// How it was first authenticated.
    pub assurance: Option<Assurance>,
    /// When it was first seen, Unix seconds.
    pub since: u64,
    /// When mail was last encrypted to it, Unix seconds.
    pub encrypted: Option<u64>,
}

/// What was learnt of others.
#[async_trait]
pub trait Peers: Send + Sync {
    /// What is known of a domain.
    async fn peer_domain(&self, domain: &Domain) -> Result<Option<PeerDomain>, StoreError>;

    /// Keeps what is known, in place of what was.
    async fn keep_peer_domains(&self, domains: Vec<PeerDomain>) -> Result<(), StoreError>;

    /// The MTA-STS policy kept of a domain.
    async fn peer_policy(&self, domain: &Domain) -> Result<Option<PeerPolicy>, StoreError>;

    /// Keeps a policy, in place of what was.
    async fn keep_peer_policy(&self, policy: PeerPolicy) -> Result<(), StoreError>;

    /// The answer kept for a question.
    async fn peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
    ) -> Result<Option<PeerKey>, StoreError>;

    /// Keeps answers, in place of those before.
    async fn keep_peer_keys(&self, keys: Vec<PeerKey>) -> Result<(), StoreError>;

    /// Forgets answers fetched before `before`, Unix seconds; how many.
    async fn forget_peer_keys(&self, before: u64) -> Result<u64, StoreError>;

    /// The pins of a correspondent: at most one known and one held.
    async fn pins(&self, identity: &Identity) -> Result<Vec<Pin>, StoreError>;

    /// All pins, by identity.
    async fn list_pins(&self) -> Result<Vec<Pin>, StoreError>;

    /// Keeps a pin, in place of the one of the same identity and standing.
    async fn keep_pin(&self, pin: Pin) -> Result<(), StoreError>;

    /// Drops a pin.
    async fn drop_pin(&self, identity: &Identity, standing: Standing) -> Result<(), StoreError>;
}

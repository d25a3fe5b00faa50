//! What was learnt of other domains and their people; survives a restart.

use async_trait::async_trait;
use email2::known::{KnownDomain, KnownKey, KnownPolicy};
use email2::{Assurance, Domain, Fingerprint, Identity};

use crate::error::StoreError;

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
    async fn peer_domain(&self, domain: &Domain) -> Result<Option<KnownDomain>, StoreError>;

    /// Keeps what is known, in place of what was.
    async fn keep_peer_domain(&self, domain: &Domain, known: KnownDomain)
    -> Result<(), StoreError>;

    /// Forgets domains that are not known at `now` to speak Email 2.0, and of which nothing was
    /// learnt since `before`, Unix seconds; how many.
    async fn forget_peer_domains(&self, now: u64, before: u64) -> Result<u64, StoreError>;

    /// The MTA-STS policy kept of a domain.
    async fn peer_policy(&self, domain: &Domain) -> Result<Option<KnownPolicy>, StoreError>;

    /// Keeps a policy, in place of what was.
    async fn keep_peer_policy(
        &self,
        domain: &Domain,
        policy: KnownPolicy,
    ) -> Result<(), StoreError>;

    /// Forgets policies that need not be kept at `now`, Unix seconds; how many.
    async fn forget_peer_policies(&self, now: u64) -> Result<u64, StoreError>;

    /// The answer kept for a question: a verifier's names a key, a writer's does not.
    async fn peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
    ) -> Result<Option<KnownKey>, StoreError>;

    /// Keeps an answer, in place of the one before.
    async fn keep_peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
        known: KnownKey,
    ) -> Result<(), StoreError>;

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

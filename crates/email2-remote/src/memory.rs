//! What is remembered of other domains and their people. This crate decides what; email2d and
//! the client implement where, over their store.

use std::fmt::Debug;

use email2::{Assurance, Domain, Etag, Fingerprint, Identity, KeyFlags, Strictness};
use futures::future::BoxFuture;

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
}

/// How TLS with a host of ordinary mail went, for reports (RFC 8460 §4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsSeen {
    /// The domain whose mail it was.
    pub domain: Domain,
    /// The host.
    pub host: String,
    /// The policy-type: `tlsa`, `sts` or `no-policy-found`.
    pub policy: &'static str,
    /// `success`, or the result-type.
    pub result: &'static str,
}

/// The memory cannot be asked or written now: nothing definite may be concluded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is known of others cannot be read now: {0}")]
pub struct MemoryError(pub String);

/// The result of one operation.
pub type Remembered<'a, T> = BoxFuture<'a, Result<T, MemoryError>>;

/// Where it is kept. Every operation fails only when the store does.
pub trait Memory: Debug + Send + Sync {
    /// What is known of a domain.
    fn domain<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownDomain>>;

    /// Keeps what is known of a domain, in place of what was.
    fn keep_domain<'a>(&'a self, domain: &'a Domain, known: KnownDomain) -> Remembered<'a, ()>;

    /// The answer kept for a question: a verifier's names a key, a writer's does not.
    fn key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
    ) -> Remembered<'a, Option<KnownKey>>;

    /// Keeps an answer, in place of the one before.
    fn keep_key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
        key: KnownKey,
    ) -> Remembered<'a, ()>;

    /// The MTA-STS policy kept of a domain.
    fn policy<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownPolicy>>;

    /// Keeps a policy, in place of the one before.
    fn keep_policy<'a>(&'a self, domain: &'a Domain, policy: KnownPolicy) -> Remembered<'a, ()>;

    /// Counts how TLS went; where nobody makes reports, nothing is counted.
    fn note_tls(&self, seen: TlsSeen) {
        let _ = seen;
    }
}

/// A memory that lives as long as the process: for tests and one-time questions.
#[derive(Debug, Default)]
pub struct Forgetful {
    domains: std::sync::Mutex<std::collections::HashMap<Domain, KnownDomain>>,
    keys: std::sync::Mutex<std::collections::HashMap<(Identity, Option<Fingerprint>), KnownKey>>,
    policies: std::sync::Mutex<std::collections::HashMap<Domain, KnownPolicy>>,
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Memory for Forgetful {
    fn domain<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownDomain>> {
        Box::pin(async move { Ok(lock(&self.domains).get(domain).cloned()) })
    }

    fn keep_domain<'a>(&'a self, domain: &'a Domain, known: KnownDomain) -> Remembered<'a, ()> {
        Box::pin(async move {
            lock(&self.domains).insert(domain.clone(), known);
            Ok(())
        })
    }

    fn key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
    ) -> Remembered<'a, Option<KnownKey>> {
        Box::pin(async move {
            let question = (identity.clone(), asked.cloned());
            Ok(lock(&self.keys).get(&question).cloned())
        })
    }

    fn keep_key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
        key: KnownKey,
    ) -> Remembered<'a, ()> {
        Box::pin(async move {
            lock(&self.keys).insert((identity.clone(), asked.cloned()), key);
            Ok(())
        })
    }

    fn policy<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownPolicy>> {
        Box::pin(async move { Ok(lock(&self.policies).get(domain).cloned()) })
    }

    fn keep_policy<'a>(&'a self, domain: &'a Domain, policy: KnownPolicy) -> Remembered<'a, ()> {
        Box::pin(async move {
            lock(&self.policies).insert(domain.clone(), policy);
            Ok(())
        })
    }
}

//! What is remembered of other domains and their people. This crate decides what; email2d and
//! the client implement where, over their store.

use std::fmt::Debug;

use email2::known::{KnownDomain, KnownKey, KnownPolicy};
use email2::{Domain, Fingerprint, Identity};
use futures::future::BoxFuture;

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

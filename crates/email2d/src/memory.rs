//! What this server remembers of other domains and their people, in its store.

use std::sync::Arc;

use email2::known::{KnownDomain, KnownKey, KnownPolicy};
use email2::{Domain, Fingerprint, Identity};
use email2_remote::TlsSeen;
use email2_remote::memory::{Memory, MemoryError, Remembered};
use email2_store::{Store, StoreError};
use futures::TryFutureExt as _;

use crate::tls_book::TlsBook;

/// A memory that survives a restart.
#[derive(Clone)]
pub(crate) struct StoreMemory {
    store: Store,
    tls: Arc<TlsBook>,
}

impl std::fmt::Debug for StoreMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMemory")
    }
}

impl StoreMemory {
    /// Keeps what is known in `store`, and notes in `tls` how TLS went.
    #[must_use]
    pub(crate) fn new(store: Store, tls: Arc<TlsBook>) -> Self {
        StoreMemory { store, tls }
    }
}

impl Memory for StoreMemory {
    fn note_tls(&self, seen: TlsSeen) {
        self.tls.note(seen);
    }

    fn domain<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownDomain>> {
        remembered(self.store.peer_domain(domain))
    }

    fn keep_domain<'a>(&'a self, domain: &'a Domain, known: KnownDomain) -> Remembered<'a, ()> {
        remembered(self.store.keep_peer_domain(domain, known))
    }

    fn key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
    ) -> Remembered<'a, Option<KnownKey>> {
        remembered(self.store.peer_key(identity, asked))
    }

    fn keep_key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
        key: KnownKey,
    ) -> Remembered<'a, ()> {
        remembered(self.store.keep_peer_key(identity, asked, key))
    }

    fn policy<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownPolicy>> {
        remembered(self.store.peer_policy(domain))
    }

    fn keep_policy<'a>(&'a self, domain: &'a Domain, policy: KnownPolicy) -> Remembered<'a, ()> {
        remembered(self.store.keep_peer_policy(domain, policy))
    }
}

/// The store's answer, as the memory's.
fn remembered<'a, T: 'a>(
    asked: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> Remembered<'a, T> {
    Box::pin(asked.map_err(|error| MemoryError(error.to_string())))
}

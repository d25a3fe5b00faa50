//! What this server remembers of other domains and their people, in its store.

use std::sync::Arc;

use email2::{Domain, Fingerprint, Identity};
use email2_remote::TlsSeen;
use email2_remote::memory::{
    KnownCertificate, KnownDomain, KnownKey, KnownPolicy, Memory, MemoryError, Remembered,
};
use email2_store::peer::PeerAnswer;
use email2_store::{PeerDomain, PeerKey, PeerPolicy, Store, StoreError};

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
        Box::pin(async move {
            let peer = self.store.peer_domain(domain).await.map_err(failed)?;
            Ok(peer.map(known_domain))
        })
    }

    fn keep_domain<'a>(&'a self, domain: &'a Domain, known: KnownDomain) -> Remembered<'a, ()> {
        Box::pin(async move {
            let peer = peer_domain(domain, &known);
            self.store
                .keep_peer_domains(vec![peer])
                .await
                .map_err(failed)
        })
    }

    fn key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
    ) -> Remembered<'a, Option<KnownKey>> {
        Box::pin(async move {
            let peer = self.store.peer_key(identity, asked).await.map_err(failed)?;
            Ok(peer.map(known_key))
        })
    }

    fn keep_key<'a>(
        &'a self,
        identity: &'a Identity,
        asked: Option<&'a Fingerprint>,
        key: KnownKey,
    ) -> Remembered<'a, ()> {
        Box::pin(async move {
            let peer = peer_key(identity, asked, key);
            self.store.keep_peer_keys(vec![peer]).await.map_err(failed)
        })
    }

    fn policy<'a>(&'a self, domain: &'a Domain) -> Remembered<'a, Option<KnownPolicy>> {
        Box::pin(async move {
            let peer = self.store.peer_policy(domain).await.map_err(failed)?;
            Ok(peer.map(|peer| KnownPolicy {
                id: peer.id,
                text: peer.text,
                fetched: peer.fetched,
            }))
        })
    }

    fn keep_policy<'a>(&'a self, domain: &'a Domain, policy: KnownPolicy) -> Remembered<'a, ()> {
        Box::pin(async move {
            let peer = PeerPolicy {
                domain: domain.clone(),
                id: policy.id,
                text: policy.text,
                fetched: policy.fetched,
            };
            self.store.keep_peer_policy(peer).await.map_err(failed)
        })
    }
}

fn failed(error: StoreError) -> MemoryError {
    MemoryError(error.to_string())
}

fn known_domain(peer: PeerDomain) -> KnownDomain {
    KnownDomain {
        speaks_until: peer.speaks_until.unwrap_or(0),
        ma: peer.ma,
        p: peer.p,
        sp: peer.sp,
        assurance: peer.assurance,
        learnt: peer.learnt,
    }
}

fn peer_domain(domain: &Domain, known: &KnownDomain) -> PeerDomain {
    PeerDomain {
        domain: domain.clone(),
        speaks_until: Some(known.speaks_until).filter(|&until| until > 0),
        ma: known.ma,
        p: known.p,
        sp: known.sp,
        assurance: known.assurance,
        learnt: known.learnt,
    }
}

fn known_key(peer: PeerKey) -> KnownKey {
    let answer = match peer.answer {
        PeerAnswer::None => None,
        PeerAnswer::Certificate {
            octets,
            etag,
            flags,
        } => Some(KnownCertificate {
            octets,
            etag,
            flags,
        }),
    };
    KnownKey {
        answer,
        assurance: peer.assurance,
        fetched: peer.fetched,
        ttl: peer.ttl,
    }
}

fn peer_key(identity: &Identity, asked: Option<&Fingerprint>, key: KnownKey) -> PeerKey {
    let answer = match key.answer {
        None => PeerAnswer::None,
        Some(known) => PeerAnswer::Certificate {
            octets: known.octets,
            etag: known.etag,
            flags: known.flags,
        },
    };
    PeerKey {
        identity: identity.clone(),
        asked: asked.cloned(),
        answer,
        assurance: key.assurance,
        fetched: key.fetched,
        ttl: key.ttl,
    }
}

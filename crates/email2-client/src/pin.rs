//! Trust on first use: the key that a correspondent is known by, and what
//! happens when their server serves another (spec §6.5). Keys come from what
//! servers answer, never out of a message (spec §5.6.6).

use email2::address::{Address, Identity};
use email2::certificate::succession::{Succession, succeed};
use email2::certificate::{Certificate, CertificateError};
use email2::{Assurance, Fingerprint};
use email2_store::peer::{Pin, Standing};
use email2_store::{Store, StoreError};

use crate::verified;

/// Why a key is not used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The server serves another primary key that the known one did not sign: it waits for the
    /// person's decision. Sysexits 77.
    #[error(
        "the mail server now gives another key for {who} ({new}); the key you know ({known}) did not sign it. Ask {who} by another way. If it is theirs: email2 key fetch {who} --accept-new {new}"
    )]
    Changed {
        /// The correspondent.
        who: Address,
        /// The primary key that is known.
        known: Fingerprint,
        /// The one that is held.
        new: Fingerprint,
    },
    /// Nothing authenticates the server that gave the key: it is not kept. Sysexits 77.
    #[error("nothing authenticates the server that gave a key for {0}; it is not used")]
    Unauthenticated(Address),
    /// The person named another key than the one that is held. Sysexits 77.
    #[error("the key that waits for {who} is {held}, not the one you named; nothing was changed")]
    NotThatOne {
        /// The correspondent.
        who: Address,
        /// What is held.
        held: Fingerprint,
    },
    /// A certificate cannot be read. Sysexits 65.
    #[error("the key of {who} cannot be used: {error}")]
    Certificate {
        /// The correspondent.
        who: Address,
        /// Why.
        error: CertificateError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A served certificate, compared with what is known: the one to use.
///
/// # Errors
/// See [`PinError`]; a changed key is kept as held, and never used; one that was learnt without
/// assurance is not kept at all.
pub async fn settle(
    store: &Store,
    who: &Address,
    served: &Certificate,
    assurance: Option<Assurance>,
    now: u64,
) -> Result<Certificate, PinError> {
    let (certificate, _) = settle_told(store, who, served, assurance, now).await?;
    Ok(certificate)
}

/// The same, and the key that was known before when the old one signed that it follows: people
/// are told (spec §6.5.4).
///
/// # Errors
/// As [`settle`].
pub async fn settle_told(
    store: &Store,
    who: &Address,
    served: &Certificate,
    assurance: Option<Assurance>,
    now: u64,
) -> Result<(Certificate, Option<Fingerprint>), PinError> {
    if assurance.is_none() {
        return Err(PinError::Unauthenticated(who.clone()));
    }
    let Some(pin) = find(store, who, Standing::Known).await? else {
        keep(store, who, Standing::Known, served, assurance, now).await?;
        return Ok((served.clone(), None));
    };
    let known = parse(who, &pin.octets)?;
    let succession = succeed(&known, served).map_err(|error| certificate(who, error))?;
    match succession {
        Succession::Same => Ok((known, None)),
        Succession::Merged(both) => {
            renew(store, pin, &both).await?;
            Ok((both, None))
        }
        Succession::Transition(next) => {
            renew(store, pin, &next).await?;
            verified::follow(store, who, known.primary(), next.primary()).await?;
            Ok((next, Some(known.primary().clone())))
        }
        Succession::New => {
            keep(store, who, Standing::Held, served, assurance, now).await?;
            Err(PinError::Changed {
                who: who.clone(),
                known: known.primary().clone(),
                new: served.primary().clone(),
            })
        }
    }
}

/// The certificate that a correspondent is known by.
///
/// # Errors
/// [`PinError::Certificate`], [`PinError::Store`].
pub async fn known(store: &Store, who: &Address) -> Result<Option<Certificate>, PinError> {
    let pin = find(store, who, Standing::Known).await?;
    pin.map(|pin| parse(who, &pin.octets)).transpose()
}

/// The person decided: the held key, whose fingerprint they were shown, is the correspondent's.
/// `None` when none is held.
///
/// # Errors
/// As [`known`]; [`PinError::NotThatOne`] when another one came meanwhile.
pub async fn accept_held(
    store: &Store,
    who: &Address,
    seen: &Fingerprint,
) -> Result<Option<Certificate>, PinError> {
    let Some(held) = find(store, who, Standing::Held).await? else {
        return Ok(None);
    };
    if held.primary != *seen {
        return Err(PinError::NotThatOne {
            who: who.clone(),
            held: held.primary,
        });
    }
    let accepted = parse(who, &held.octets)?;
    store
        .keep_pin(Pin {
            standing: Standing::Known,
            ..held.clone()
        })
        .await?;
    store.drop_pin(&held.identity, Standing::Held).await?;
    Ok(Some(accepted))
}

/// All correspondents whose key is known or held: the address, the primary key, and whether it
/// is held.
///
/// # Errors
/// [`PinError::Store`].
pub async fn all(store: &Store) -> Result<Vec<(Address, Fingerprint, bool)>, PinError> {
    let pins = store.list_pins().await?.into_iter();
    let listed = pins.filter_map(|pin| match pin.identity {
        Identity::Address(who) => Some((who, pin.primary, pin.standing == Standing::Held)),
        Identity::Service(_) => None,
    });
    Ok(listed.collect())
}

/// Was mail encrypted to this correspondent before (spec §5.5.2)?
///
/// # Errors
/// [`PinError::Store`].
pub async fn encrypted_before(store: &Store, who: &Address) -> Result<bool, PinError> {
    let pin = find(store, who, Standing::Known).await?;
    Ok(pin.is_some_and(|pin| pin.encrypted.is_some()))
}

/// Remembers that mail was encrypted to this correspondent.
///
/// # Errors
/// [`PinError::Store`].
pub async fn note_encrypted(store: &Store, who: &Address, now: u64) -> Result<(), PinError> {
    if let Some(pin) = find(store, who, Standing::Known).await? {
        let encrypted = Some(now);
        store.keep_pin(Pin { encrypted, ..pin }).await?;
    }
    Ok(())
}

async fn find(store: &Store, who: &Address, standing: Standing) -> Result<Option<Pin>, StoreError> {
    let pins = store.pins(&Identity::Address(who.clone())).await?;
    Ok(pins.into_iter().find(|pin| pin.standing == standing))
}

async fn keep(
    store: &Store,
    who: &Address,
    standing: Standing,
    served: &Certificate,
    assurance: Option<Assurance>,
    now: u64,
) -> Result<(), StoreError> {
    let pin = Pin {
        identity: Identity::Address(who.clone()),
        standing,
        primary: served.primary().clone(),
        octets: served.octets().to_vec(),
        assurance,
        since: now,
        encrypted: None,
    };
    store.keep_pin(pin).await
}

async fn renew(store: &Store, pin: Pin, certificate: &Certificate) -> Result<(), StoreError> {
    let renewed = Pin {
        primary: certificate.primary().clone(),
        octets: certificate.octets().to_vec(),
        ..pin
    };
    store.keep_pin(renewed).await
}

fn parse(who: &Address, octets: &[u8]) -> Result<Certificate, PinError> {
    Certificate::parse(octets).map_err(|error| certificate(who, error))
}

fn certificate(who: &Address, error: CertificateError) -> PinError {
    PinError::Certificate {
        who: who.clone(),
        error,
    }
}

//! The key of one recipient, for mail that this server protects (spec §13.4.2).

use email2::address::{Address, Identity};
use email2::certificate::{Certificate, CertificateError};
use email2::key_query::Etag;
use email2::limits;
use email2::rejection::Rejection;
use email2_remote::deliver::Reason;
use email2_remote::{FoundKey, KeyError, Outcome};
use email2_store::StoreError;

use super::prepare::ours;
use crate::key_service;
use crate::site::Site;

/// What is known of a recipient's key.
pub(super) enum Found {
    /// It is encrypted to.
    Key {
        /// The certificate.
        certificate: Certificate,
        /// Its version, for EMAIL2KEY (spec §3.3).
        etag: Option<Etag>,
    },
    /// There is none, definitely (spec §5.5.1): signed only.
    None,
    /// Nothing may be sent to this recipient, or not now.
    Not(Outcome),
}

/// How a key is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// The domain takes sealed mail; else its people's keys are looked for elsewhere.
    pub(super) sealed: bool,
    /// Whatever is remembered.
    pub(super) fresh: bool,
    /// Since when the message waits, Unix seconds.
    pub(super) since: u64,
}

/// Asks for it: here for our own people, their server for others.
///
/// # Errors
/// The store failed.
pub(super) async fn of(site: &Site, to: &Address, asking: Asking) -> Result<Found, StoreError> {
    if site.serves(to.domain()) {
        return own(site, to).await;
    }
    if !asking.sealed {
        return Ok(ordinary(site, to, asking.since).await);
    }
    let found = match asking.fresh {
        true => site.remote.fetch_for_writing(to).await,
        false => site.remote.key_for_writing(to).await,
    };
    Ok(match found {
        Ok(found) => usable(site, to, found).await,
        Err(error) => without(error),
    })
}

/// A directory that cannot be asked holds ordinary mail up for as long as DNS may, no longer
/// (spec §12.3.4, §13.4.2).
async fn ordinary(site: &Site, to: &Address, since: u64) -> Found {
    let waited = site.world.now().saturating_sub(since);
    match site.remote.ordinary_key(to).await {
        Ok(Some(key)) => judged(site, to, key.certificate, None),
        Err(error) if waited < limits::DNS_PATIENCE => Found::Not(Outcome::Temporary(Reason {
            text: error.to_string(),
            ..Reason::default()
        })),
        Ok(None) | Err(_) => Found::None,
    }
}

async fn own(site: &Site, to: &Address) -> Result<Found, StoreError> {
    let mut found = key_service::for_writing(site, &Identity::Address(to.clone())).await?;
    if let (None, Some(recipient)) = (&found, site.recipient_for(to).await?) {
        let who = Identity::Address(recipient.account.address);
        found = key_service::for_writing(site, &who).await?;
    }
    Ok(match found {
        Some((certificate, etag)) => judged(site, to, certificate, Some(etag)),
        None => Found::None,
    })
}

/// One that expired or was revoked meanwhile is asked for again first: its owner may have
/// extended it (spec §6.6.1).
async fn usable(site: &Site, to: &Address, kept: FoundKey) -> Found {
    let now = site.world.now();
    let fits = kept.certificate.can_encrypt(now).is_ok() || kept.fetched >= now;
    let found = match fits {
        true => Ok(kept),
        false => site.remote.fetch_for_writing(to).await,
    };
    match found {
        // Whoever forged the MX records would read the message (spec §2.2).
        Ok(found) if found.assurance.is_none() => without(KeyError::Unauthenticated(to.clone())),
        Ok(found) => judged(site, to, found.certificate, Some(found.etag)),
        Err(error) => without(error),
    }
}

fn judged(site: &Site, to: &Address, certificate: Certificate, etag: Option<Etag>) -> Found {
    match certificate.can_encrypt(site.world.now()) {
        Ok(()) => Found::Key { certificate, etag },
        // A key that a server holds signs only (spec §13.2.2).
        Err(CertificateError::NoEncryptionKey) if certificate.is_held_for_signing() => Found::None,
        Err(error) => {
            let rejection = Rejection::RecipientKeyUnfit {
                recipient: to.clone(),
                why: error.to_string(),
            };
            Found::Not(Outcome::Refused(ours(&rejection)))
        }
    }
}

fn without(error: KeyError) -> Found {
    if error.is_definite() {
        return Found::None;
    }
    let reason = Reason {
        text: error.to_string(),
        ..Reason::default()
    };
    Found::Not(match error {
        KeyError::NoDomain(_) | KeyError::NoMail(_) => Outcome::Refused(reason),
        _ => Outcome::Temporary(reason),
    })
}

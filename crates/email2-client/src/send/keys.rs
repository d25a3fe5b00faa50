//! The recipients' keys, asked of their own servers and compared with what is
//! known of them (spec §5.5, §6.5).

use std::time::Duration;

use email2::address::Address;
use email2::certificate::Certificate;
use email2::key_query::Etag;
use email2_remote::{FoundKey, KeyError};
use email2_store::StoreError;

use super::report::{Report, State, Step, Watch};
use super::route::Routed;
use crate::Client;
use crate::pin::{self, PinError};

/// A recipient whose key is known, or known to be none.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Who.
    pub address: Address,
    /// Nobody else may learn of this recipient.
    pub blind: bool,
    /// The key; none when the recipient's own server says that there is none.
    pub key: Option<RecipientKey>,
    /// Mail was encrypted to this recipient before.
    pub encrypted_before: bool,
}

/// What to encrypt to.
#[derive(Clone, Debug)]
pub struct RecipientKey {
    /// The certificate.
    pub certificate: Certificate,
    /// Its version, for EMAIL2KEY (spec §3.3).
    pub etag: Etag,
}

/// What asking came to.
#[derive(Debug, Default)]
pub struct Found {
    /// Those to write to.
    pub keyed: Vec<Keyed>,
    /// Those who could not be asked for now.
    pub later: Vec<(Routed, String)>,
    /// Those to whom nothing is sent, and why.
    pub refused: Vec<Report>,
}

/// First pause between attempts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Asks for every recipient's key; who cannot be asked is asked again for as long as `wait`.
///
/// # Errors
/// The store failed.
pub async fn fetch(
    client: &Client,
    routed: Vec<Routed>,
    wait: Duration,
    watch: &dyn Watch,
) -> Result<Found, StoreError> {
    let clock = &*client.world.clock;
    let deadline = clock.monotonic() + wait;
    let (mut found, mut asked, mut pause) = (Found::default(), routed, FIRST_PAUSE);
    loop {
        for recipient in std::mem::take(&mut asked) {
            watch.step(Step::Key(recipient.address.clone()));
            ask(client, recipient, watch, &mut found).await?;
        }
        if found.later.is_empty() || clock.monotonic() + pause > deadline {
            return Ok(found);
        }
        watch.step(Step::Wait(pause.as_secs()));
        clock.sleep(pause).await;
        pause *= 2;
        asked = found
            .later
            .drain(..)
            .map(|(recipient, _)| recipient)
            .collect();
    }
}

/// The key in the cache, unless it expired or was revoked meanwhile: then its owner may have
/// extended it, and the server is asked first (spec §6.6.1).
async fn current(client: &Client, address: &Address) -> Result<FoundKey, KeyError> {
    let kept = client.remote.key_for_writing(address).await?;
    let now = client.world.now();
    if kept.certificate.can_encrypt(now).is_ok() || kept.fetched >= now {
        return Ok(kept);
    }
    client.remote.fetch_for_writing(address).await
}

async fn ask(
    client: &Client,
    recipient: Routed,
    watch: &dyn Watch,
    found: &mut Found,
) -> Result<(), StoreError> {
    match current(client, &recipient.address).await {
        // Whoever forged the MX records would read the message (spec §2.2).
        Ok(key) if key.assurance.is_none() => {
            let error = KeyError::Unauthenticated(recipient.address.clone());
            found
                .refused
                .push(refused(recipient, State::Refused, &error));
        }
        Ok(key) => {
            let who = &recipient.address;
            let now = client.world.now();
            let settled =
                pin::settle_told(&client.store, who, &key.certificate, key.assurance, now).await;
            match settled {
                Ok((certificate, before)) => {
                    if before.is_some() {
                        watch.step(Step::Replaced {
                            address: who.clone(),
                            key: certificate.primary().clone(),
                        });
                    }
                    let etag = key.etag;
                    let key = Some(RecipientKey { certificate, etag });
                    found.keyed.push(keyed(client, recipient, key).await?);
                }
                Err(PinError::Store(error)) => return Err(error),
                Err(error) => found
                    .refused
                    .push(refused(recipient, State::Refused, &error)),
            }
        }
        // spec §5.5.1: only a definite "no key" lets cleartext be thought of.
        Err(KeyError::NoKey(_)) => found.keyed.push(keyed(client, recipient, None).await?),
        Err(error) if !error.is_temporary() => {
            let state = match error {
                KeyError::Unauthenticated(_) => State::Refused,
                _ => State::Unavailable,
            };
            found.refused.push(refused(recipient, state, &error));
        }
        Err(error) => found.later.push((recipient, error.to_string())),
    }
    Ok(())
}

async fn keyed(
    client: &Client,
    recipient: Routed,
    key: Option<RecipientKey>,
) -> Result<Keyed, StoreError> {
    let encrypted_before = match pin::encrypted_before(&client.store, &recipient.address).await {
        Ok(before) => before,
        Err(PinError::Store(error)) => return Err(error),
        // A pin that cannot be read is no licence for cleartext.
        Err(_) => true,
    };
    Ok(Keyed {
        address: recipient.address,
        blind: recipient.blind,
        key,
        encrypted_before,
    })
}

fn refused(recipient: Routed, state: State, why: &dyn std::fmt::Display) -> Report {
    Report {
        recipient: recipient.address,
        state,
        protection: None,
        words: why.to_string(),
        outbox: None,
    }
}

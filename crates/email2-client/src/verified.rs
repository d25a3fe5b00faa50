//! Who was compared by another way: a mark on the key that a correspondent is known by. It
//! follows the key over a signed transition, and no further (spec §6.11.1).

use email2::Fingerprint;
use email2::address::{Address, Identity};
use email2::certificate::{Certificate, comparison};
use email2_store::block::Scope;
use email2_store::{Store, StoreError};

use crate::keyring::{self, KeyringError};
use crate::pin::{self, PinError};
use crate::{Client, ClientError};

/// Why no code can be shown.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nothing is set up here.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// One's own key cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What is known of the correspondent cannot be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// No key of theirs is known. Sysexits 67.
    #[error("no key of {0} is known here; run: email2 key fetch {0}")]
    Unknown(Address),
}

/// What two people compare.
#[derive(Debug)]
pub struct Comparison {
    /// The code: the same on both sides.
    pub code: String,
    /// The correspondent's certificate.
    pub theirs: Certificate,
    /// Whether it was confirmed before.
    pub verified: bool,
}

/// The code to compare with `who`.
///
/// # Errors
/// See [`VerifyError`].
pub async fn compare(client: &Client, who: &Address) -> Result<Comparison, VerifyError> {
    let own = Identity::Address(client.address()?.clone());
    let mine = keyring::certificate(client.place())?;
    let theirs = pin::known(client.store(), who).await?;
    let theirs = theirs.ok_or_else(|| VerifyError::Unknown(who.clone()))?;
    let other = Identity::Address(who.clone());
    let verified = is_verified(client.store(), who, theirs.primary()).await;
    Ok(Comparison {
        code: comparison::code((&own, mine.primary()), (&other, theirs.primary())),
        verified: verified.map_err(PinError::Store)?,
        theirs,
    })
}

/// Both people saw the same code.
///
/// # Errors
/// The store failed.
pub async fn confirm(
    store: &Store,
    who: &Address,
    primary: &Fingerprint,
) -> Result<(), StoreError> {
    let value = Some(primary.to_string().into_bytes());
    store.set(Scope::Server, vec![(name(who), value)]).await
}

/// Whether this key of a correspondent was compared.
///
/// # Errors
/// The store failed.
pub async fn is_verified(
    store: &Store,
    who: &Address,
    primary: &Fingerprint,
) -> Result<bool, StoreError> {
    let mark = store.setting(Scope::Server, &name(who)).await?;
    Ok(mark.is_some_and(|mark| mark == primary.to_string().as_bytes()))
}

/// The old key signed that the new one follows: what was compared stays compared.
///
/// # Errors
/// The store failed.
pub(crate) async fn follow(
    store: &Store,
    who: &Address,
    old: &Fingerprint,
    new: &Fingerprint,
) -> Result<(), StoreError> {
    if is_verified(store, who, old).await? {
        confirm(store, who, new).await?;
    }
    Ok(())
}

fn name(who: &Address) -> String {
    format!("verified/{who}")
}

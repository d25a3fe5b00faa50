//! One's own key over its life: imported, revoked, exported.

use email2::address::Identity;
use email2::certificate::{Certificate, RevocationReason};
use email2::secret::{SecretKey, SecretKeyError};

use crate::home::{self, HomeError};
use crate::keyring::{self, KeyringError};
use crate::{Client, ClientError};

/// Why one's own key could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum OwnKeyError {
    /// Nothing is set up here.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The key cannot be read or kept.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// One's own server does not take it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The key does not allow it. Sysexits 65.
    #[error("the key cannot be used: {0}")]
    Secret(#[from] SecretKeyError),
    /// The key is for somebody else. Sysexits 65.
    #[error("the key has no User ID that is bound to {0}")]
    NotBound(Identity),
}

/// Uses an existing secret key from now on, after one's own server took its certificate.
/// `passphrase` opens it, and locks it here.
///
/// # Errors
/// See [`OwnKeyError`]; nothing is changed then.
pub async fn import(
    client: &Client,
    octets: &[u8],
    passphrase: &str,
) -> Result<Certificate, OwnKeyError> {
    let key = SecretKey::unlock(octets, Some(passphrase.as_bytes()))?;
    let who = Identity::Address(client.address()?.clone());
    if !key.certificate().binds(&who) {
        return Err(OwnKeyError::NotBound(who));
    }
    // Whether it can sign shows now, not at the first message.
    key.signing_key(client.world().now())?;
    publish(client, key.certificate()).await?;
    keyring::keep(client.place(), &key, passphrase, &mut client.world().rng())?;
    Ok(key.certificate().clone())
}

/// Revokes one's own key: the server answers with the revocation before it is kept here.
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn revoke(
    client: &Client,
    key: &SecretKey,
    reason: RevocationReason,
) -> Result<Certificate, OwnKeyError> {
    let revoked = key.revoke(reason, client.world().now(), &mut client.world().rng())?;
    publish(client, &revoked).await?;
    keyring::keep_certificate(client.place(), &revoked)?;
    Ok(revoked)
}

/// The secret key in armor, locked as it lies on the disk.
///
/// # Errors
/// [`OwnKeyError::Keyring`].
pub fn armored_secret(client: &Client) -> Result<String, OwnKeyError> {
    let octets = keyring::locked(client.place())?;
    Ok(email2::secret::armored(&octets))
}

async fn publish(client: &Client, certificate: &Certificate) -> Result<(), OwnKeyError> {
    let address = client.address()?;
    let token = keyring::token(client.place())?;
    let mut session = home::sign_in(client, address, &token).await?;
    home::publish(client, &mut session, address, certificate.octets()).await?;
    session.close(client.world()).await;
    Ok(())
}

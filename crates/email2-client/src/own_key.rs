//! One's own key over its life: published, imported, ended and extended, revoked, replaced,
//! exported (spec §6.9). Whatever changes it is published first and kept then: the 250 says that
//! every host answers with it (spec §6.9.2).

use email2::Fingerprint;
use email2::address::Identity;
use email2::certificate::generate::generate;
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
    /// To extend is to end later. Sysexits 65.
    #[error("the key ends at {0} (Unix seconds) already, or never; give a later time")]
    NotLonger(u64),
}

/// Publishes one's own certificate once more.
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn publish_again(client: &Client) -> Result<Certificate, OwnKeyError> {
    let certificate = keyring::certificate(client.place())?;
    publish(client, &certificate).await?;
    Ok(certificate)
}

/// Uses a secret key from elsewhere from now on: `opening` is its passphrase. Of one's own
/// primary key, what either lacks is put together; another one is signed by the key in use as
/// its successor.
///
/// # Errors
/// See [`OwnKeyError`]; nothing is changed then.
pub async fn import(
    client: &Client,
    octets: &[u8],
    opening: &str,
    passphrase: &str,
) -> Result<Certificate, OwnKeyError> {
    let key = SecretKey::unlock(octets, Some(opening.as_bytes()))?;
    adopt(client, key, passphrase).await
}

/// Makes a new primary key; the one in use signs that it follows, as do those before it.
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn replace(client: &Client, passphrase: &str) -> Result<Certificate, OwnKeyError> {
    let who = Identity::Address(client.address()?.clone());
    let new = generate(&who, client.world().now(), &mut client.world().rng());
    adopt(client, new.map_err(SecretKeyError::from)?, passphrase).await
}

/// Takes a key into use: checked, published, kept.
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn adopt(
    client: &Client,
    key: SecretKey,
    passphrase: &str,
) -> Result<Certificate, OwnKeyError> {
    let who = Identity::Address(client.address()?.clone());
    if !key.certificate().binds(&who) {
        return Err(OwnKeyError::NotBound(who));
    }
    // Whether it can sign and seal shows now, not at the first message.
    let mut rng = client.world().rng();
    let key = key.able_to_seal(client.world().now(), &mut rng)?;
    let current = match keyring::has_key(client.place())? {
        true => Some(keyring::unlock(client.place(), passphrase)?),
        false => None,
    };
    let next = match &current {
        Some(current) => following(client, current, &key)?,
        None => key.clone(),
    };
    let is_another = |old: &&SecretKey| old.certificate().primary() != key.certificate().primary();
    for old in current.iter().filter(is_another).chain(key.former()) {
        keyring::keep_former(client.place(), old, passphrase, &mut rng)?;
    }
    if current.iter().any(|current| is_another(&current)) {
        // The new one lies here before the server knows of it: no crash loses a key.
        keyring::keep_former(client.place(), &next, passphrase, &mut rng)?;
    }
    publish(client, next.certificate()).await?;
    keyring::keep(client.place(), &next, passphrase, &mut rng)?;
    Ok(next.certificate().clone())
}

/// The key as it follows the one in use (spec §6.5).
fn following(
    client: &Client,
    current: &SecretKey,
    key: &SecretKey,
) -> Result<SecretKey, OwnKeyError> {
    if key.certificate().primary() == current.certificate().primary() {
        return Ok(current.joined(key)?);
    }
    let (now, mut rng) = (client.world().now(), client.world().rng());
    let mut certificate = current.transition_to(key.certificate(), now, &mut rng)?;
    // Who knows an earlier key only can follow as well.
    for former in current.former() {
        match former.transition_to(&certificate, now, &mut rng) {
            Ok(linked) => certificate = linked,
            Err(SecretKeyError::NoPrimary) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(key.with_certificate(certificate)?)
}

/// Revokes one's own key, or one subkey of it: the server answers with the revocation before it
/// is kept here.
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn revoke(
    client: &Client,
    key: &SecretKey,
    subkey: Option<&Fingerprint>,
    reason: RevocationReason,
) -> Result<Certificate, OwnKeyError> {
    let (now, mut rng) = (client.world().now(), client.world().rng());
    let revoked = match subkey {
        Some(subkey) if subkey != key.certificate().primary() => {
            key.revoke_subkey(subkey, reason, now, &mut rng)?
        }
        _ => key.revoke(reason, now, &mut rng)?,
    };
    renew(client, revoked).await
}

/// Lets one's own key end at `until` (Unix seconds; `None`: never).
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn expire(
    client: &Client,
    key: &SecretKey,
    until: Option<u64>,
) -> Result<Certificate, OwnKeyError> {
    let key = key.expiring(until, client.world().now(), &mut client.world().rng())?;
    renew(client, key.certificate().clone()).await
}

/// Lets one's own key, which has an end, end later.
///
/// # Errors
/// See [`OwnKeyError`]; [`OwnKeyError::NotLonger`].
pub async fn extend(
    client: &Client,
    key: &SecretKey,
    until: Option<u64>,
) -> Result<Certificate, OwnKeyError> {
    let end = key.certificate().expires();
    let is_later = until.is_none_or(|until| end.is_some_and(|end| until > end));
    if !is_later {
        return Err(OwnKeyError::NotLonger(end.unwrap_or(u64::MAX)));
    }
    expire(client, key, until).await
}

async fn renew(client: &Client, certificate: Certificate) -> Result<Certificate, OwnKeyError> {
    publish(client, &certificate).await?;
    keyring::keep_certificate(client.place(), &certificate)?;
    Ok(certificate)
}

/// The secret key in armor, locked as it lies on the disk.
///
/// # Errors
/// [`OwnKeyError::Keyring`].
pub fn armored_secret(client: &Client) -> Result<String, OwnKeyError> {
    let octets = keyring::locked(client.place())?;
    Ok(email2::secret::armored(&octets))
}

/// The secret key in armor for GnuPG or Thunderbird, locked by the same passphrase; the published
/// certificate says from now on that a classic program reads the mail (spec §5.8).
///
/// # Errors
/// See [`OwnKeyError`].
pub async fn armored_classic(
    client: &Client,
    key: &SecretKey,
    passphrase: &str,
) -> Result<String, OwnKeyError> {
    let mut rng = client.world().rng();
    let noted = key.for_classic_reader(client.world().now(), &mut rng)?;
    let locked = noted.lock_classic(passphrase.as_bytes(), &mut rng)?;
    if noted.certificate() != key.certificate() {
        renew(client, noted.certificate().clone()).await?;
    }
    Ok(email2::secret::armored(&locked))
}

async fn publish(client: &Client, certificate: &Certificate) -> Result<(), OwnKeyError> {
    let address = client.address()?;
    let token = keyring::token(client.place())?;
    let mut session = home::sign_in(client, address, &token).await?;
    home::publish(client, &mut session, address, certificate.octets()).await?;
    session.close(client.world()).await;
    Ok(())
}

//! Setting up: the one-time code, a key made on this device, the certificate
//! published, the device's token kept (spec §3.7).

use email2::address::{Address, Identity};
use email2::certificate::CertificateError;
use email2::certificate::generate::generate;
use email2::secret::{SecretKey, SecretKeyError};
use email2_smtp::client::Failure;

use crate::home::{self, HomeError};
use crate::keyring::{self, KeyringError};
use crate::place::PlaceError;
use crate::{Client, ClientError};

/// Why setting up failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Another account lives here. Sysexits 73.
    #[error("{0} is set up here; give another EMAIL2_HOME for a second account")]
    Taken(Address),
    /// One's own server cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The key cannot be made. Sysexits 70.
    #[error("the key cannot be made: {0}")]
    Generate(String),
    /// The key cannot be kept.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A file cannot be written. Sysexits 73.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The server refuses the key that lies here. Sysexits 77.
    #[error(
        "the mail server does not take the key of this device: {0}. If your administrator reset your key: email2 setup --new-key, or --key FILE. If the address has a key on another device: --restore FILE"
    )]
    KeyRefused(Failure),
    /// The key is for somebody else. Sysexits 65.
    #[error("the key has no User ID that is bound to {0}")]
    NotBound(Address),
    /// The key cannot be used. Sysexits 65.
    #[error("the key cannot be used: {0}")]
    Secret(#[from] SecretKeyError),
    /// The server took the certificate and gave no token. Sysexits 69.
    #[error("the server gave no token: is the code a one-time code?")]
    NoToken,
}

/// Which key a device is set up with.
#[derive(Debug)]
pub enum Origin {
    /// The one that lies here, else a new one.
    Here,
    /// A new one; one that lies here is kept for old mail. After an administrator's reset.
    New,
    /// This one, made elsewhere; one that lies here is kept for old mail.
    Given(Box<SecretKey>),
    /// The account's, from a recovery kit: this device gets a signing subkey of its own.
    Restored(Box<SecretKey>),
}

/// What was set up.
#[derive(Debug)]
pub struct Enrolled {
    /// The key, open.
    pub key: SecretKey,
    /// The host that was enrolled at.
    pub host: String,
    /// How that host was authenticated, in words.
    pub trusted_by: String,
}

/// Enrols this device for `address`. The key is kept on the device before it is published: a run
/// that broke off goes on with the same key.
///
/// # Errors
/// See [`EnrolError`].
pub async fn enrol(
    client: &Client,
    address: &Address,
    code: &str,
    passphrase: &str,
    authority: Option<&[u8]>,
) -> Result<Enrolled, EnrolError> {
    enrol_with(client, address, code, passphrase, authority, Origin::Here).await
}

/// The same with the key of this origin.
///
/// # Errors
/// See [`EnrolError`].
pub async fn enrol_with(
    client: &Client,
    address: &Address,
    code: &str,
    passphrase: &str,
    authority: Option<&[u8]>,
    origin: Origin,
) -> Result<Enrolled, EnrolError> {
    refuse_other(client, address)?;
    let mut session = home::sign_in(client, address, code).await?;
    let host = session.host().name.clone();
    let trusted_by = match session.assurance() {
        Some(assurance) => assurance.as_str().to_owned(),
        None => "the certification authority that you gave".to_owned(),
    };
    let key = prepare(client, address, passphrase, origin)?;
    let octets = key.certificate().octets().to_vec();
    let answer = home::publish(client, &mut session, address, &octets).await;
    let answer = answer.map_err(|error| match error {
        HomeError::Refused(failure) if !failure.is_temporary() => EnrolError::KeyRefused(failure),
        other => EnrolError::Home(other),
    })?;
    let token = answer.token.ok_or(EnrolError::NoToken)?;
    keyring::keep_token(&client.place, token.reveal())?;
    client.place.set_account(address, authority)?;
    session.close(&client.world).await;
    end_code(client, address, token.reveal()).await;
    Ok(Enrolled {
        key,
        host,
        trusted_by,
    })
}

fn refuse_other(client: &Client, address: &Address) -> Result<(), EnrolError> {
    match client.address() {
        Ok(known) if known != address => Err(EnrolError::Taken(known.clone())),
        Ok(_) | Err(ClientError::NotSetUp) => Ok(()),
        Err(_) => Ok(()),
    }
}

/// The key to enrol with: it lies here before anything is published.
fn prepare(
    client: &Client,
    address: &Address,
    passphrase: &str,
    origin: Origin,
) -> Result<SecretKey, EnrolError> {
    let here = match keyring::has_key(&client.place)? {
        true => Some(keyring::unlock(&client.place, passphrase)?),
        false => None,
    };
    // Without a token, an earlier run broke off: it goes on with the key that it kept.
    let goes_on = !keyring::has_token(&client.place)?;
    let key = match (origin, &here) {
        (Origin::Here, Some(here)) => return Ok(here.clone()),
        (Origin::New, Some(here)) if goes_on => return Ok(here.clone()),
        (Origin::Here | Origin::New, _) => new(client, address)?,
        (Origin::Given(key), _) => *key,
        (Origin::Restored(key), Some(here)) if goes_on && same(here, &key) => {
            return Ok(here.clone());
        }
        (Origin::Restored(key), _) => restored(client, &key)?,
    };
    if !key.certificate().binds(&Identity::Address(address.clone())) {
        return Err(EnrolError::NotBound(address.clone()));
    }
    let key = key.able_to_seal(client.world.now(), &mut client.world.rng())?;
    keep(client, here.as_ref(), &key, passphrase)?;
    Ok(key)
}

fn same(here: &SecretKey, key: &SecretKey) -> bool {
    here.certificate().primary() == key.certificate().primary()
}

/// Keeps the key, and beside it those that it replaced. The device has no token for it yet.
fn keep(
    client: &Client,
    here: Option<&SecretKey>,
    key: &SecretKey,
    passphrase: &str,
) -> Result<(), EnrolError> {
    let mut rng = client.world.rng();
    let replaced = here.filter(|here| !same(here, key));
    for former in replaced.into_iter().chain(key.former()) {
        keyring::keep_former(&client.place, former, passphrase, &mut rng)?;
    }
    keyring::forget_token(&client.place)?;
    Ok(keyring::keep(&client.place, key, passphrase, &mut rng)?)
}

/// A recovery kit's key on this device (spec §6.9.1).
fn restored(client: &Client, key: &SecretKey) -> Result<SecretKey, EnrolError> {
    let mut rng = client.world.rng();
    Ok(key.for_device(client.world.now(), &mut rng)?)
}

fn new(client: &Client, address: &Address) -> Result<SecretKey, EnrolError> {
    let mut rng = client.world.rng();
    let who = Identity::Address(address.clone());
    generate(&who, client.world.now(), &mut rng)
        .map_err(|error: CertificateError| EnrolError::Generate(error.to_string()))
}

/// Signs in once with the token: that ends the code (spec §3.7.3). When it fails, the next
/// sign-in does it.
async fn end_code(client: &Client, address: &Address, token: &str) {
    match home::sign_in(client, address, token).await {
        Ok(session) => session.close(&client.world).await,
        Err(error) => tracing::warn!(%error, "the one-time code still stands"),
    }
}

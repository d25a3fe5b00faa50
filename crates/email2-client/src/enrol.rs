//! Setting up: the one-time code, a key made on this device, the certificate
//! published, the device's token kept (spec §3.7).

use email2::address::{Address, Identity};
use email2::certificate::CertificateError;
use email2::certificate::generate::generate;
use email2::secret::SecretKey;

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
    /// The server took the certificate and gave no token. Sysexits 69.
    #[error("the server gave no token: is the code a one-time code?")]
    NoToken,
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
    refuse_other(client, address)?;
    let mut session = home::sign_in(client, address, code).await?;
    let host = session.host().name.clone();
    let trusted_by = match session.assurance() {
        Some(assurance) => assurance.as_str().to_owned(),
        None => "the certification authority that you gave".to_owned(),
    };
    let key = key(client, address, passphrase)?;
    let octets = key.certificate().octets().to_vec();
    let answer = home::publish(client, &mut session, address, &octets).await?;
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

/// The key that lies here, or a new one.
fn key(client: &Client, address: &Address, passphrase: &str) -> Result<SecretKey, EnrolError> {
    if keyring::has_key(&client.place)? {
        return Ok(keyring::unlock(&client.place, passphrase)?);
    }
    let mut rng = client.world.rng();
    let who = Identity::Address(address.clone());
    let key = generate(&who, client.world.now(), &mut rng)
        .map_err(|error: CertificateError| EnrolError::Generate(error.to_string()))?;
    keyring::keep(&client.place, &key, passphrase, &mut rng)?;
    Ok(key)
}

/// Signs in once with the token: that ends the code (spec §3.7.3). When it fails, the next
/// sign-in does it.
async fn end_code(client: &Client, address: &Address, token: &str) {
    match home::sign_in(client, address, token).await {
        Ok(session) => session.close(&client.world).await,
        Err(error) => tracing::warn!(%error, "the one-time code still stands"),
    }
}

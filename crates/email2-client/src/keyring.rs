//! One's own key on the device: the secret key locked by a passphrase, the
//! certificate beside it, and the device's token (spec §6.7).

use email2::certificate::succession::{Succession, succeed};
use email2::certificate::{Certificate, CertificateError, Fingerprint};
use email2::secret::{SecretKey, SecretKeyError};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::place::{Place, PlaceError};

/// Why one's own key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is none. Sysexits 78.
    #[error("there is no key here; run: email2 setup ADDRESS")]
    Absent,
    /// The passphrase does not open it. Sysexits 77.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The key cannot be used. Sysexits 65.
    #[error("your key cannot be used: {0}")]
    Secret(SecretKeyError),
    /// The certificate cannot be used. Sysexits 65.
    #[error("your certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// A file cannot be read or written. Sysexits 74.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

const SECRET: &str = "key.pgp";
const CERTIFICATE: &str = "certificate.pgp";
const TOKEN: &str = "token";
/// Before the fingerprint in the name of a former key's file.
const FORMER: &str = "former-";

/// Is there a key?
///
/// # Errors
/// [`KeyringError::Place`].
pub fn has_key(place: &Place) -> Result<bool, KeyringError> {
    Ok(place.read(SECRET)?.is_some())
}

/// Keeps a key, locked by `passphrase`, in place of the one before.
///
/// # Errors
/// [`KeyringError`].
pub fn keep(
    place: &Place,
    key: &SecretKey,
    passphrase: &str,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<(), KeyringError> {
    let locked = key
        .lock(passphrase.as_bytes(), rng)
        .map_err(KeyringError::Secret)?;
    place.write(SECRET, &locked)?;
    keep_certificate(place, key.certificate())
}

/// Keeps one's own certificate, for example after a revocation was published.
///
/// # Errors
/// [`KeyringError::Place`].
pub fn keep_certificate(place: &Place, certificate: &Certificate) -> Result<(), KeyringError> {
    Ok(place.write(CERTIFICATE, certificate.octets())?)
}

/// One's own certificate; no passphrase is needed.
///
/// # Errors
/// [`KeyringError`].
pub fn certificate(place: &Place) -> Result<Certificate, KeyringError> {
    let octets = place.read(CERTIFICATE)?.ok_or(KeyringError::Absent)?;
    Ok(Certificate::parse(&octets)?)
}

/// The secret key as it lies on the disk: locked.
///
/// # Errors
/// [`KeyringError`].
pub fn locked(place: &Place) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    place.read(SECRET)?.ok_or(KeyringError::Absent)
}

/// Opens one's own key, with all that was published of it since, and the keys that it replaced.
///
/// # Errors
/// [`KeyringError`]; a wrong passphrase is told apart from a damaged key.
pub fn unlock(place: &Place, passphrase: &str) -> Result<SecretKey, KeyringError> {
    let key = current(open(&locked(place)?, passphrase)?, place)?;
    let former = former(place, key.certificate().primary(), passphrase)?;
    Ok(key.with_former(former))
}

fn open(octets: &[u8], passphrase: &str) -> Result<SecretKey, KeyringError> {
    SecretKey::unlock(octets, Some(passphrase.as_bytes())).map_err(|error| match error {
        SecretKeyError::WrongPassphrase => KeyringError::WrongPassphrase,
        other => KeyringError::Secret(other),
    })
}

/// The key with what its certificate became: the file of the secret key is written when secret
/// keys change only.
fn current(key: SecretKey, place: &Place) -> Result<SecretKey, KeyringError> {
    let known = certificate(place)?;
    match succeed(key.certificate(), &known)? {
        Succession::Merged(both) => key.with_certificate(both).map_err(KeyringError::Secret),
        _ => Ok(key),
    }
}

/// Keeps a key that another one replaces or may replace: it opens old mail (spec §6.9.3).
///
/// # Errors
/// [`KeyringError`].
pub fn keep_former(
    place: &Place,
    key: &SecretKey,
    passphrase: &str,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<(), KeyringError> {
    let locked = key.lock(passphrase.as_bytes(), rng);
    let locked = locked.map_err(KeyringError::Secret)?;
    let name = format!("{FORMER}{}.pgp", key.certificate().primary());
    Ok(place.write(&name, &locked)?)
}

fn former(
    place: &Place,
    current: &Fingerprint,
    passphrase: &str,
) -> Result<Vec<SecretKey>, KeyringError> {
    let mut keys = Vec::new();
    for name in place.names(FORMER)? {
        if name.contains(&current.to_string()) {
            continue;
        }
        if let Some(octets) = place.read(&name)? {
            keys.push(open(&octets, passphrase)?);
        }
    }
    Ok(keys)
}

/// Forgets the device's token: the server signed this device out.
///
/// # Errors
/// [`KeyringError::Place`].
pub fn forget_token(place: &Place) -> Result<(), KeyringError> {
    Ok(place.remove(TOKEN)?)
}

/// Is there a token?
///
/// # Errors
/// [`KeyringError::Place`].
pub fn has_token(place: &Place) -> Result<bool, KeyringError> {
    Ok(place.read(TOKEN)?.is_some())
}

/// Keeps the device's token.
///
/// # Errors
/// [`KeyringError::Place`].
pub fn keep_token(place: &Place, token: &str) -> Result<(), KeyringError> {
    Ok(place.write(TOKEN, token.as_bytes())?)
}

/// The device's token.
///
/// # Errors
/// [`KeyringError`].
pub fn token(place: &Place) -> Result<Zeroizing<String>, KeyringError> {
    let octets = place.read(TOKEN)?.ok_or(KeyringError::Absent)?;
    Ok(Zeroizing::new(
        String::from_utf8_lossy(&octets).trim().to_owned(),
    ))
}

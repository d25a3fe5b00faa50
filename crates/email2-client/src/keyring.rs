//! One's own key on the device: the secret key locked by a passphrase, the
//! certificate beside it, and the device's token (spec §6.7).

use email2::certificate::{Certificate, CertificateError};
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

/// Opens one's own key.
///
/// # Errors
/// [`KeyringError`]; a wrong passphrase is told apart from a damaged key.
pub fn unlock(place: &Place, passphrase: &str) -> Result<SecretKey, KeyringError> {
    let octets = locked(place)?;
    SecretKey::unlock(&octets, Some(passphrase.as_bytes())).map_err(|error| match error {
        SecretKeyError::WrongPassphrase => KeyringError::WrongPassphrase,
        other => KeyringError::Secret(other),
    })
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

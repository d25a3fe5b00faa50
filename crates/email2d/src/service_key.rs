//! A domain's service key: made once, kept in a file that only the server reads, its
//! certificate published in the store (spec §6.8).

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use email2::address::{Domain, Identity};
use email2::certificate::generate::generate;
use email2::certificate::{CertificateError, RevocationReason};
use email2::secret::{SecretKey, SecretKeyError};
use email2_store::{Replaces, Store, StoreError};
use rand_core::{CryptoRng, RngCore};

use crate::enrolment::version;

/// The folder below the data directory.
const FOLDER: &str = "keys";

/// Why there is no service key.
#[derive(Debug, thiserror::Error)]
pub enum ServiceKeyError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SecretKeyError,
    },
    /// It could not be made.
    #[error("the service key could not be made: {0}")]
    Generate(#[from] CertificateError),
    /// It could not be revoked.
    #[error("the service key could not be revoked: {0}")]
    Revoke(#[from] SecretKeyError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder of this server's keys.
pub(crate) fn folder(data_directory: &Path) -> PathBuf {
    data_directory.join(FOLDER)
}

/// Where the service key of a domain is.
#[must_use]
pub fn file(data_directory: &Path, domain: &Domain) -> PathBuf {
    folder(data_directory).join(format!("{domain}.key"))
}

/// The service key of a domain: from its file, or made; then its certificate is served.
///
/// # Errors
/// See [`ServiceKeyError`].
pub async fn ensure(
    data_directory: &Path,
    domain: &Domain,
    store: &Store,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey, ServiceKeyError> {
    let path = file(data_directory, domain);
    let key = match std::fs::read(&path) {
        Ok(octets) => SecretKey::unlock(&octets, None)
            .map_err(|error| ServiceKeyError::Content { path, error })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(&path, domain, now, rng)?
        }
        Err(error) => return Err(file_error(&path, error)),
    };
    if publish(&key, domain, store, now).await? {
        return Ok(key);
    }
    // The key in the file was revoked, and its revocation was cut off before its end.
    let path = file(data_directory, domain);
    std::fs::remove_file(&path).map_err(|error| file_error(&path, error))?;
    let key = make(&path, domain, now, rng)?;
    publish(&key, domain, store, now).await?;
    Ok(key)
}

/// Serves the key's certificate. When another was served, the administrator put another file
/// there, which is a reset. `false`: it was revoked for good.
async fn publish(
    key: &SecretKey,
    domain: &Domain,
    store: &Store,
    now: u64,
) -> Result<bool, StoreError> {
    let who = Identity::Service(domain.clone());
    let version = version(&who, key.certificate());
    store.publish(version, Replaces::Reset, now).await
}

fn file_error(path: &Path, error: std::io::Error) -> ServiceKeyError {
    ServiceKeyError::File {
        path: path.to_owned(),
        error,
    }
}

fn make(
    path: &Path,
    domain: &Domain,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey, ServiceKeyError> {
    let key = generate(&Identity::Service(domain.clone()), now, rng)?;
    write(path, &key.to_octets()).map_err(|error| file_error(path, error))?;
    Ok(key)
}

/// Writes a new file that its owner alone may read, in a folder of the same kind.
pub(crate) fn write(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

/// Revokes the service key for good and makes a new one; verifiers learn it within the hour.
///
/// # Errors
/// See [`ServiceKeyError`].
pub async fn revoke(
    data_directory: &Path,
    domain: &Domain,
    store: &Store,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey, ServiceKeyError> {
    let who = Identity::Service(domain.clone());
    let old = ensure(data_directory, domain, store, now, rng).await?;
    let revoked = old.revoke(RevocationReason::Compromised, now, rng)?;
    store
        .publish(version(&who, &revoked), Replaces::Keep, now)
        .await?;
    store.mark_hard(&who, Some(revoked.primary())).await?;
    let path = file(data_directory, domain);
    std::fs::remove_file(&path).map_err(|error| file_error(&path, error))?;
    ensure(data_directory, domain, store, now, rng).await
}

//! Keys that this server holds for its users (spec §13.2): made here, encrypted at rest under a
//! secret that stands in a file of its own (spec §13.2.1), published like any other key.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use email2::address::{Address, Identity};
use email2::certificate::generate::generate_held;
use email2::certificate::{Certificate, CertificateError, Fingerprint};
use email2::secret::{SecretKey, SecretKeyError};
use email2_store::{Account, Replaces, Scope, Store, StoreError};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::enrolment::version;
use crate::service_key;

/// The account's setting in which the key stands: its primary's fingerprint, a line end, a nonce
/// and the ciphertext.
const SETTING: &str = "held-key";

/// The file of the secret that encrypts them, in the folder of the service keys.
const MASTER: &str = "master.key";

/// Octets of that secret.
const MASTER_OCTETS: usize = 32;

/// Why a key cannot be held, or used.
#[derive(Debug, thiserror::Error)]
pub enum HeldKeyError {
    /// The file of the master secret cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The master secret is not the one that encrypted the key, or one of them was damaged.
    #[error("the key held for {0} does not open: is {MASTER} the one that it was made with?")]
    Closed(Address),
    /// The user has a key of their own.
    #[error(
        "{0} has a key of their own; `email2d user reset {0}` makes it worth nothing, then this server can hold another"
    )]
    OwnKey(Address),
    /// It could not be made.
    #[error("the key could not be made: {0}")]
    Generate(#[from] CertificateError),
    /// What was decrypted is no secret key.
    #[error("the key held is damaged: {0}")]
    Content(#[from] SecretKeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key held for an account, as it is kept.
struct Kept {
    primary: String,
    nonce: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
}

impl Kept {
    fn parse(value: &[u8]) -> Option<Kept> {
        let line = value.iter().position(|octet| *octet == b'\n')?;
        let (primary, rest) = value.split_at_checked(line)?;
        let (nonce, ciphertext) = rest.get(1..)?.split_at_checked(NONCE_LEN)?;
        Some(Kept {
            primary: String::from_utf8(primary.to_vec()).ok()?,
            nonce: nonce.try_into().ok()?,
            ciphertext: ciphertext.to_vec(),
        })
    }

    fn octets(&self) -> Vec<u8> {
        let line = format!("{}\n", self.primary);
        [line.as_bytes(), &self.nonce, &self.ciphertext].concat()
    }
}

/// Is a key of this account held, and the one that is served (spec §13.2.3)?
///
/// # Errors
/// The store failed.
pub(crate) async fn is_held(store: &Store, account: &Account) -> Result<bool, StoreError> {
    Ok(current(store, account).await?.is_some())
}

async fn current(store: &Store, account: &Account) -> Result<Option<Kept>, StoreError> {
    let value = store.setting(Scope::Account(account.id), SETTING).await?;
    let Some(kept) = value.and_then(|value| Kept::parse(&value)) else {
        return Ok(None);
    };
    let who = Identity::Address(account.address.clone());
    let served = store.served(&who).await?;
    let is_served = served.is_some_and(|version| version.primary.to_string() == kept.primary);
    Ok(is_served.then_some(kept))
}

/// The key held for an account, unlocked; `None`: there is none, or another is served.
///
/// # Errors
/// See [`HeldKeyError`].
pub(crate) async fn open(
    data_directory: &Path,
    store: &Store,
    account: &Account,
) -> Result<Option<SecretKey>, HeldKeyError> {
    let Some(kept) = current(store, account).await? else {
        return Ok(None);
    };
    let master = read_master(&master_file(data_directory))?;
    let closed = || HeldKeyError::Closed(account.address.clone());
    let octets = decrypt(&master, &account.address, kept).ok_or_else(closed)?;
    Ok(Some(SecretKey::unlock(&octets, None)?))
}

/// Makes a key for an account and holds it; its certificate is served from now on. One that is
/// held already stays. Its primary's fingerprint.
///
/// # Errors
/// See [`HeldKeyError`].
pub async fn hold(
    data_directory: &Path,
    store: &Store,
    account: &Account,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Fingerprint, HeldKeyError> {
    let who = Identity::Address(account.address.clone());
    if let Some(served) = store.served(&who).await? {
        return match current(store, account).await? {
            Some(_) => Ok(served.primary),
            None => Err(HeldKeyError::OwnKey(account.address.clone())),
        };
    }
    let key = generate_held(&account.address, now, rng)?;
    let master = master(&master_file(data_directory), rng)?;
    let kept = encrypt(&master, &account.address, &key, rng)
        .ok_or_else(|| HeldKeyError::Closed(account.address.clone()))?;
    keep(store, account, Some(kept.octets())).await?;
    // An address that had a key before gets the new one by a reset (spec §3.5.3).
    let replaces = match store.versions(&who).await?.is_empty() {
        true => Replaces::Keep,
        false => Replaces::Reset,
    };
    let version = version(&who, key.certificate());
    store.publish(version, replaces, now).await?;
    Ok(key.certificate().primary().clone())
}

/// Forgets the key held for an account and makes it worth nothing (spec §13.2.4). `false`: none
/// was held.
///
/// # Errors
/// The store failed.
pub async fn release(store: &Store, account: &Account) -> Result<bool, StoreError> {
    let held = is_held(store, account).await?;
    if held {
        let who = Identity::Address(account.address.clone());
        store.mark_hard(&who, None).await?;
    }
    keep(store, account, None).await?;
    Ok(held)
}

/// `next` with the signature by which the key held for an account names it as its successor
/// (spec §13.2.5); `None`: none is held.
///
/// # Errors
/// See [`HeldKeyError`].
pub(crate) async fn succeeded_by(
    data_directory: &Path,
    store: &Store,
    account: &Account,
    next: &Certificate,
    (now, rng): (u64, &mut (impl CryptoRng + RngCore)),
) -> Result<Option<Certificate>, HeldKeyError> {
    let Some(held) = open(data_directory, store, account).await? else {
        return Ok(None);
    };
    Ok(Some(held.transition_to(next, now, rng)?))
}

/// Destroys a key held for an account when it is no longer the one served: its successor has come
/// (spec §13.2.5).
///
/// # Errors
/// The store failed.
pub(crate) async fn forget_replaced(store: &Store, account: &Account) -> Result<(), StoreError> {
    let kept = store.setting(Scope::Account(account.id), SETTING).await?;
    match kept.is_some() && !is_held(store, account).await? {
        true => keep(store, account, None).await,
        false => Ok(()),
    }
}

async fn keep(store: &Store, account: &Account, value: Option<Vec<u8>>) -> Result<(), StoreError> {
    let value = (SETTING.to_owned(), value);
    store.set(Scope::Account(account.id), vec![value]).await
}

/// What binds a ciphertext to its place: moved to another account it does not open.
fn context(address: &Address, primary: &str) -> String {
    format!("email2d held key\n{address}\n{primary}")
}

fn cipher(master: &[u8; MASTER_OCTETS]) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, master).ok()?;
    Some(LessSafeKey::new(key))
}

fn encrypt(
    master: &[u8; MASTER_OCTETS],
    address: &Address,
    key: &SecretKey,
    rng: &mut (impl CryptoRng + RngCore),
) -> Option<Kept> {
    let primary = key.certificate().primary().to_string();
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let plain = key.to_octets();
    // Room for the tag: growing would leave a copy of the secret in memory.
    let mut octets = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    octets.extend_from_slice(&plain);
    let aad = Aad::from(context(address, &primary));
    let unique = Nonce::assume_unique_for_key(nonce);
    let sealed = cipher(master)?.seal_in_place_append_tag(unique, aad, &mut *octets);
    sealed.ok().map(|()| Kept {
        primary,
        nonce,
        ciphertext: octets.to_vec(),
    })
}

fn decrypt(
    master: &[u8; MASTER_OCTETS],
    address: &Address,
    kept: Kept,
) -> Option<Zeroizing<Vec<u8>>> {
    let aad = Aad::from(context(address, &kept.primary));
    let unique = Nonce::assume_unique_for_key(kept.nonce);
    let mut octets = Zeroizing::new(kept.ciphertext);
    let length = cipher(master)?
        .open_in_place(unique, aad, &mut octets)
        .ok()?
        .len();
    octets.truncate(length);
    Some(octets)
}

fn master_file(data_directory: &Path) -> PathBuf {
    service_key::folder(data_directory).join(MASTER)
}

/// The master secret: from its file, or made.
fn master(
    path: &Path,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Zeroizing<[u8; MASTER_OCTETS]>, HeldKeyError> {
    match read_master(path) {
        Err(HeldKeyError::File { error, .. }) if error.kind() == ErrorKind::NotFound => {
            let mut secret = Zeroizing::new([0; MASTER_OCTETS]);
            rng.fill_bytes(&mut *secret);
            service_key::write(path, &*secret).map_err(|error| file_error(path, error))?;
            Ok(secret)
        }
        read => read,
    }
}

fn read_master(path: &Path) -> Result<Zeroizing<[u8; MASTER_OCTETS]>, HeldKeyError> {
    let octets = std::fs::read(path).map_err(|error| file_error(path, error))?;
    let octets = Zeroizing::new(octets);
    let secret: Result<[u8; MASTER_OCTETS], _> = octets.as_slice().try_into();
    let wrong = |_| std::io::Error::new(ErrorKind::InvalidData, "it has not 32 octets");
    let secret = secret.map_err(wrong);
    secret
        .map(Zeroizing::new)
        .map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> HeldKeyError {
    HeldKeyError::File {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn a_key_opens_at_its_place_and_with_its_master_only() {
        let bob: Address = "bob@example.org".parse().unwrap();
        let key = generate_held(&bob, 1_764_000_000, &mut OsRng).unwrap();
        assert!(key.certificate().is_keyholder_server());
        let kept = || encrypt(&[1; MASTER_OCTETS], &bob, &key, &mut OsRng).unwrap();
        let back = Kept::parse(&kept().octets()).unwrap();
        let octets = decrypt(&[1; MASTER_OCTETS], &bob, back).unwrap();
        assert_eq!(*octets, *key.to_octets());
        assert!(decrypt(&[2; MASTER_OCTETS], &bob, kept()).is_none());
        let eve: Address = "eve@example.org".parse().unwrap();
        assert!(decrypt(&[1; MASTER_OCTETS], &eve, kept()).is_none());
        let secret = key.to_octets();
        let inside = kept()
            .ciphertext
            .windows(16)
            .any(|some| some == &secret[..16]);
        assert!(!inside, "in the clear");
        assert!(Kept::parse(b"").is_none() && Kept::parse(b"ab\nshort").is_none());
    }

    #[test]
    fn the_master_secret_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let made = master(&path, &mut OsRng).unwrap();
        assert_eq!(made, master(&path, &mut OsRng).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(read_master(&path), Err(HeldKeyError::File { .. })));
    }
}

//! A domain's keys for DKIM (RFC 6376, RFC 8463): made by `email2d dkim`, in files that only the
//! server reads; their public halves stand in the domain's DNS.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::Domain;
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::service_key;

/// The selector of the Ed25519 key: its name below `_domainkey`.
const ED25519: &str = "e2ed";
/// The selector of the RSA key, which everybody verifies.
const RSA: &str = "e2rsa";

/// Why keys cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum DkimKeyError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file holds something else.
    #[error("{}: this is no key for DKIM", .0.display())]
    Content(PathBuf),
    /// The library that does the arithmetic refused.
    #[error("the key refused")]
    Refused,
}

/// Both keys of a domain.
pub(crate) struct Keys([Signer; 2]);

/// One key.
pub(crate) enum Signer {
    /// RFC 8463.
    Ed25519(Ed25519KeyPair),
    /// RFC 6376 §3.3.1, 2,048 bits.
    Rsa(Box<RsaKeyPair>),
}

/// A record to publish: name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimRecord {
    /// Where it stands, without the last dot.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Keys {
    /// Those of a domain; `None` when none were made.
    ///
    /// # Errors
    /// See [`DkimKeyError`].
    pub(crate) fn read(data: &Path, domain: &Domain) -> Result<Option<Keys>, DkimKeyError> {
        let Some(ed25519) = read(&file(data, domain, ED25519))? else {
            return Ok(None);
        };
        let rsa_file = file(data, domain, RSA);
        let Some(rsa) = read(&rsa_file)? else {
            return Ok(None);
        };
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&ed25519)
            .map_err(|_| DkimKeyError::Content(file(data, domain, ED25519)))?;
        let rsa = RsaKeyPair::from_pkcs8(&rsa).map_err(|_| DkimKeyError::Content(rsa_file))?;
        let keys = [Signer::Ed25519(ed25519), Signer::Rsa(Box::new(rsa))];
        Ok(Some(Keys(keys)))
    }

    /// Each of them.
    pub(crate) fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.0.iter()
    }
}

impl Signer {
    /// The name of the algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Signer::Ed25519(_) => "ed25519-sha256",
            Signer::Rsa(_) => "rsa-sha256",
        }
    }

    /// The selector.
    pub(crate) fn selector(&self) -> &'static str {
        match self {
            Signer::Ed25519(_) => ED25519,
            Signer::Rsa(_) => RSA,
        }
    }

    /// Signs the SHA-256 of these octets.
    ///
    /// # Errors
    /// The key refused.
    pub(crate) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, DkimKeyError> {
        match self {
            // RFC 8463 §3: over the hash.
            Signer::Ed25519(key) => Ok(key.sign(&Sha256::digest(octets)).as_ref().to_vec()),
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = SystemRandom::new();
                key.sign(&RSA_PKCS1_SHA256, &random, octets, &mut signature)
                    .map_err(|_| DkimKeyError::Refused)?;
                Ok(signature)
            }
        }
    }

    /// What stands in DNS (RFC 6376 §3.6.1, RFC 8463 §4).
    fn record(&self, domain: &Domain) -> Result<DkimRecord, DkimKeyError> {
        let (kind, key) = match self {
            Signer::Ed25519(key) => ("ed25519", STANDARD.encode(key.public_key().as_ref())),
            Signer::Rsa(key) => {
                let public: PublicKeyX509Der<'_> = key
                    .public_key()
                    .as_der()
                    .map_err(|_| DkimKeyError::Refused)?;
                ("rsa", STANDARD.encode(public.as_ref()))
            }
        };
        Ok(DkimRecord {
            name: format!("{}._domainkey.{domain}", self.selector()),
            text: format!("v=DKIM1; k={kind}; p={key}"),
        })
    }

    /// A key that is always the same.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Signer {
        Signer::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
    }
}

/// Makes the keys of a domain that it does not have yet; gives the records to publish.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn ensure(
    data: &Path,
    domain: &Domain,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<DkimRecord>, DkimKeyError> {
    let path = file(data, domain, ED25519);
    if read(&path)?.is_none() {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        write(&path, &*seed)?;
    }
    let path = file(data, domain, RSA);
    if read(&path)?.is_none() {
        write(&path, &rsa()?)?;
    }
    published(data, domain)
}

/// The records of the keys that a domain has; none when none were made.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn published(data: &Path, domain: &Domain) -> Result<Vec<DkimRecord>, DkimKeyError> {
    let keys = Keys::read(data, domain)?;
    let signers = keys.iter().flat_map(Keys::signers);
    signers.map(|signer| signer.record(domain)).collect()
}

/// A new RSA key, PKCS #8.
fn rsa() -> Result<Zeroizing<Vec<u8>>, DkimKeyError> {
    let refused = |_| DkimKeyError::Refused;
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(refused)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

fn file(data: &Path, domain: &Domain, selector: &str) -> PathBuf {
    service_key::folder(data).join(format!("{domain}.{selector}.dkim"))
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, DkimKeyError> {
    match std::fs::read(path) {
        Ok(octets) => Ok(Some(Zeroizing::new(octets))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path, error)),
    }
}

fn write(path: &Path, octets: &[u8]) -> Result<(), DkimKeyError> {
    service_key::write(path, octets).map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> DkimKeyError {
    DkimKeyError::File {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn keys_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let domain: Domain = "example.org".parse().unwrap();
        assert!(Keys::read(folder.path(), &domain).unwrap().is_none());
        let records = ensure(folder.path(), &domain, &mut OsRng).unwrap();
        assert_eq!(records, ensure(folder.path(), &domain, &mut OsRng).unwrap());
        assert_eq!(records[0].name, "e2ed._domainkey.example.org");
        assert!(records[0].text.starts_with("v=DKIM1; k=ed25519; p="));
        assert_eq!(records[1].name, "e2rsa._domainkey.example.org");
        assert!(
            records[1]
                .text
                .starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
        );
        let keys = Keys::read(folder.path(), &domain).unwrap().unwrap();
        let lengths: Vec<usize> = keys
            .signers()
            .map(|signer| signer.sign(b"octets").unwrap().len())
            .collect();
        assert_eq!(lengths, [64, 256]);
    }
}

//! A domain's keys for DKIM (RFC 6376, RFC 8463): made by `email2d dkim`, in files that only the
//! server reads; their public halves stand in the domain's DNS. They come in pairs of Ed25519 and
//! RSA, counted from 1; each pair has selectors of its own, so that one can take the place of
//! another while both stand in the DNS.

mod pairs;

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

pub use pairs::{Pair, Standing, activate, drop_old, pairs, published, rotate};

/// The selector of the first pair's Ed25519 key: its name below `_domainkey`.
const ED25519: &str = "e2ed";
/// The selector of its RSA key, which everybody verifies. Those of later pairs have its number
/// behind.
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

/// One key, by its selector.
pub(crate) struct Signer {
    selector: String,
    key: Key,
}

enum Key {
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

impl DkimRecord {
    /// Do these texts say the same, and nothing else? Blanks say nothing.
    pub(crate) fn is(&self, found: &[String]) -> bool {
        let bare = |text: &str| {
            let octets = text.chars().filter(|c| !c.is_whitespace());
            octets.collect::<String>()
        };
        matches!(found, [one] if bare(one) == bare(&self.text))
    }
}

impl Keys {
    /// Those that sign for a domain; `None` when none were made.
    ///
    /// # Errors
    /// See [`DkimKeyError`].
    pub(crate) fn read(data: &Path, domain: &Domain) -> Result<Option<Keys>, DkimKeyError> {
        Keys::of_pair(data, domain, pairs::active(data, domain)?)
    }

    fn of_pair(data: &Path, domain: &Domain, number: u32) -> Result<Option<Keys>, DkimKeyError> {
        let [ed_selector, rsa_selector] = selectors(number);
        let (ed_file, rsa_file) = (
            file(data, domain, &ed_selector),
            file(data, domain, &rsa_selector),
        );
        let (Some(ed25519), Some(rsa)) = (read(&ed_file)?, read(&rsa_file)?) else {
            return Ok(None);
        };
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&ed25519)
            .map_err(|_| DkimKeyError::Content(ed_file))?;
        let rsa = RsaKeyPair::from_pkcs8(&rsa).map_err(|_| DkimKeyError::Content(rsa_file))?;
        let signer = |selector, key| Signer { selector, key };
        Ok(Some(Keys([
            signer(ed_selector, Key::Ed25519(ed25519)),
            signer(rsa_selector, Key::Rsa(Box::new(rsa))),
        ])))
    }

    /// Each of them.
    pub(crate) fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.0.iter()
    }
}

impl Signer {
    /// The name of the algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Ed25519(_) => "ed25519-sha256",
            Key::Rsa(_) => "rsa-sha256",
        }
    }

    /// The selector.
    pub(crate) fn selector(&self) -> &str {
        &self.selector
    }

    /// Signs the SHA-256 of these octets.
    ///
    /// # Errors
    /// The key refused.
    pub(crate) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, DkimKeyError> {
        match &self.key {
            // RFC 8463 §3: over the hash.
            Key::Ed25519(key) => Ok(key.sign(&Sha256::digest(octets)).as_ref().to_vec()),
            Key::Rsa(key) => {
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
        let (kind, key) = match &self.key {
            Key::Ed25519(key) => ("ed25519", STANDARD.encode(key.public_key().as_ref())),
            Key::Rsa(key) => {
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
        Signer {
            selector: ED25519.to_owned(),
            key: Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()),
        }
    }
}

/// Makes the keys that sign for a domain, where there are none; gives the records to publish.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn ensure(
    data: &Path,
    domain: &Domain,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<DkimRecord>, DkimKeyError> {
    make(data, domain, pairs::active(data, domain)?, rng)?;
    published(data, domain)
}

/// Makes what a pair lacks.
fn make(
    data: &Path,
    domain: &Domain,
    number: u32,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<(), DkimKeyError> {
    let [ed25519_file, rsa_file] = selectors(number).map(|selector| file(data, domain, &selector));
    if read(&ed25519_file)?.is_none() {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        write(&ed25519_file, &*seed)?;
    }
    if read(&rsa_file)?.is_none() {
        write(&rsa_file, &rsa()?)?;
    }
    Ok(())
}

/// The selectors of a pair.
fn selectors(number: u32) -> [String; 2] {
    [ED25519, RSA].map(|name| match number {
        1 => name.to_owned(),
        number => format!("{name}{number}"),
    })
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

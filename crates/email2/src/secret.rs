//! A secret key: unlocked and zeroized in memory, locked at rest (spec §6.7).

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, CertificateError, Fingerprint, RevocationReason};

/// An unlocked secret key with its certificate.
pub struct SecretKey {
    certificate: Certificate,
}

/// Why a secret key cannot be read, unlocked or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The octets are no secret key.
    #[error("this is not an OpenPGP secret key: {0}")]
    Malformed(&'static str),
    /// The passphrase is wrong.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The key is locked and no passphrase was given.
    #[error("the secret key is locked: give its passphrase")]
    Locked,
    /// A part of the secret key is missing (on a smart card, or left out).
    #[error("the secret key of {0} is not in the file")]
    Missing(Fingerprint),
    /// No subkey may sign at that time.
    #[error("no key of this certificate may sign now")]
    NoSigningKey,
    /// The public part is no acceptable certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl SecretKey {
    /// The public part.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key that signs at `now`: the newest signing subkey that is neither
    /// revoked nor expired.
    ///
    /// # Errors
    /// [`SecretKeyError::NoSigningKey`].
    pub fn signing_key(&self, now: u64) -> Result<Fingerprint, SecretKeyError> {
        todo!("{now}")
    }

    /// The locked form for rest: S2K Argon2 and AEAD (RFC 9580 §3.7.1.4).
    ///
    /// # Errors
    /// The library that does the arithmetic refused.
    pub fn lock(
        &self,
        passphrase: &[u8],
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<u8>, SecretKeyError> {
        let _ = (passphrase, rng);
        todo!()
    }

    /// Reads a locked or unlocked secret key, binary or armored, ours or as
    /// another OpenPGP program exports it.
    ///
    /// # Errors
    /// See [`SecretKeyError`].
    pub fn unlock(octets: &[u8], passphrase: Option<&[u8]>) -> Result<Self, SecretKeyError> {
        let _ = (octets, passphrase);
        todo!()
    }

    /// The unlocked binary form: for a service key, and for export.
    pub fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }

    /// The certificate with the primary key revoked at `now`.
    ///
    /// # Errors
    /// The library that does the arithmetic refused.
    pub fn revoke(
        &self,
        reason: RevocationReason,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Certificate, SecretKeyError> {
        let _ = (reason, now, rng);
        todo!()
    }

    /// The same key that expires at `until` (`None`: never), by new
    /// self-signatures made at `now`.
    ///
    /// # Errors
    /// The library that does the arithmetic refused, or `until` is not after
    /// `now`.
    pub fn expiring(
        &self,
        until: Option<u64>,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, SecretKeyError> {
        let _ = (until, now, rng);
        todo!()
    }

    /// `new`'s certificate with a transition signed by this, the old key
    /// (spec §6.5).
    ///
    /// # Errors
    /// The library that does the arithmetic refused.
    pub fn transition_to(
        &self,
        new: &Certificate,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Certificate, SecretKeyError> {
        let _ = (new, now, rng);
        todo!()
    }

    /// The same secret key with another form of its certificate: after a
    /// transition, a merge or a revocation.
    ///
    /// # Errors
    /// The certificate is of another primary key.
    pub fn with_certificate(&self, certificate: Certificate) -> Result<Self, SecretKeyError> {
        let _ = certificate;
        todo!()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, redacted)", self.certificate.primary())
    }
}

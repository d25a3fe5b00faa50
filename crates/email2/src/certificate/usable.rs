//! Which keys of a certificate count at a time (spec §4.10, §6.6).

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature};
use pgp::types::{KeyDetails, SignatureBytes, VerifyingKey};

use super::parts::{self, Parts, SelfSignature, Subkey};
use super::policy::{self, Revocation};
use super::{Certificate, CertificateError, Fingerprint};
use crate::limits;

/// Why a key does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// No User ID of the certificate is bound to the identity (spec §6.3.1).
    #[error("the certificate is not bound to {0}")]
    NotBound(String),
    /// It is no signing key of the certificate, or its back-signature is missing
    /// (spec §6.3.2), or its algorithm is not accepted (spec §6.2).
    #[error("the key that signed is no signing key of the certificate")]
    NotASigningKey,
    /// A hard revocation is known (spec §4.10.1).
    #[error("the key was revoked as compromised")]
    RevokedHard,
    /// Revoked softly at or before the time (spec §4.10.2).
    #[error("the key was revoked before it signed")]
    RevokedBefore,
    /// Expired at the time (spec §4.10.2).
    #[error("the key had expired when it signed")]
    ExpiredBefore,
    /// Created more than 24 h after the time (spec §4.9.4).
    #[error("the key was created after it signed")]
    TooYoung,
}

/// A public key of the certificate, for the arithmetic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PublicKeyRef<'a> {
    Primary(&'a PublicKey),
    Subkey(&'a PublicSubkey),
}

impl PublicKeyRef<'_> {
    /// Verifies a signature over a digest.
    pub(crate) fn verify(
        self,
        hash: HashAlgorithm,
        digest: &[u8],
        signature: &SignatureBytes,
    ) -> Result<(), pgp::errors::Error> {
        match self {
            Self::Primary(key) => key.verify(hash, digest, signature),
            Self::Subkey(key) => key.verify(hash, digest, signature),
        }
    }

    fn verify_data(self, signature: &Signature, data: &[u8]) -> Result<(), pgp::errors::Error> {
        match self {
            Self::Primary(key) => signature.verify(key, data),
            Self::Subkey(key) => signature.verify(key, data),
        }
    }

    /// The key's version and algorithm.
    pub(crate) fn details(&self) -> &dyn KeyDetails {
        match self {
            Self::Primary(key) => *key,
            Self::Subkey(key) => *key,
        }
    }
}

/// A subkey that one may encrypt to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncryptionKey<'a> {
    pub(crate) key: &'a PublicSubkey,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) post_quantum: bool,
}

impl Certificate {
    /// The signing key with this fingerprint, if it counts at `at`
    /// (Unix seconds): created by then (within 24 h), not expired, not softly
    /// revoked by then, never hard.
    pub(crate) fn signing_key_at(
        &self,
        fingerprint: &Fingerprint,
        at: u64,
    ) -> Result<PublicKeyRef<'_>, KeyFault> {
        let parts = self.parts();
        check_primary(parts, at)?;
        if *fingerprint == parts.primary.fingerprint {
            let signs = parts.primary_statements().any(|statement| statement.signs);
            return signs
                .then_some(PublicKeyRef::Primary(&parts.primary.key))
                .ok_or(KeyFault::NotASigningKey);
        }
        let subkey = parts
            .subkeys
            .iter()
            .find(|subkey| subkey.fingerprint == *fingerprint && subkey.signs())
            .ok_or(KeyFault::NotASigningKey)?;
        check_times(&subkey.key, &subkey.signatures, subkey.ends(), at)?;
        Ok(PublicKeyRef::Subkey(&subkey.key))
    }

    /// Verifies a signature over data by a key of this certificate that counted
    /// when the signature was made; gives the key and the time.
    pub(crate) fn verify_data(
        &self,
        signature: &Signature,
        data: &[u8],
    ) -> Result<(Fingerprint, u64), CertificateError> {
        let hash = signature
            .hash_alg()
            .ok_or(CertificateError::Malformed("an old signature"))?;
        if !policy::is_accepted_hash(hash) {
            return Err(CertificateError::Malformed("a signature with a weak hash"));
        }
        let at = signature.created().map(|time| u64::from(time.as_secs()));
        let at = at.ok_or(CertificateError::Malformed("a signature without a time"))?;
        let signer = self.issuer(signature).ok_or(KeyFault::NotASigningKey)?;
        let key = self.signing_key_at(&signer, at)?;
        key.verify_data(signature, data)
            .map_err(|error| CertificateError::OpenPgp(error.to_string()))?;
        Ok((signer, at))
    }

    fn issuer(&self, signature: &Signature) -> Option<Fingerprint> {
        let named = signature.issuer_fingerprint();
        let ids = signature.issuer_key_id();
        let parts = self.parts();
        let primary = (
            &parts.primary.key as &dyn KeyDetails,
            &parts.primary.fingerprint,
        );
        let subkeys = parts
            .subkeys
            .iter()
            .map(|s| (&s.key as &dyn KeyDetails, &s.fingerprint));
        std::iter::once(primary)
            .chain(subkeys)
            .find(|(key, ours)| {
                named
                    .iter()
                    .any(|theirs| theirs.as_bytes() == ours.as_bytes())
                    || named.is_empty() && ids.iter().any(|id| **id == key.legacy_key_id())
            })
            .map(|(_, ours)| ours.clone())
    }

    /// The subkeys that one may encrypt to at `now`, newest first.
    pub(crate) fn encryption_subkeys(&self, now: u64) -> Vec<EncryptionKey<'_>> {
        let mut subkeys: Vec<&Subkey> = self
            .parts()
            .subkeys
            .iter()
            .filter(|subkey| may_encrypt(subkey, now))
            .collect();
        subkeys.sort_by_key(|subkey| std::cmp::Reverse(subkey.key.created_at().as_secs()));
        subkeys
            .into_iter()
            .map(|subkey| EncryptionKey {
                key: &subkey.key,
                fingerprint: &subkey.fingerprint,
                post_quantum: policy::is_post_quantum(&subkey.key),
            })
            .collect()
    }

    /// Whether every current statement about the certificate's features says
    /// that SEIPDv2 is read.
    pub(crate) fn reads_seipd2(&self) -> bool {
        let mut statements = self.parts().primary_statements().peekable();
        statements.peek().is_some() && statements.any(|statement| statement.reads_seipd2)
    }
}

fn check_primary(parts: &Parts, at: u64) -> Result<(), KeyFault> {
    check_times(
        &parts.primary.key,
        &parts.primary.signatures,
        parts.ends(),
        at,
    )
}

fn check_times(
    key: &impl KeyDetails,
    signatures: &[SelfSignature],
    ends: Option<u64>,
    at: u64,
) -> Result<(), KeyFault> {
    let revocations = parts::revocations(signatures);
    if revocations.iter().any(|revocation| revocation.hard) {
        return Err(KeyFault::RevokedHard);
    }
    if revocations.iter().any(|revocation| revocation.at <= at) {
        return Err(KeyFault::RevokedBefore);
    }
    if u64::from(key.created_at().as_secs()) > at.saturating_add(limits::KEY_AHEAD) {
        return Err(KeyFault::TooYoung);
    }
    if ends.is_some_and(|end| end <= at) {
        return Err(KeyFault::ExpiredBefore);
    }
    Ok(())
}

/// Any revocation at all: nobody writes to a key that will be revoked.
fn may_encrypt(subkey: &Subkey, now: u64) -> bool {
    let revoked: Vec<Revocation> = parts::revocations(&subkey.signatures);
    subkey.encrypts()
        && revoked.is_empty()
        && check_times(&subkey.key, &subkey.signatures, subkey.ends(), now).is_ok()
}

impl From<KeyFault> for CertificateError {
    fn from(fault: KeyFault) -> Self {
        Self::Key(fault)
    }
}

//! Certificates: OpenPGP public keys under the policy of spec §6.

pub mod comparison;
pub mod fingerprint;
pub mod generate;
pub mod policy;
pub mod succession;

pub(crate) mod armor;
pub(crate) mod assemble;
pub(crate) mod framing;
pub(crate) mod parts;
pub(crate) mod selfsign;
pub(crate) mod usable;

use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use fingerprint::{Fingerprint, FingerprintError};
pub use policy::{Revocation, RevocationReason};
pub use usable::KeyFault;

use crate::address::Identity;
use crate::key_query::{Etag, KeyFlags};
use parts::Parts;

/// A certificate whose bindings were checked when it was read: cache this, not
/// its octets. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    parts: Parts,
    octets: Vec<u8>,
    user_ids: Vec<String>,
}

/// Why octets are no certificate, or not one for this use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The octets are no sequence of certificate packets.
    #[error("this is not an OpenPGP certificate: {0}")]
    Malformed(&'static str),
    /// Larger than 32 KiB after third-party certifications were stripped, or
    /// than the bound on what is read (spec §6.4.2).
    #[error("the certificate is larger than {limit} octets")]
    TooLarge {
        /// The bound that was passed, octets.
        limit: usize,
    },
    /// More than one certificate where one was expected.
    #[error("this holds more than one certificate")]
    Several,
    /// The primary key is of an algorithm that is not accepted (spec §6.2).
    #[error("the primary key's algorithm is not accepted: {0}")]
    Algorithm(String),
    /// A User ID of the form `@domain` beside others (spec §6.8.1).
    #[error("a service User ID stands alone or not at all")]
    ServiceUserId,
    /// Revoked (spec §6.6.1).
    #[error("the certificate was revoked: {0}")]
    Revoked(RevocationReason),
    /// Expired (spec §6.6.1).
    #[error("the certificate expired at {0} (Unix seconds)")]
    Expired(u64),
    /// No usable encryption key.
    #[error("the certificate has no key that one can encrypt to")]
    NoEncryptionKey,
    /// The certificate says that it has a post-quantum key, and it has none:
    /// somebody took it away (spec §5.8).
    #[error("the post-quantum key that the certificate announces was taken away")]
    Stripped,
    /// The key that signed does not count.
    #[error(transparent)]
    Key(KeyFault),
    /// The library that does the arithmetic refused.
    #[error("OpenPGP: {0}")]
    OpenPgp(String),
}

impl Certificate {
    /// Reads one certificate in binary form; strips third-party certifications
    /// before the size is judged, checks every binding and leaves out what
    /// does not hold (spec §6.3, §6.4).
    ///
    /// # Errors
    /// [`CertificateError::Malformed`], `TooLarge`, `Several`, `Algorithm`,
    /// `ServiceUserId`.
    pub fn parse(octets: &[u8]) -> Result<Self, CertificateError> {
        let packets = framing::split(octets)?;
        match assemble::drafts(&packets)?.as_slice() {
            [draft] => Ok(Self::from_parts(assemble::assemble(draft)?)),
            _ => Err(CertificateError::Several),
        }
    }

    /// Reads one certificate in ASCII armor.
    ///
    /// # Errors
    /// As [`Certificate::parse`].
    pub fn parse_armored(text: &str) -> Result<Self, CertificateError> {
        Self::parse(&armor::read(text.as_bytes())?)
    }

    /// Reads one or more certificates, binary or armored, as a directory or a
    /// file gives them.
    ///
    /// # Errors
    /// As [`Certificate::parse`], except `Several`.
    pub fn parse_all(octets: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let binary = if armor::is_armored(octets) {
            armor::read(octets)?
        } else {
            octets.to_vec()
        };
        assemble::drafts(&framing::split(&binary)?)?
            .iter()
            .map(|draft| assemble::assemble(draft).map(Self::from_parts))
            .collect()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        let octets = parts.to_octets();
        let user_ids = parts.bound_users().map(|user| user.text.clone()).collect();
        Self(Arc::new(Contents {
            parts,
            octets,
            user_ids,
        }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// The binary form, in one canonical framing, stripped.
    pub fn octets(&self) -> &[u8] {
        &self.0.octets
    }

    /// The form in ASCII armor.
    pub fn armored(&self) -> String {
        armor::write(armor::Block::Public, self.octets())
    }

    /// The fingerprint of the primary key.
    pub fn primary(&self) -> &Fingerprint {
        &self.parts().primary.fingerprint
    }

    /// The User IDs whose binding holds.
    pub fn user_ids(&self) -> &[String] {
        &self.0.user_ids
    }

    /// Whether a User ID is bound to this identity (spec §6.3.1, §6.8.1).
    pub fn binds(&self, who: &Identity) -> bool {
        self.parts()
            .bound_users()
            .any(|user| user.identity.as_ref() == Some(who))
    }

    /// The certificate with only the User ID asked for, as it is served
    /// (spec §3.5.5); `None` when no User ID is bound to `who`.
    pub fn reduced_to(&self, who: &Identity) -> Option<Self> {
        let named = |user: &&parts::User| user.identity.as_ref() == Some(who);
        let user = self.parts().bound_users().find(named)?.clone();
        Some(Self::from_parts(Parts {
            users: vec![user],
            ..self.parts().clone()
        }))
    }

    /// The etag of the octets alone.
    pub fn etag(&self) -> Etag {
        self.etag_with(&KeyFlags::default())
    }

    /// The etag of octets and flags together (spec §3.5.4).
    pub fn etag_with(&self, flags: &KeyFlags) -> Etag {
        let mut hash = Sha256::new();
        hash.update(self.octets());
        hash.update(flags.to_string());
        Etag::from_digest(&hash.finalize().into())
    }

    /// The keys of this certificate that may sign, revoked and expired ones
    /// included (a seal is judged at its own time).
    pub fn signing_keys(&self) -> Vec<Fingerprint> {
        let parts = self.parts();
        let primary_signs = parts.primary_statements().any(|statement| statement.signs);
        let primary = primary_signs.then(|| parts.primary.fingerprint.clone());
        let subkeys = parts.subkeys.iter().filter(|subkey| subkey.signs());
        primary
            .into_iter()
            .chain(subkeys.map(|subkey| subkey.fingerprint.clone()))
            .collect()
    }

    /// Whether this is the primary key or a bound subkey.
    pub fn holds(&self, key: &Fingerprint) -> bool {
        let parts = self.parts();
        parts.primary.fingerprint == *key
            || parts
                .subkeys
                .iter()
                .any(|subkey| subkey.fingerprint == *key)
    }

    /// The keys that one may encrypt to now.
    pub fn encryption_keys(&self, now: u64) -> Vec<Fingerprint> {
        self.encryption_subkeys(now)
            .into_iter()
            .map(|key| key.fingerprint.clone())
            .collect()
    }

    /// Whether one may encrypt to this certificate now (spec §6.1.2, §6.6.1).
    ///
    /// # Errors
    /// `Revoked`, `Expired`, `Stripped`, `NoEncryptionKey`.
    pub fn can_encrypt(&self, now: u64) -> Result<(), CertificateError> {
        if let Some(revocation) = self.revocation() {
            return Err(CertificateError::Revoked(revocation.reason));
        }
        if let Some(end) = self.expires().filter(|end| *end <= now) {
            return Err(CertificateError::Expired(end));
        }
        let says = |which: fn(&policy::Notations) -> bool| self.parts().has_notation(which);
        if says(|n| n.post_quantum) && !says(|n| n.classic_reader) && !self.has_post_quantum() {
            return Err(CertificateError::Stripped);
        }
        if self.encryption_subkeys(now).is_empty() {
            return Err(CertificateError::NoEncryptionKey);
        }
        Ok(())
    }

    /// When the certificate expires, Unix seconds; `None` is never.
    pub fn expires(&self) -> Option<u64> {
        self.parts().ends()
    }

    /// The gravest revocation of the primary key.
    pub fn revocation(&self) -> Option<Revocation> {
        parts::revocations(&self.parts().primary.signatures)
            .first()
            .copied()
    }

    /// Whether this key, or the primary key above it, was revoked for good
    /// (spec §6.6): nobody encrypts to it any more.
    pub fn is_revoked_hard(&self, key: &Fingerprint) -> bool {
        let is_hard = |signatures| parts::revocations(signatures).iter().any(|r| r.hard);
        let parts = self.parts();
        let mut subkeys = parts.subkeys.iter();
        is_hard(&parts.primary.signatures)
            || subkeys.any(|subkey| subkey.fingerprint == *key && is_hard(&subkey.signatures))
    }

    /// Whether the signed notation says that a server holds the secret key.
    pub fn is_keyholder_server(&self) -> bool {
        self.parts()
            .has_notation(|notations| notations.keyholder_server)
    }

    /// Whether a server holds the key, and nobody encrypts to it (spec §13.2.2): for who writes,
    /// that is no key.
    pub fn is_held_for_signing(&self) -> bool {
        let mut subkeys = self.parts().subkeys.iter();
        self.is_keyholder_server() && !subkeys.any(|subkey| subkey.encrypts())
    }

    /// Whether the signed notation says that a classic program reads the mail:
    /// one encrypts to the classic subkey alone (spec §5.8).
    pub fn is_classic_reader(&self) -> bool {
        self.parts()
            .has_notation(|notations| notations.classic_reader)
    }

    /// Whether a post-quantum encryption subkey is bound.
    pub fn has_post_quantum(&self) -> bool {
        self.parts()
            .subkeys
            .iter()
            .any(|subkey| subkey.encrypts() && policy::is_post_quantum(&subkey.key))
    }

    /// What was left out of the octets read, and why, for their owner.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.parts().left_out
    }
}

impl From<pgp::errors::Error> for CertificateError {
    fn from(error: pgp::errors::Error) -> Self {
        Self::OpenPgp(error.to_string())
    }
}

/// A part of a certificate that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The User ID, or the fingerprint of the subkey if it could be read.
    pub part: String,
    /// Why, as one sentence.
    pub why: String,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.octets() == other.octets()
    }
}

impl Eq for Certificate {}

//! The certificates that this server answers with: every version is kept
//! (spec §3.6.3).

use async_trait::async_trait;
use email2::{Etag, Fingerprint, Identity};

use crate::account::AccountId;
use crate::credential::{CodeId, Secret};
use crate::error::StoreError;

/// One version of a certificate, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Whose.
    pub identity: Identity,
    /// Its primary key.
    pub primary: Fingerprint,
    /// Every key that it holds, for lookups by verifiers.
    pub keys: Vec<Fingerprint>,
    /// The certificate alone, as an etag: the same octets are one version.
    pub etag: Etag,
    /// Binary OpenPGP, at most 32 KiB.
    pub octets: Vec<u8>,
}

/// A version as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateVersion {
    /// Its row; ascending.
    pub id: i64,
    /// Whose.
    pub identity: Identity,
    /// Its primary key.
    pub primary: Fingerprint,
    /// The certificate alone, as an etag.
    pub etag: Etag,
    /// Binary OpenPGP.
    pub octets: Vec<u8>,
    /// Since when the address belongs to this primary key, Unix seconds.
    pub since: u64,
    /// When a signed transition ended it, Unix seconds (a soft revocation).
    pub until: Option<u64>,
    /// Reset, deleted or revoked by an administrator (a hard revocation).
    pub hard: bool,
    /// When this version was kept, Unix seconds.
    pub stored: u64,
}

/// What a new version does to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// It must have the primary key that is served; when there never was one, it is the first.
    Keep,
    /// The old primary key signed a transition: its versions get `until` = now.
    Transition,
    /// An administrator's reset: versions of other primary keys become `hard`.
    Reset,
}

/// KEYPUT after a one-time code: the certificate and the device's token, in one
/// transaction (spec §3.7).
#[derive(Debug)]
pub struct Enrolment {
    /// The code that was used.
    pub code: CodeId,
    /// The certificate.
    pub version: Version,
    /// What it does to those before it.
    pub replaces: Replaces,
    /// The etag of the version that was served when this one was made; `None`: none was.
    pub over: Option<Etag>,
    /// SHA-256 of the octets that KEYPUT brought.
    pub put: [u8; 32],
    /// The token that the device gets.
    pub token: Secret,
}

/// What became of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentOutcome {
    /// Kept; the token is valid.
    Enrolled,
    /// The same octets again: the new token took the place of the old one.
    TokenReplaced,
    /// The code ended meanwhile, or was used for another certificate.
    CodeEnded,
    /// It must keep the served primary key; the code stays valid (spec §3.7.4).
    OtherPrimary,
    /// Another version is served than the one it was made over; the code stays valid.
    Moved,
}

/// What became of a version that was made over another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is served, or was already.
    Kept,
    /// Its primary key is `hard`, or nothing links it to the one that is or was served.
    OtherPrimary,
    /// Another version is served than the one it was made over: make it again.
    Moved,
}

/// Certificates.
#[async_trait]
pub trait Certificates: Send + Sync {
    /// The version that writers get: the newest that is not `hard` and not
    /// ended by a transition.
    async fn served(&self, identity: &Identity) -> Result<Option<CertificateVersion>, StoreError>;

    /// The version that a verifier gets: the newest that holds `key`.
    async fn holding(
        &self,
        identity: &Identity,
        key: &Fingerprint,
    ) -> Result<Option<CertificateVersion>, StoreError>;

    /// All versions, newest first.
    async fn versions(&self, identity: &Identity) -> Result<Vec<CertificateVersion>, StoreError>;

    /// Keeps a version. `false`: refused, because its primary key is `hard`, or
    /// because [`Replaces::Keep`] was asked and another primary key is or was served.
    async fn publish(
        &self,
        version: Version,
        replaces: Replaces,
        now: u64,
    ) -> Result<bool, StoreError>;

    /// Keeps a version that was made over the one with the etag `over` (`None`: none was
    /// served), unless another is served by now: a merge made outside the transaction
    /// would lose what that one brought (spec §6.5.1).
    async fn publish_over(
        &self,
        version: Version,
        replaces: Replaces,
        over: Option<&Etag>,
        now: u64,
    ) -> Result<Published, StoreError>;

    /// Keeps a version and the token of a device at once.
    async fn enrol(
        &self,
        account: AccountId,
        enrolment: Enrolment,
        now: u64,
    ) -> Result<EnrolmentOutcome, StoreError>;

    /// Makes every version of an identity (of one primary key, if given)
    /// `hard`; how many that were.
    async fn mark_hard(
        &self,
        identity: &Identity,
        primary: Option<&Fingerprint>,
    ) -> Result<u64, StoreError>;
}

//! Verifying one seal against the certificate of its signer (spec §4.2,
//! §4.10). Envelope, time and content are judged in [`crate::verdict`].

use super::{Seal, SealError};
use crate::certificate::Certificate;
use crate::key_query::KeyFlags;

/// Why a key does not count for a seal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// No User ID of the certificate is bound to `s` (spec §6.3.1).
    #[error("the certificate is not bound to {0}")]
    NotBound(String),
    /// `k` is no signing key of the certificate, or its back-signature is
    /// missing (spec §6.3.2), or its algorithm is not accepted (spec §6.2).
    #[error("the key that signed is no signing key of the certificate")]
    NotASigningKey,
    /// A hard revocation is known (spec §4.10.1).
    #[error("the key was revoked as compromised")]
    RevokedHard,
    /// Revoked softly at or before `t` (spec §4.10.2).
    #[error("the key was revoked before the seal was made")]
    RevokedBefore,
    /// Expired at `t` (spec §4.10.2).
    #[error("the key had expired when the seal was made")]
    ExpiredBefore,
    /// Created more than 24 h after `t` (spec §4.9.4).
    #[error("the key was created after the seal was made")]
    TooYoung,
}

/// Verifies the signature of `seal` by `certificate`, with what the domain
/// says of this version of it. The seal's own time is all that counts.
///
/// # Errors
/// [`SealError::Packet`], [`SealError::Signature`] or [`SealError::Key`].
pub fn verify(seal: &Seal, certificate: &Certificate, known: &KeyFlags) -> Result<(), SealError> {
    todo!("{seal:?} {certificate:?} {known:?}")
}

//! Verifying one seal against the certificate of its signer (spec §4.2,
//! §4.10). Envelope, time and content are judged in [`crate::verdict`].

use pgp::crypto::hash::HashAlgorithm;

use super::packet::Frame;
use super::{Seal, SealError};
use crate::certificate::{Certificate, KeyFault};
use crate::key_query::KeyFlags;

/// Verifies the signature of `seal` by `certificate`, with what the domain
/// says of this version of it (`known`): `k` is a signing key of the certificate
/// bound to `s` (spec §4.2.4). The seal's own time is all that counts.
///
/// # Errors
/// [`SealError::Packet`], [`SealError::Signature`] or [`SealError::Key`].
pub fn verify(seal: &Seal, certificate: &Certificate, known: &KeyFlags) -> Result<(), SealError> {
    check_flags(seal, known).map_err(SealError::Key)?;
    if !certificate.binds(&seal.signer) {
        return Err(SealError::Key(KeyFault::NotBound(seal.signer.to_string())));
    }
    let key = certificate
        .signing_key_at(&seal.key, seal.created)
        .map_err(SealError::Key)?;
    let details = key.details();
    let frame = Frame::new(
        details.version().into(),
        details.algorithm().into(),
        seal.created_octets()?,
        &seal.key,
    );
    let (value, signature) = frame.decode(&seal.signature)?;
    let digest = frame.digest(value.salt.as_ref(), &seal.signed_octets());
    if !digest.starts_with(&value.left) {
        return Err(SealError::Signature);
    }
    key.verify(HashAlgorithm::Sha256, &digest, &signature)
        .map_err(|_| SealError::Signature)
}

/// `hard` is a hard revocation, `until` a soft one at that time (spec §3.5).
fn check_flags(seal: &Seal, known: &KeyFlags) -> Result<(), KeyFault> {
    if known.hard {
        return Err(KeyFault::RevokedHard);
    }
    if known.until.is_some_and(|until| until <= seal.created) {
        return Err(KeyFault::RevokedBefore);
    }
    Ok(())
}

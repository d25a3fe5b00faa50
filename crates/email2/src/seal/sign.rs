//! Making a seal (spec §4.2).

use std::collections::HashSet;

use pgp::crypto::hash::HashAlgorithm;
use pgp::types::{KeyVersion, Password};
use rand_core::{CryptoRng, RngCore};

use super::packet::{Frame, SALT, Value, signature_octets};
use super::{Nonce, Role, Seal, SealError};
use crate::address::{Address, Identity, ReversePath};
use crate::certificate::KeyFault;
use crate::limits;
use crate::secret::SecretKey;

/// What a seal shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRequest {
    /// The role.
    pub role: Role,
    /// Who seals; the certificate must be bound to it.
    pub signer: Identity,
    /// The reverse-path of the transaction.
    pub reverse_path: ReversePath,
    /// The recipients: 1 to 100, all of one domain, none twice.
    pub recipients: Vec<Address>,
    /// Now, Unix seconds; of a forwarder max(now, `t` of the seal below).
    pub created: u64,
    /// At most `created` + 14 days; by default
    /// `created` + [`SEAL_LIFETIME`](crate::limits::SEAL_LIFETIME).
    pub expires: u64,
    /// 16 fresh random octets.
    pub nonce: Nonce,
    /// SHA-256 of the content below the field.
    pub digest: [u8; 32],
}

/// Seals.
///
/// # Errors
/// [`SealError::Request`] when the seal would break spec §4.1, §4.4, §4.5 or
/// §4.9; [`SealError::Key`] when the key may not seal for this signer now.
pub fn sign(
    request: &SealRequest,
    secret: &SecretKey,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Seal, SealError> {
    let mut seal = unsigned(request, secret)?;
    super::chain::check_alone(&seal).map_err(SealError::Request)?;
    let signer = secret
        .signer(&seal.key)
        .ok_or(SealError::Key(KeyFault::NotASigningKey))?;
    let frame = Frame::new(
        signer.version().into(),
        signer.algorithm().into(),
        seal.created_octets()?,
        &seal.key,
    );
    let salt = (signer.version() == KeyVersion::V6).then(|| {
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        salt
    });
    let digest = frame.digest(salt.as_ref(), &seal.signed_octets());
    let signature = signer
        .sign(&Password::empty(), HashAlgorithm::Sha256, &digest)
        .map_err(|_| SealError::Request("the key refused to sign"))?;
    let [first, second, ..] = digest;
    let value = Value {
        left: [first, second],
        salt,
        signature: signature_octets(&signature),
    };
    seal.signature = frame.encode(&value);
    if seal.field().len() > limits::SEAL_OCTETS {
        return Err(SealError::Request(
            "the field is larger than 8 KiB: use fewer recipients",
        ));
    }
    Ok(seal)
}

fn unsigned(request: &SealRequest, secret: &SecretKey) -> Result<Seal, SealError> {
    if !secret.certificate().binds(&request.signer) {
        return Err(SealError::Key(KeyFault::NotBound(
            request.signer.to_string(),
        )));
    }
    let distinct: HashSet<&Address> = request.recipients.iter().collect();
    if distinct.len() != request.recipients.len() {
        return Err(SealError::Request("a recipient stands twice"));
    }
    let key = secret
        .signing_key(request.created)
        .map_err(|_| SealError::Key(KeyFault::NotASigningKey))?;
    Ok(Seal {
        role: request.role,
        signer: request.signer.clone(),
        reverse_path: request.reverse_path.clone(),
        recipients: request.recipients.clone(),
        created: request.created,
        expires: request.expires,
        nonce: request.nonce,
        key,
        digest: request.digest,
        signature: Vec::new(),
    })
}

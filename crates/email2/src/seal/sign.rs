//! Making a seal (spec §4.2).

use rand_core::{CryptoRng, RngCore};

use super::{Nonce, Role, Seal, SealError};
use crate::address::{Address, Identity, ReversePath};
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
/// [`SealError::Request`] when the seal would break spec §4.1, §4.4 or §4.9;
/// [`SealError::Key`] when the key may not seal for this signer now.
pub fn sign(
    request: &SealRequest,
    key: &SecretKey,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Seal, SealError> {
    let _ = rng;
    todo!("{request:?} {key:?}")
}

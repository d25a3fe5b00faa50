//! The default certificate (spec §6.1) and the service certificate (spec §6.8).

use rand_core::{CryptoRng, RngCore};

use super::CertificateError;
use crate::address::Identity;
use crate::secret::SecretKey;

/// Makes a key for a mailbox, or for a domain's service (one User ID `@D`,
/// signing only).
///
/// # Errors
/// The library that does the arithmetic refused, or `now` is past 2106.
pub fn generate(
    who: &Identity,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey, CertificateError> {
    let _ = rng;
    todo!("{who} {now}")
}

//! Room in memory for whole messages: signing and encrypting hold one several times. All of them
//! together have one budget; who finds it used up waits.

use email2_store::{BodyReader, StoreError};
use tokio::sync::SemaphorePermit;

use crate::site::Site;

/// Octets of the budget, in pieces of [`PIECE`].
pub(crate) const PIECES: usize = 256 * 1024 * 1024 / PIECE;

/// Octets of one piece.
const PIECE: usize = 64 * 1024;

/// How often a message stands in memory at the same time: as it came, as it is signed, as it is
/// encrypted, as it leaves.
const COPIES: u64 = 4;

/// Octets read at a time.
const STEP: usize = 64 * 1024;

/// Waits for room for a message of that size; it is given back when it is dropped.
pub(crate) async fn take(site: &Site, size: u64) -> Option<SemaphorePermit<'_>> {
    let octets = usize::try_from(size.saturating_mul(COPIES)).unwrap_or(usize::MAX);
    // A message larger than all of it waits until it is alone.
    let pieces = octets.div_ceil(PIECE).clamp(1, PIECES);
    let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
    site.departures.room.acquire_many(pieces).await.ok()
}

/// All octets of a body, for whom room was taken.
///
/// # Errors
/// The store failed.
pub(crate) async fn whole(reader: &dyn BodyReader) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    loop {
        let some = reader.read(octets.len() as u64, STEP).await?;
        if some.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&some);
    }
}

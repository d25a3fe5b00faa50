//! Whoever works on an entry holds a claim on it, with a lease: two workers never both decide
//! what became of it.

use email2_store::queue::Claimed;

use crate::site::Site;

/// How long a claim holds, seconds: longer than a delivery takes as a rule. A delivery that
/// outlives it is repeated, and stored once (spec §4.11).
const LEASE: u64 = 10 * 60;

/// Is the lease of this claim still running?
pub(super) fn holds(site: &Site, claim: &Claimed) -> bool {
    let until = claim.entry.leased_until;
    until.is_some_and(|until| site.world.now() < until)
}

/// At most `free` entries that are due; none when the store fails, which is said.
pub(super) async fn due(site: &Site, free: usize) -> Vec<Claimed> {
    let limit = u32::try_from(free).unwrap_or(u32::MAX);
    let claimed = site.store.claim(site.world.now(), LEASE, limit).await;
    claimed.unwrap_or_else(|error| {
        tracing::error!(%error, "the queue cannot be read");
        Vec::new()
    })
}

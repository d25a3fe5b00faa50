//! Whoever works on an entry holds a claim on it, with a lease: two workers never both decide
//! what became of it. A claim is renewed while its work goes on (spec §12.5.6).

use std::time::Duration;

use email2::address::Domain;
use email2_store::queue::Claimed;
use futures::future::{Either, select};

use crate::site::Site;

/// How long a claim holds without being renewed, seconds.
const LEASE: u64 = 10 * 60;

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(LEASE / 3);

/// At most `free` entries that are due; none when the store fails, which is said. Nothing is
/// written when nothing is due.
pub(super) async fn due(site: &Site, free: usize) -> Vec<Claimed> {
    let now = site.world.now();
    let limit = u32::try_from(free).unwrap_or(u32::MAX);
    if next(site).await.is_none_or(|next| next > now) {
        return Vec::new();
    }
    let claimed = site.store.claim(now, LEASE, limit).await;
    claimed.unwrap_or_else(|error| {
        tracing::error!(%error, "the queue cannot be read");
        Vec::new()
    })
}

/// The next entry of the domain, for who has just spoken with it; none when it bears no more now,
/// or the store fails, which is said.
pub(super) async fn next_of(site: &Site, domain: &Domain) -> Option<Claimed> {
    let claimed = site.store.claim_next(domain, site.world.now(), LEASE).await;
    claimed.unwrap_or_else(|error| {
        tracing::error!(%error, "the queue cannot be read");
        None
    })
}

/// When the next entry is due, Unix seconds.
pub(super) async fn next(site: &Site) -> Option<u64> {
    site.store.next_due().await.unwrap_or_else(|error| {
        tracing::error!(%error, "the queue cannot be read");
        None
    })
}

/// Does `work` as long as the claim holds; `None` when it was lost: another attempt has it.
pub(super) async fn while_held<T>(
    site: &Site,
    claim: &Claimed,
    work: impl Future<Output = T>,
) -> Option<T> {
    let (work, renewing) = (std::pin::pin!(work), std::pin::pin!(renew(site, claim)));
    match select(work, renewing).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

/// Renews the claim until it is lost.
async fn renew(site: &Site, claim: &Claimed) {
    loop {
        site.world.clock.sleep(RENEWAL).await;
        let until = site.world.now() + LEASE;
        match site.store.renew(claim.entry.id, claim.epoch, until).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "a claim could not be renewed"),
        }
    }
}

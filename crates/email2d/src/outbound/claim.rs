//! Whoever works on an entry holds a claim on it, with a lease: two workers never both decide
//! what became of it. A claim is renewed while its work goes on (spec §12.5.6).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use email2::address::Domain;
use email2_store::queue::{Claimed, QueueId};
use futures::future::{Either, select};

use crate::site::Site;

/// How long a claim holds without being renewed, seconds.
const LEASE: u64 = 10 * 60;

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(LEASE / 3);

/// What is worked on here. A lease goes by the wall clock, which may jump; who still works keeps
/// the claim.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<QueueId, Held>>);

/// A claim of ours.
#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: u64,
    /// When its lease ends, Unix seconds.
    until: u64,
}

impl UnderWay {
    fn begin(&self, claim: &Claimed) -> Mark<'_> {
        let (id, epoch) = (claim.entry.id, claim.epoch);
        let until = claim.entry.leased_until.unwrap_or_default();
        self.claims().insert(id, Held { epoch, until });
        Mark {
            under_way: self,
            id,
            epoch,
        }
    }

    fn renewed(&self, id: QueueId, epoch: u64, until: u64) {
        let mut claims = self.claims();
        if let Some(held) = claims.get_mut(&id).filter(|held| held.epoch == epoch) {
            held.until = until;
        }
    }

    /// Whose lease is over at `now`, with the epoch.
    fn over(&self, now: u64) -> Vec<(QueueId, u64)> {
        let claims = self.claims();
        let over = claims.iter().filter(|(_, held)| held.until <= now);
        over.map(|(id, held)| (*id, held.epoch)).collect()
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<QueueId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands as long as the work goes on.
struct Mark<'a> {
    under_way: &'a UnderWay,
    id: QueueId,
    epoch: u64,
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        let mut claims = self.under_way.claims();
        if claims
            .get(&self.id)
            .is_some_and(|held| held.epoch == self.epoch)
        {
            claims.remove(&self.id);
        }
    }
}

/// At most `free` entries that are due; none when the store fails, which is said. Nothing is
/// written when nothing is due.
pub(super) async fn due(site: &Site, free: usize) -> Vec<Claimed> {
    let now = site.world.now();
    let limit = u32::try_from(free).unwrap_or(u32::MAX);
    if next(site).await.is_none_or(|next| next > now) {
        return Vec::new();
    }
    keep(site, now).await;
    let claimed = site.store.claim(now, LEASE, limit).await;
    claimed.unwrap_or_else(|error| {
        tracing::error!(%error, "the queue cannot be read");
        Vec::new()
    })
}

/// The next entry of the domain, for who has just spoken with it; none when it bears no more now,
/// or the store fails, which is said.
pub(super) async fn next_of(site: &Site, domain: &Domain) -> Option<Claimed> {
    let now = site.world.now();
    keep(site, now).await;
    let claimed = site.store.claim_next(domain, now, LEASE).await;
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

/// Before anything is claimed at `now`: what is still worked on here is not claimed anew, though
/// its lease is over because the clock jumped.
async fn keep(site: &Site, now: u64) {
    for (id, epoch) in site.departures.under_way.over(now) {
        prolong(site, id, epoch, now).await;
    }
}

/// Does `work` as long as the claim holds; `None` when it was lost: another attempt has it.
pub(super) async fn while_held<T>(
    site: &Site,
    claim: &Claimed,
    work: impl Future<Output = T>,
) -> Option<T> {
    let _mark = site.departures.under_way.begin(claim);
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
        let now = site.world.now();
        if !prolong(site, claim.entry.id, claim.epoch, now).await {
            return;
        }
    }
}

/// Renews a claim at `now`; `false` when it was lost. That the store fails is said.
async fn prolong(site: &Site, id: QueueId, epoch: u64, now: u64) -> bool {
    let until = now + LEASE;
    match site.store.renew(id, epoch, until).await {
        Ok(true) => site.departures.under_way.renewed(id, epoch, until),
        Ok(false) => return false,
        Err(error) => tracing::warn!(%error, "a claim could not be renewed"),
    }
    true
}

//! ORCHESTRATOR, outgoing: mail that this server carries on, sealed or ordinary.
//!
//! `enqueue → claim → route → (protect → seal → keep) → deliver → settle (→ dsn)`; the first step
//! is taken while the message comes in, the others by whoever holds the claim. A crash at any
//! point loses nothing: an entry stays until it is settled, and a delivery repeated is stored once
//! (spec §4.11).

pub(crate) mod enqueue;

mod claim;
pub(crate) mod route;

mod keys;
mod prepare;
pub(crate) mod protect;
pub(crate) mod room;
mod seal;

mod again;
mod rekey;

mod behind;
mod deliver;
pub(crate) mod dkim;
mod local;

mod settle;

pub(crate) mod words;

pub(crate) mod dsn;

use std::sync::Arc;
use std::time::Duration;

use email2_store::StoreError;
use email2_store::queue::Claimed;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use prepare::Prepared;

use crate::site::Site;

/// Deliveries under way at once; the store sees to it that no domain has more than its share
/// (spec §12.5.4).
const IN_FLIGHT: usize = 128;
/// How often the queue is looked at when nothing wakes its worker: other programs put mail into
/// it too. Only looked at: nothing is written while nothing is due.
const EVERY: Duration = Duration::from_secs(15);
/// What is due and cannot be claimed is not asked for more often than this.
const AT_LEAST: Duration = Duration::from_secs(1);

/// Wakes the worker.
#[derive(Debug)]
pub(crate) struct Departures {
    /// For whole messages, where they are protected (see [`room`]).
    pub(crate) room: Semaphore,
    wake: Notify,
}

impl Default for Departures {
    fn default() -> Departures {
        Departures {
            room: Semaphore::new(room::PIECES),
            wake: Notify::default(),
        }
    }
}

impl Departures {
    /// Something is due now, or a place is free.
    pub(crate) fn announce(&self) {
        self.wake.notify_one();
    }
}

/// Whoever served from this store before is gone, and so are their claims (spec §12.5.6).
///
/// # Errors
/// The store fails.
pub(crate) async fn take_over(site: &Site) -> Result<(), StoreError> {
    let ended = site.store.end_leases(site.world.now()).await?;
    if ended > 0 {
        tracing::info!(ended, "deliveries that were cut off are tried again");
    }
    Ok(())
}

/// Carries on what is due, until the server stops. What is under way then ends by itself, or is
/// claimed again when its lease is over.
pub(crate) async fn run(site: Arc<Site>, stop: CancellationToken, tasks: TaskTracker) {
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    while !stop.is_cancelled() {
        let Ok(first) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let claimed = claim::due(&site, slots.available_permits() + 1).await;
        drop(first);
        let idle = claimed.is_empty();
        for claim in claimed {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let site = Arc::clone(&site);
            tasks.spawn(async move {
                let carried = claim::while_held(&site, &claim, carry(&site, &claim)).await;
                if carried.is_none() {
                    tracing::warn!(id = claim.entry.id.0, "a claim was lost");
                }
                drop(slot);
                site.departures.announce();
            });
        }
        if idle {
            stop.run_until_cancelled(pause(&site)).await;
        }
    }
}

/// The path of one entry.
async fn carry(site: &Arc<Site>, claim: &Claimed) {
    let route = route::of(site, claim).await;
    let outcomes = match prepare::once(site, claim, &route).await {
        Prepared::Ready => deliver::attempt(site, &claim.entry, &route).await,
        Prepared::Replaced => return,
        Prepared::Waits(outcomes) => outcomes,
    };
    let settled = settle::settle(site, claim, &outcomes).await;
    if let Err(error) = settled {
        tracing::error!(%error, "a delivery could not be written down; it is repeated");
    }
}

/// Until something is due, or somebody says that it is.
async fn pause(site: &Site) {
    let now = site.world.now();
    let next = claim::next(site).await;
    let until = next.map_or(EVERY, |next| Duration::from_secs(next.saturating_sub(now)));
    tokio::select! {
        () = site.world.clock.sleep(until.clamp(AT_LEAST, EVERY)) => {}
        () = site.departures.wake.notified() => {}
    }
}

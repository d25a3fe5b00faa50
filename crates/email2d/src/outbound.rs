//! ORCHESTRATOR, outgoing: sealed mail that this server carries on for its users.
//!
//! `enqueue → claim → deliver → settle (→ dsn)`; the first step is taken while the message
//! comes in, the others by whoever holds the claim. A crash at any point loses nothing: an entry
//! stays until it is settled, and a delivery repeated is stored once (spec §4.11).

pub(crate) mod enqueue;

mod claim;
mod deliver;
mod settle;

mod dsn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::address::Domain;
use email2_store::queue::Claimed;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::site::Site;

/// Deliveries under way at once.
const IN_FLIGHT: usize = 64;
/// Deliveries under way at once to one domain.
const IN_FLIGHT_TO_A_DOMAIN: usize = 4;
/// How often the queue is looked at when nothing wakes its worker.
const EVERY: Duration = Duration::from_secs(15);

/// Wakes the worker, and lets only so many leave for one domain.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    wake: Notify,
    gates: Mutex<BTreeMap<Domain, Arc<Semaphore>>>,
}

impl Departures {
    /// Something is due now.
    pub(crate) fn announce(&self) {
        self.wake.notify_one();
    }

    /// The gate of a domain. Gates that nobody waits at are forgotten.
    fn gate(&self, domain: &Domain) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let gate = gates
            .entry(domain.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(IN_FLIGHT_TO_A_DOMAIN)));
        Arc::clone(gate)
    }
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
                carry(&site, claim).await;
                drop(slot);
            });
        }
        if idle {
            stop.run_until_cancelled(pause(&site)).await;
        }
    }
}

/// The path of one entry.
async fn carry(site: &Site, claim: Claimed) {
    let gate = site.departures.gate(&claim.entry.domain);
    let Ok(_turn) = gate.acquire().await else {
        return;
    };
    // Who waited longer than the lease has lost the claim: another attempt has it, or will.
    if !claim::holds(site, &claim) {
        return;
    }
    let outcomes = deliver::attempt(site, &claim.entry).await;
    let settled = settle::settle(site, claim, &outcomes).await;
    if let Err(error) = settled {
        tracing::error!(%error, "a delivery could not be written down; it is repeated");
    }
}

async fn pause(site: &Site) {
    tokio::select! {
        () = site.world.clock.sleep(EVERY) => {}
        () = site.departures.wake.notified() => {}
    }
}

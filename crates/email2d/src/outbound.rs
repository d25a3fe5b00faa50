//! ORCHESTRATOR, outgoing: mail that this server carries on, sealed or ordinary.
//!
//! `enqueue → claim → route → (protect → seal → keep) → deliver → settle (→ dsn)`; the first step
//! is taken while the message comes in, the others by whoever holds the claim. Who was taken
//! goes on with the next entry of the domain, over the same dialogue. A crash at any
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
mod reauthor;

mod settle;

pub(crate) mod words;

pub(crate) mod dsn;

use std::sync::Arc;
use std::time::Duration;

use email2_remote::{Line, Outcome};
use email2_store::StoreError;
use email2_store::queue::{Claimed, Settlement};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use prepare::Prepared;

use crate::site::Site;

/// Deliveries under way at once; the store sees to it that no domain has more than its share
/// (spec §12.5.4).
const IN_FLIGHT: usize = 128;
/// Entries carried one after the other over one dialogue: then other domains have their turn.
const IN_A_ROW: usize = 100;
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
    under_way: claim::UnderWay,
    wake: Notify,
}

impl Default for Departures {
    fn default() -> Departures {
        Departures {
            room: Semaphore::new(room::PIECES),
            under_way: claim::UnderWay::default(),
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
            let (site, stop) = (Arc::clone(&site), stop.clone());
            tasks.spawn(async move {
                follow(&site, claim, &stop).await;
                drop(slot);
                site.departures.announce();
            });
        }
        if idle {
            stop.run_until_cancelled(pause(&site)).await;
        }
    }
}

/// Carries an entry, and then others of its domain as long as they are taken.
async fn follow(site: &Arc<Site>, first: Claimed, stop: &CancellationToken) {
    let mut line = Line::default();
    let mut next = Some(first);
    for left in (0..IN_A_ROW).rev() {
        let Some(claim) = next.take() else { break };
        let goes_on = left > 0 && !stop.is_cancelled();
        let carrying = carry(site, &claim, &mut line, goes_on);
        match claim::while_held(site, &claim, carrying).await {
            Some(following) => next = following,
            None => tracing::warn!(id = claim.entry.id.0, "a claim was lost"),
        }
    }
    site.remote.hang_up(line);
}

/// The path of one entry; the next one of its domain, where one `goes_on`.
async fn carry(
    site: &Arc<Site>,
    claim: &Claimed,
    line: &mut Line,
    goes_on: bool,
) -> Option<Claimed> {
    let route = route::of(site, claim).await;
    let outcomes = match prepare::once(site, claim, &route).await {
        Prepared::Ready => deliver::attempt(site, &claim.entry, &route, line).await,
        Prepared::Replaced(settlement) => return written(site, claim, *settlement, goes_on).await,
        Prepared::Waits(outcomes) => outcomes,
    };
    let took = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::Accepted(_));
    let goes_on = goes_on && outcomes.iter().any(took);
    match settle::settlement(site, claim, &outcomes).await {
        Ok(settlement) => written(site, claim, settlement, goes_on).await,
        Err(error) => {
            tracing::error!(%error, "{REPEATED}");
            None
        }
    }
}

/// What is said when it is not known to the store what became of an entry.
const REPEATED: &str = "a delivery could not be written down; it is repeated";

/// Writes down what became of an entry; the next one is claimed behind that, with the same fsync.
async fn written(
    site: &Site,
    claim: &Claimed,
    settlement: Settlement,
    goes_on: bool,
) -> Option<Claimed> {
    // Now more than this one may go: to a domain that took nothing before, or what was made here.
    let opens = claim.domain.accepted.is_none() || claim.domain.failures > 0;
    let opens = opens || !settlement.onward.is_empty();
    let next = async {
        match goes_on {
            true => claim::next_of(site, &claim.entry.domain).await,
            false => None,
        }
    };
    let (settled, next) = futures::join!(site.store.settle(vec![settlement]), next);
    if let Err(error) = settled {
        tracing::error!(%error, "{REPEATED}");
    }
    if opens {
        site.departures.announce();
    }
    next
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

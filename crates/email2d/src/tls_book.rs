//! How TLS with other domains' hosts went, counted in memory and written down now and then: what
//! a crash takes with it are numbers of the last hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2_io::Clock;
use email2_remote::TlsSeen;
use email2_store::{Store, TlsCount};

/// Different things that are counted before they are written down; what is new beyond is not.
const DIFFERENT: usize = 10_000;

const DAY: u64 = 24 * 60 * 60;

/// The counts that are not written down yet.
#[derive(Debug)]
pub(crate) struct TlsBook {
    clock: Arc<dyn Clock>,
    counts: Mutex<BTreeMap<(u64, TlsSeen), u64>>,
}

impl TlsBook {
    /// An empty one.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        TlsBook {
            clock,
            counts: Mutex::default(),
        }
    }

    /// Counts one session.
    pub(crate) fn note(&self, seen: TlsSeen) {
        let day = self.clock.now() / DAY;
        let mut counts = self.counts();
        let key = (day, seen);
        if counts.len() < DIFFERENT || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// Writes down what was counted; where that fails it is lost, which is said.
    pub(crate) async fn write_down(&self, store: &Store) {
        let counts = std::mem::take(&mut *self.counts());
        let rows = counts.into_iter().map(|((day, seen), count)| TlsCount {
            day,
            domain: seen.domain.to_string(),
            policy: seen.policy.to_owned(),
            host: seen.host,
            result: seen.result.to_owned(),
            count,
        });
        let rows: Vec<TlsCount> = rows.collect();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = store.count_tls(rows).await {
            tracing::warn!(%error, "how TLS went could not be written down");
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<(u64, TlsSeen), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

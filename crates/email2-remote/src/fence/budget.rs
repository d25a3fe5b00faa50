//! Budgets for lookups that strangers cause (spec §2.7.3, §8.1): in flight for a domain, a
//! minute for a domain, in flight for a source, in flight in all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::{Domain, limits};
use email2_io::Clock;
use email2_io::limit::SourcePrefix;

use super::FenceError;

const MINUTE: Duration = Duration::from_secs(60);

/// Domains whose minute is remembered at once; beyond, all minutes are forgotten.
const DOMAINS: usize = 4096;

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    sources: HashMap<SourcePrefix, usize>,
    domains: HashMap<Domain, usize>,
    minutes: HashMap<Domain, VecDeque<Duration>>,
}

/// The budgets.
#[derive(Debug)]
pub struct Budget {
    clock: Arc<dyn Clock>,
    counts: Arc<Mutex<Counts>>,
}

/// One lookup's place in the budgets; dropping it gives it back.
#[derive(Debug)]
pub struct Charge {
    domain: Domain,
    source: Option<SourcePrefix>,
    counts: Arc<Mutex<Counts>>,
}

impl Budget {
    /// Budgets as spec §8.1 has them.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Budget {
            clock,
            counts: Arc::default(),
        }
    }

    /// A place for a lookup at `domain` that `source` causes; `known`: the domain is known to
    /// speak Email 2.0, so that its number a minute counts failures only.
    ///
    /// # Errors
    /// [`FenceError::Busy`].
    pub fn charge(
        &self,
        domain: &Domain,
        source: Option<SourcePrefix>,
        known: bool,
    ) -> Result<Charge, FenceError> {
        let now = self.clock.monotonic();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.has_room(domain, source, known, now) {
            return Err(FenceError::Busy);
        }
        counts.add(domain, source);
        if !known {
            counts.note(domain, now);
        }
        Ok(Charge {
            domain: domain.clone(),
            source,
            counts: Arc::clone(&self.counts),
        })
    }

    /// A KEY at a known domain failed: 60 of them a minute are borne.
    pub fn failed(&self, domain: &Domain) {
        let now = self.clock.monotonic();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.note(domain, now);
    }
}

impl Counts {
    fn has_room(
        &mut self,
        domain: &Domain,
        source: Option<SourcePrefix>,
        known: bool,
        now: Duration,
    ) -> bool {
        let (in_flight, in_minute) = if known {
            (limits::KEYS_OUTSTANDING, limits::FAILING_KEYS_MINUTE)
        } else {
            (
                limits::LOOKUPS_UNKNOWN_DOMAIN,
                limits::LOOKUPS_UNKNOWN_DOMAIN_MINUTE,
            )
        };
        let share = limits::LOOKUPS_TOTAL / limits::BUDGET_SHARE;
        let of_source = source.and_then(|source| self.sources.get(&source));
        self.total < limits::LOOKUPS_TOTAL
            && of_source.is_none_or(|held| *held < share)
            && self
                .domains
                .get(domain)
                .is_none_or(|held| *held < in_flight)
            && self.in_minute(domain, now) < in_minute
    }

    fn in_minute(&mut self, domain: &Domain, now: Duration) -> usize {
        let Some(times) = self.minutes.get_mut(domain) else {
            return 0;
        };
        times.retain(|time| now.saturating_sub(*time) < MINUTE);
        times.len()
    }

    fn add(&mut self, domain: &Domain, source: Option<SourcePrefix>) {
        self.total += 1;
        *self.domains.entry(domain.clone()).or_default() += 1;
        if let Some(source) = source {
            *self.sources.entry(source).or_default() += 1;
        }
    }

    fn note(&mut self, domain: &Domain, now: Duration) {
        if self.minutes.len() >= DOMAINS {
            self.minutes.clear();
        }
        let times = self.minutes.entry(domain.clone()).or_default();
        times.push_back(now);
        if times.len() > limits::FAILING_KEYS_MINUTE {
            times.pop_front();
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        release(&mut counts.domains, &self.domain);
        if let Some(source) = &self.source {
            release(&mut counts.sources, source);
        }
    }
}

fn release<K: std::hash::Hash + Eq>(held: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = held.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            held.remove(key);
        }
    }
}

//! Budgets for lookups that strangers cause (spec §2.7.3, §8.1): in flight for a domain, for a
//! source and in all; a minute for a domain that is not known, and failing for one that is.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use email2::{Domain, limits};
use email2_io::Clock;
use email2_io::limit::SourcePrefix;

use super::FenceError;

const MINUTE: Duration = Duration::from_secs(60);

/// Subjects whose minute is remembered at once; beyond, all minutes are forgotten.
const MINUTES: usize = 4096;

/// Lookups in flight that one source holds at most.
const OF_SOURCE: usize = limits::LOOKUPS_TOTAL / limits::BUDGET_SHARE;

/// Failing KEYs a minute at one known domain that one source may cause.
const FAILING_OF_SOURCE: usize = limits::FAILING_KEYS_MINUTE / limits::BUDGET_SHARE;

/// What a minute is counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Domain(Domain),
    SourceAt(SourcePrefix, Domain),
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    sources: HashMap<SourcePrefix, usize>,
    domains: HashMap<Domain, usize>,
    minutes: HashMap<Subject, VecDeque<Duration>>,
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
    source: SourcePrefix,
    known: bool,
    clock: Arc<dyn Clock>,
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
        source: SourcePrefix,
        known: bool,
    ) -> Result<Charge, FenceError> {
        let now = self.clock.monotonic();
        let mut counts = lock(&self.counts);
        if !counts.has_room(domain, source, known, now) {
            return Err(FenceError::Busy);
        }
        counts.total += 1;
        *counts.domains.entry(domain.clone()).or_default() += 1;
        *counts.sources.entry(source).or_default() += 1;
        if !known {
            counts.note(Subject::Domain(domain.clone()), now);
        }
        Ok(Charge {
            domain: domain.clone(),
            source,
            known,
            clock: Arc::clone(&self.clock),
            counts: Arc::clone(&self.counts),
        })
    }
}

impl Charge {
    /// The lookup found no key: a known domain bears 60 of these a minute, of which one source
    /// causes at most its share, so that no stranger uses up what others need.
    pub fn failed(&self) {
        if self.known {
            let now = self.clock.monotonic();
            let mut counts = lock(&self.counts);
            counts.note(Subject::Domain(self.domain.clone()), now);
            counts.note(Subject::SourceAt(self.source, self.domain.clone()), now);
        }
    }
}

impl Counts {
    fn has_room(
        &mut self,
        domain: &Domain,
        source: SourcePrefix,
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
        self.total < limits::LOOKUPS_TOTAL
            && self
                .sources
                .get(&source)
                .is_none_or(|held| *held < OF_SOURCE)
            && self
                .domains
                .get(domain)
                .is_none_or(|held| *held < in_flight)
            && self.in_minute(&Subject::Domain(domain.clone()), now) < in_minute
            && self.in_minute(&Subject::SourceAt(source, domain.clone()), now) < FAILING_OF_SOURCE
    }

    fn in_minute(&mut self, subject: &Subject, now: Duration) -> usize {
        let Some(times) = self.minutes.get_mut(subject) else {
            return 0;
        };
        times.retain(|time| now.saturating_sub(*time) < MINUTE);
        times.len()
    }

    fn note(&mut self, subject: Subject, now: Duration) {
        if self.minutes.len() >= MINUTES {
            self.minutes.clear();
        }
        let times = self.minutes.entry(subject).or_default();
        times.push_back(now);
        if times.len() > limits::FAILING_KEYS_MINUTE {
            times.pop_front();
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.total = counts.total.saturating_sub(1);
        release(&mut counts.domains, &self.domain);
        release(&mut counts.sources, &self.source);
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn release<K: Hash + Eq>(held: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = held.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            held.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn source(last: u8) -> SourcePrefix {
        SourcePrefix::wide([192, 0, 2, last].into())
    }

    #[test]
    fn one_source_holds_a_sixteenth() {
        let budget = Budget::new(Arc::new(SystemClock::new()));
        let charge = |number: usize, last| {
            budget.charge(&domain(&format!("d{number}.example")), source(last), false)
        };
        let held: Vec<_> = (0..16).map(|number| charge(number, 1)).collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(charge(16, 1).err(), Some(FenceError::Busy));
        assert!(charge(16, 2).is_ok());
        drop(held);
        assert!(charge(17, 1).is_ok());
    }

    #[test]
    fn a_source_that_fails_often_is_not_all_sources() {
        let budget = Budget::new(Arc::new(SystemClock::new()));
        let known = domain("example.org");
        for _ in 0..FAILING_OF_SOURCE {
            budget.charge(&known, source(1), true).unwrap().failed();
        }
        assert!(budget.charge(&known, source(1), true).is_err());
        assert!(budget.charge(&known, source(2), true).is_ok());
        assert!(
            budget
                .charge(&domain("example.com"), source(1), true)
                .is_ok()
        );
        for last in 2..=limits::BUDGET_SHARE as u8 + 4 {
            for _ in 0..FAILING_OF_SOURCE {
                if let Ok(charge) = budget.charge(&known, source(last), true) {
                    charge.failed();
                }
            }
        }
        assert!(budget.charge(&known, source(99), true).is_err());
    }

    #[test]
    fn an_unknown_domain_is_asked_ten_times_a_minute() {
        let budget = Budget::new(Arc::new(SystemClock::new()));
        let unknown = domain("example.org");
        for _ in 0..limits::LOOKUPS_UNKNOWN_DOMAIN_MINUTE {
            assert!(budget.charge(&unknown, source(1), false).is_ok());
        }
        assert!(budget.charge(&unknown, source(2), false).is_err());
    }
}

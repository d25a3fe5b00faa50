//! Failed logins per source, and per account for sources that never logged in to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::limits;

use super::SourcePrefix;
use crate::clock::Clock;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sources and accounts remembered at once; beyond, the oldest memory goes.
const REMEMBERED: usize = 10_000;

/// How many failures are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthLimits {
    /// Failures in a minute.
    pub per_minute: usize,
    /// Failures in a day.
    pub per_day: usize,
}

impl Default for AuthLimits {
    fn default() -> Self {
        AuthLimits {
            per_minute: limits::AUTH_FAILURES_MINUTE,
            per_day: limits::AUTH_FAILURES_DAY,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Source(SourcePrefix),
    Account(String),
}

#[derive(Debug, Default)]
struct Memory {
    failures: HashMap<Subject, VecDeque<Duration>>,
    order: VecDeque<Subject>,
    friends: HashSet<(SourcePrefix, String)>,
}

/// Counts failed logins (spec §8.1): 10 a minute and 50 a day per prefix, and per account only
/// for prefixes that never logged in to it, so that strangers cannot lock an owner out.
#[derive(Debug)]
pub struct AuthBudget {
    limits: AuthLimits,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

impl AuthBudget {
    /// A budget with `limits`.
    #[must_use]
    pub fn new(limits: AuthLimits, clock: Arc<dyn Clock>) -> Self {
        AuthBudget {
            limits,
            clock,
            memory: Mutex::default(),
        }
    }

    /// Whether a login to `account` from `address` may be tried at all.
    #[must_use]
    pub fn may_try(&self, address: IpAddr, account: &str) -> bool {
        let source = SourcePrefix::narrow(address);
        let now = self.clock.monotonic();
        let mut memory = self.lock();
        if !memory.within(&Subject::Source(source), self.limits, now) {
            return false;
        }
        memory.friends.contains(&(source, account.to_owned()))
            || memory.within(&Subject::Account(account.to_owned()), self.limits, now)
    }

    /// A login to `account` from `address` failed.
    pub fn failed(&self, address: IpAddr, account: &str) {
        let source = SourcePrefix::narrow(address);
        let now = self.clock.monotonic();
        let mut memory = self.lock();
        memory.add(Subject::Source(source), self.limits, now);
        if !memory.friends.contains(&(source, account.to_owned())) {
            memory.add(Subject::Account(account.to_owned()), self.limits, now);
        }
    }

    /// A login to `account` from `address` succeeded: failures of others no longer hinder it.
    pub fn succeeded(&self, address: IpAddr, account: &str) {
        let mut memory = self.lock();
        if memory.friends.len() >= REMEMBERED {
            memory.friends.clear();
        }
        let friend = (SourcePrefix::narrow(address), account.to_owned());
        memory.friends.insert(friend);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn within(&mut self, subject: &Subject, limits: AuthLimits, now: Duration) -> bool {
        let Some(times) = self.failures.get_mut(subject) else {
            return true;
        };
        times.retain(|time| now.saturating_sub(*time) < DAY);
        let recent = times
            .iter()
            .filter(|time| now.saturating_sub(**time) < MINUTE)
            .count();
        recent < limits.per_minute && times.len() < limits.per_day
    }

    fn add(&mut self, subject: Subject, limits: AuthLimits, now: Duration) {
        if !self.failures.contains_key(&subject) {
            self.order.push_back(subject.clone());
            self.forget_the_oldest();
        }
        let times = self.failures.entry(subject).or_default();
        times.push_back(now);
        if times.len() > limits.per_day {
            times.pop_front();
        }
    }

    fn forget_the_oldest(&mut self) {
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.failures.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn strangers_do_not_lock_the_owner_out() {
        let budget = AuthBudget::new(AuthLimits::default(), Arc::new(SystemClock::new()));
        let owner: IpAddr = "192.0.2.1".parse().unwrap();
        budget.succeeded(owner, "bob@example.org");
        for host in 0..12u8 {
            let stranger: IpAddr = [198, 51, 100, host].into();
            budget.failed(stranger, "bob@example.org");
        }
        let another: IpAddr = "203.0.113.9".parse().unwrap();
        assert!(!budget.may_try(another, "bob@example.org"));
        assert!(budget.may_try(owner, "bob@example.org"));
        assert!(budget.may_try(another, "alice@example.org"));
    }

    #[test]
    fn a_source_has_ten_a_minute() {
        let budget = AuthBudget::new(AuthLimits::default(), Arc::new(SystemClock::new()));
        let guesser: IpAddr = "192.0.2.1".parse().unwrap();
        for account in 0..10 {
            assert!(budget.may_try(guesser, &account.to_string()));
            budget.failed(guesser, &account.to_string());
        }
        assert!(!budget.may_try(guesser, "another"));
    }
}

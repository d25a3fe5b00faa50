//! Failures and absences, kept for a short while: hickory forgets failures at once and does not
//! keep validated absences, and so would ask again for every message (RFC 2308 §7, RFC 9520).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::limits;

use super::DnsError;
use crate::clock::Clock;

/// Absences are kept no longer than this (spec §3.8).
const ABSENCE: Duration = Duration::from_secs(limits::NEGATIVE_TTL);

/// Absences whose zone gives no time are kept so long.
const ABSENCE_WITHOUT_SOA: Duration = Duration::from_secs(10);

/// A failure is kept so long, then twice as long each time, up to [`FAILURE_MOST`].
const FAILURE: Duration = Duration::from_secs(5);

/// The longest that a failure is kept (RFC 9520 §3.2).
const FAILURE_MOST: Duration = Duration::from_secs(60);

/// After an answer, an unproved NXDOMAIN within this time is at first taken for a failure: broken
/// delegations have been seen to turn working names into "does not exist".
const WORKED_RECENTLY: Duration = Duration::from_secs(300);

/// Entries at most; beyond, everything is forgotten.
const ENTRIES: usize = 4096;

/// A name in lower case, and the number of a record type.
pub(super) type Key = (String, u16);

#[derive(Debug, Default)]
struct Memory {
    failures: HashMap<Key, Failure>,
    worked: HashMap<Key, Duration>,
}

#[derive(Debug)]
struct Failure {
    error: DnsError,
    until: Duration,
    kept: Duration,
}

/// Remembers what was not found.
#[derive(Debug)]
pub(super) struct FailureCache {
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

impl FailureCache {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        FailureCache {
            clock,
            memory: Mutex::default(),
        }
    }

    /// The failure still remembered for `key`.
    pub(super) fn remembered(&self, key: &Key) -> Option<DnsError> {
        let now = self.clock.monotonic();
        let memory = self.lock();
        let failure = memory.failures.get(key)?;
        (now < failure.until).then_some(failure.error)
    }

    /// A lookup of `key` found something.
    pub(super) fn worked(&self, key: &Key) {
        let now = self.clock.monotonic();
        let mut memory = self.lock();
        memory.failures.remove(key);
        bound(&mut memory.worked);
        memory.worked.insert(key.clone(), now);
    }

    /// A lookup of `key` failed with `error`, which its zone lets keep for `ttl` seconds. Returns
    /// what to tell: `error`, or a failure where an absence is not believed yet.
    pub(super) fn failed(&self, key: Key, error: DnsError, ttl: Option<u32>) -> DnsError {
        let now = self.clock.monotonic();
        let mut memory = self.lock();
        if let Some(error) = memory.is_failing(&key, now) {
            // Others asked at the same time: it is one failure, and the same for all.
            return error;
        }
        let error = if memory.is_doubtful(&key, error, now) {
            // Believed the next time: this time it goes by as a failure.
            memory.worked.remove(&key);
            DnsError::ServFail
        } else {
            error
        };
        let kept = if error.is_absence() {
            ttl.map_or(ABSENCE_WITHOUT_SOA, |ttl| Duration::from_secs(ttl.into()))
                .min(ABSENCE)
        } else {
            let before = memory.failures.get(&key).map(|failure| failure.kept);
            before.map_or(FAILURE, |kept| (kept * 2).clamp(FAILURE, FAILURE_MOST))
        };
        bound(&mut memory.failures);
        let until = now + kept;
        memory.failures.insert(key, Failure { error, until, kept });
        error
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// A failure, no absence, that still counts.
    fn is_failing(&self, key: &Key, now: Duration) -> Option<DnsError> {
        let failure = self.failures.get(key)?;
        let counts = now < failure.until && !failure.error.is_absence();
        counts.then_some(failure.error)
    }

    fn is_doubtful(&self, key: &Key, error: DnsError, now: Duration) -> bool {
        matches!(error, DnsError::NxDomain { secure: false })
            && self
                .worked
                .get(key)
                .is_some_and(|at| now.saturating_sub(*at) < WORKED_RECENTLY)
    }
}

fn bound<V>(map: &mut HashMap<Key, V>) {
    if map.len() >= ENTRIES {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn key() -> Key {
        ("example.org".to_owned(), 15)
    }

    #[test]
    fn a_failure_is_remembered_for_a_moment() {
        let cache = FailureCache::new(Arc::new(SystemClock::new()));
        assert_eq!(cache.remembered(&key()), None);
        cache.failed(key(), DnsError::ServFail, None);
        assert_eq!(cache.remembered(&key()), Some(DnsError::ServFail));
        cache.worked(&key());
        assert_eq!(cache.remembered(&key()), None);
    }

    /// A clock that a test sets.
    #[derive(Debug, Default)]
    struct At(Mutex<Duration>);

    impl Clock for At {
        fn now(&self) -> u64 {
            self.monotonic().as_secs()
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, _: Duration) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_name_that_just_worked_does_not_vanish_at_once() {
        let clock = Arc::new(At::default());
        let cache = FailureCache::new(Arc::<At>::clone(&clock));
        let gone = DnsError::NxDomain { secure: false };
        cache.worked(&key());
        for _ in 0..3 {
            // Several who asked at the same time hear the same.
            assert_eq!(cache.failed(key(), gone, Some(60)), DnsError::ServFail);
        }
        *clock.0.lock().unwrap() += FAILURE;
        assert_eq!(cache.failed(key(), gone, Some(60)), gone);
        let proved = DnsError::NxDomain { secure: true };
        cache.worked(&key());
        assert_eq!(cache.failed(key(), proved, Some(60)), proved);
    }

    #[test]
    fn an_absence_with_ttl_zero_is_asked_again() {
        let cache = FailureCache::new(Arc::new(SystemClock::new()));
        cache.failed(key(), DnsError::NoData { secure: false }, Some(0));
        assert_eq!(cache.remembered(&key()), None);
    }
}

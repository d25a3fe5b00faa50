//! Simulated time: it stands still while anybody has something to do, then jumps to the next
//! moment that somebody waits for.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use email2_io::Clock;
use futures::future::BoxFuture;

/// Unix time at which every simulation begins: within the validity of all certificates.
pub const EPOCH: u64 = 1_800_000_000;

/// The time of one simulation; clones are the same time.
#[derive(Clone, Debug, Default)]
pub struct SimTime(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: Duration,
    next: u64,
    /// By moment, then by who came first.
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl SimTime {
    /// Time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.lock().now
    }

    /// Completes at `moment`.
    #[must_use]
    pub fn until(&self, moment: Duration) -> Until {
        Until {
            time: self.clone(),
            moment,
            key: None,
        }
    }

    /// The next moment that somebody waits for.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.lock().waiting.keys().next().map(|(moment, _)| *moment)
    }

    /// Jumps to the next moment that somebody waits for, and wakes all who wait for it; false
    /// when nobody waits.
    pub fn advance(&self) -> bool {
        let mut woken = Vec::new();
        {
            let mut state = self.lock();
            let Some((&(moment, _), _)) = state.waiting.first_key_value() else {
                return false;
            };
            state.now = state.now.max(moment);
            while let Some(first) = state.waiting.first_entry() {
                if first.key().0 > moment {
                    break;
                }
                woken.push(first.remove());
            }
        }
        woken.into_iter().for_each(Waker::wake);
        true
    }

    /// Jumps to `moment`, before which nobody waits for anything.
    pub fn jump(&self, moment: Duration) {
        let mut state = self.lock();
        state.now = state.now.max(moment);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a moment.
#[derive(Debug)]
pub struct Until {
    time: SimTime,
    moment: Duration,
    key: Option<(Duration, u64)>,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut state = time.lock();
        if let Some(key) = self.key.take() {
            state.waiting.remove(&key);
        }
        if state.now >= self.moment {
            return Poll::Ready(());
        }
        let key = (self.moment, state.next);
        state.next += 1;
        state.waiting.insert(key, context.waker().clone());
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.time.lock().waiting.remove(&key);
        }
    }
}

/// The clock of one host: simulated time, and how far its owner set it wrong.
#[derive(Debug)]
pub struct HostClock {
    time: SimTime,
    /// Seconds ahead of the true time.
    ahead: i64,
}

impl HostClock {
    /// A clock that is `ahead` seconds ahead of the true time.
    #[must_use]
    pub fn new(time: SimTime, ahead: i64) -> HostClock {
        HostClock { time, ahead }
    }
}

impl Clock for HostClock {
    fn now(&self) -> u64 {
        (EPOCH + self.time.now().as_secs()).saturating_add_signed(self.ahead)
    }

    fn monotonic(&self) -> Duration {
        self.time.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.time.until(self.time.now().saturating_add(duration)))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn time_jumps_to_the_next_moment_that_is_waited_for() {
        let time = SimTime::default();
        let clock = HostClock::new(time.clone(), -60);
        let mut long = clock.sleep(Duration::from_secs(3600));
        let mut short = clock.sleep(Duration::from_secs(5));
        assert!((&mut long).now_or_never().is_none() && (&mut short).now_or_never().is_none());
        assert!(time.advance());
        assert_eq!(time.now(), Duration::from_secs(5));
        assert_eq!(clock.now(), EPOCH - 55);
        assert!(short.now_or_never().is_some());
        drop(long);
        assert!(!time.advance(), "nobody waits any more");
    }
}

//! The clock: wall time, monotonic time, sleeping.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;

/// Tells the time and waits.
pub trait Clock: Debug + Send + Sync {
    /// Unix time in seconds.
    fn now(&self) -> u64;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The time given was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct Elapsed;

/// Runs `future`, but no longer than `limit` by `clock`. What is there at once costs no timer.
///
/// # Errors
/// [`Elapsed`] when the limit passed first; the future is dropped.
pub async fn within<F: Future>(
    clock: &dyn Clock,
    limit: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    let (mut future, mut timer) = (pin!(future), None);
    let either = poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        let timer = timer.get_or_insert_with(|| clock.sleep(limit));
        timer.as_mut().poll(context).map(|()| Err(Elapsed))
    });
    either.await
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock of the world")]
    pub fn new() -> Self {
        SystemClock {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock of the world")]
    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock of the world")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Another clock, with its wall time moved: a client adopts the offset of its own authenticated
/// server (spec §4.9.3), and a test plays with time.
#[derive(Debug)]
pub struct ShiftedClock {
    inner: Arc<dyn Clock>,
    offset: AtomicI64,
}

impl ShiftedClock {
    /// `inner`, not moved yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Clock>) -> Self {
        ShiftedClock {
            inner,
            offset: AtomicI64::new(0),
        }
    }

    /// Moves wall time to `offset` seconds from the inner clock's.
    pub fn shift(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> u64 {
        self.inner
            .now()
            .saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn within_ends_what_takes_too_long() {
        let clock = SystemClock::new();
        let ends = within(&clock, Duration::from_secs(5), async { 7 }).await;
        assert_eq!(ends, Ok(7));
        let never = std::future::pending::<()>();
        let late = within(&clock, Duration::from_millis(5), never).await;
        assert_eq!(late, Err(Elapsed));
    }

    #[test]
    fn a_shifted_clock_moves_wall_time_only() {
        let system: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let clock = ShiftedClock::new(Arc::clone(&system));
        clock.shift(-3600);
        assert!(clock.now() <= system.now() - 3599);
    }
}

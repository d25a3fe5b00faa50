//! One question, asked once at a time, however many wait for its answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

/// Dead entries are swept out when there are so many.
const SWEEP: usize = 1024;

/// One flight.
pub(crate) type Flight<V> = Shared<BoxFuture<'static, V>>;

/// The questions that are under way. A flight goes on as long as somebody waits for it.
#[derive(Debug)]
pub(crate) struct Flights<K, V: Clone> {
    under_way: Mutex<HashMap<K, WeakShared<BoxFuture<'static, V>>>>,
}

impl<K, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Flights {
            under_way: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    /// The flight of `question`, if it is under way. One that has landed is history: what it
    /// brought is kept elsewhere, or worth asking again.
    pub(crate) fn flying(&self, question: &K) -> Option<Flight<V>> {
        let under_way = self.lock();
        let flight = under_way.get(question)?.upgrade()?;
        flight.peek().is_none().then_some(flight)
    }

    /// Joins the flight of `question`, or starts it.
    pub(crate) fn join<F>(&self, question: &K, start: F) -> Flight<V>
    where
        F: FnOnce() -> BoxFuture<'static, V>,
    {
        if let Some(flight) = self.flying(question) {
            return flight;
        }
        let mut under_way = self.lock();
        if under_way.len() >= SWEEP {
            under_way.retain(|_, flight| flight.upgrade().is_some());
        }
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            under_way.insert(question.clone(), weak);
        }
        flight
    }

    fn lock(&self) -> Guard<'_, K, V> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

type Guard<'a, K, V> = MutexGuard<'a, HashMap<K, WeakShared<BoxFuture<'static, V>>>>;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_flight() {
        let flights = Flights::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let question = "example.org";
        let start = || {
            let asked = Arc::clone(&asked);
            let flight = async move {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed)
            };
            flight.boxed()
        };
        let one = flights.join(&question, start);
        let other = flights.join(&question, start);
        let both = futures::join!(one, other);
        assert_eq!(both, (0, 0));
        assert!(flights.flying(&question).is_none());
        assert_eq!(flights.join(&question, start).await, 1);
    }
}

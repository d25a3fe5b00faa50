//! One question, asked once at a time, however many wait for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::{Kept, Question, Trouble};

/// Dead entries are swept out when there are so many.
const SWEEP: usize = 1024;

/// What a flight brings home.
pub(super) type Asked = Result<Arc<Kept>, Trouble>;

/// The questions that are under way. A flight goes on as long as somebody waits for it.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Question, WeakShared<BoxFuture<'static, Asked>>>>,
}

impl Flights {
    /// Joins the flight of `question`, or starts it.
    pub(super) fn join<F>(&self, question: &Question, start: F) -> Shared<BoxFuture<'static, Asked>>
    where
        F: FnOnce() -> BoxFuture<'static, Asked>,
    {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let flying = under_way.get(question).and_then(WeakShared::upgrade);
        // One that has landed is history: what it brought is in the cache, or worth asking again.
        if let Some(flight) = flying.filter(|flight| flight.peek().is_none()) {
            return flight;
        }
        if under_way.len() >= SWEEP {
            under_way.retain(|_, flight| flight.upgrade().is_some());
        }
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            under_way.insert(question.clone(), weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use email2::{Domain, Identity};

    use super::*;

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_flight() {
        let flights = Flights::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let question = Question {
            identity: Identity::Service(Domain::parse("example.org").unwrap()),
            asked: None,
        };
        let start = || {
            let asked = Arc::clone(&asked);
            let flight = async move {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed);
                Err(Trouble::NotSpeaking)
            };
            flight.boxed()
        };
        let one = flights.join(&question, start);
        let other = flights.join(&question, start);
        let both = futures::join!(one, other);
        assert!(both.0.is_err() && both.1.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(flights.join(&question, start).await.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}

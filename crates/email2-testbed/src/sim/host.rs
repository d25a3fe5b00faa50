//! A machine of a simulation: what runs on it, and nothing else, ends when it goes down.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::failure::{Outcome, Step};

/// A machine with one thread, run in turns.
#[derive(Debug)]
pub struct Host {
    /// Where it is.
    pub ip: IpAddr,
    runtime: Runtime,
    rest: Arc<Rest>,
}

/// Whether a machine has nothing to do.
#[derive(Debug, Default)]
struct Rest {
    idle: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Rest {
    /// The machine has nothing to do: whoever runs it takes over.
    fn begin(&self) {
        self.idle.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = waker.as_ref() {
            waker.wake_by_ref();
        }
    }

    async fn reached(&self) {
        poll_fn(|context| {
            if self.idle.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            *waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Host {
    /// A machine at `ip`, on which nothing runs yet.
    ///
    /// # Errors
    /// The runtime cannot be made.
    pub fn new(ip: IpAddr) -> Outcome<Host> {
        let rest = Arc::new(Rest::default());
        let resting = Arc::clone(&rest);
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || resting.begin())
            .build()
            .step("runtime")?;
        Ok(Host { ip, runtime, rest })
    }

    /// Starts something on this machine.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(task)
    }

    /// Whether something waits to be run.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.runtime.metrics().global_queue_depth() > 0
    }

    /// Runs until there is nothing to do.
    pub fn turn(&self) {
        self.rest.idle.store(false, Ordering::Relaxed);
        self.runtime.block_on(self.rest.reached());
    }
}

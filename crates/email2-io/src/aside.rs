//! Work that would hold an I/O thread up goes aside, where there is another thread.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinError;

/// Does `work` on a thread for such work. On a runtime of one thread it is done here and now:
/// nobody else is held up, and whatever runs there happens in one order.
///
/// # Errors
/// The work panicked, or the runtime ends.
pub async fn aside<T, W>(work: W) -> Result<T, JoinError>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => tokio::task::spawn_blocking(work).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_done_elsewhere() -> bool {
        let here = std::thread::current().id();
        aside(move || std::thread::current().id() != here)
            .await
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_goes_to_another_thread() {
        assert!(is_done_elsewhere().await);
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_itself() {
        assert!(!is_done_elsewhere().await);
    }
}

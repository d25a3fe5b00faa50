//! What nobody sends in good faith, and what programs do to each other: ten thousand recipients,
//! automatic mail that answers automatic mail. Each ends, within bounds, and loses nothing.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[path = "bad_input/automatic.rs"]
mod automatic;
#[path = "bad_input/crowd.rs"]
mod crowd;

use tokio::sync::Mutex;

/// Memory is the process's, and some of these count what comes: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

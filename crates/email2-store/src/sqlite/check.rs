//! The look at a database whose last server did not end in order. It reads all of it, minutes
//! where there is much mail: the server takes and delivers meanwhile, and stops when damage is
//! found.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use super::disk::Ground;
use super::open;
use super::writer::Stop;
use crate::Threads;
use crate::error::StoreError;

/// How often it is asked to end.
const PAUSE: Duration = Duration::from_millis(1);

/// Whether a clean end may be noted: nothing is left to be looked at.
#[derive(Debug, Default)]
pub(super) struct Checked(AtomicBool);

impl Checked {
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A look that goes on; dropped, it ends.
pub(super) struct Check {
    thread: Option<JoinHandle<()>>,
    interrupt: InterruptHandle,
    ended: Arc<AtomicBool>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check")
    }
}

/// Looks at the database at `path`, if it is `due`: beside its server, or at once where there are
/// no threads.
///
/// # Errors
/// [`StoreError::Damaged`], found at once; or the look cannot begin.
pub(super) fn begin(
    ground: &Ground,
    path: &Path,
    due: bool,
    stop: &Arc<Stop>,
    checked: &Arc<Checked>,
) -> Result<Option<Check>, StoreError> {
    if !due {
        checked.note();
        return Ok(None);
    }
    tracing::warn!(path = %path.display(), "the server did not end cleanly: checking the database");
    let connection = open::connect_reader(ground, path)?;
    if ground.threads == Threads::None || !ground.checks_beside {
        look(&connection, path)?;
        checked.note();
        return Ok(None);
    }
    let look = Look {
        ended: Arc::default(),
        path: path.to_owned(),
        stop: Arc::clone(stop),
        checked: Arc::clone(checked),
    };
    look.start(connection).map(Some)
}

struct Look {
    ended: Arc<AtomicBool>,
    path: PathBuf,
    stop: Arc<Stop>,
    checked: Arc<Checked>,
}

impl Look {
    fn start(self, connection: Connection) -> Result<Check, StoreError> {
        let (interrupt, ended) = (connection.get_interrupt_handle(), Arc::clone(&self.ended));
        let thread = std::thread::Builder::new()
            .name("store-check".to_owned())
            .spawn(move || self.run(&connection))
            .map_err(|error| StoreError::io("the checking thread", &error))?;
        Ok(Check {
            thread: Some(thread),
            interrupt,
            ended,
        })
    }

    fn run(&self, connection: &Connection) {
        match look(connection, &self.path) {
            Ok(()) => {
                tracing::info!("the database is whole");
                self.checked.note();
            }
            Err(_) if self.ended.load(Ordering::Acquire) => {}
            Err(error @ StoreError::Damaged { .. }) => drop(self.stop.stop(&error.to_string())),
            // It is still to be done when the store is opened next.
            Err(error) => tracing::error!(%error, "the database could not be checked"),
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else {
            return;
        };
        while !thread.is_finished() {
            self.interrupt.interrupt();
            std::thread::sleep(PAUSE);
        }
        let _ = thread.join();
    }
}

fn look(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let said = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let said: String = said.map_err(|error| StoreError::from(error).at(path))?;
    match said.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged {
            path: path.to_owned(),
            detail: said,
        }),
    }
}

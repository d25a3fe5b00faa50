//! The store in SQLite: WAL, `synchronous=FULL`, one writer thread that
//! commits in groups, a few readers, large bodies as files beside it.
//!
//! ```text
//! DIRECTORY/store.sqlite   the database (0600)
//! DIRECTORY/store.lock     held by the server that serves from it
//! DIRECTORY/bodies/        bodies over 32 KiB, one file each
//! ```

mod disk;

mod open;

mod check;
mod line;
mod migrate;
mod reader;
mod room;
mod row;
mod writer;

mod accepted_seal;
mod account;
mod alias;
mod author;
mod block;
pub(crate) mod body;
mod certificate;
mod change;
mod correspondence;
mod count;
mod credential;
mod delivery;
mod flag;
mod list;
mod mailbox;
mod message;
mod passage;
mod peer;
mod queue;
mod setting;
mod tls_count;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::watch;

use crate::account::AccountId;
use crate::error::StoreError;
use crate::{Opening, Threads};
use check::{Check, Checked};
use count::Count;
use disk::Ground;
use reader::Readers;
use writer::{Change, Marks, Stop, Writer};

/// The commented schema.
pub const SCHEMA: &str = include_str!("sqlite/schema.sql");

/// The store in SQLite. When it is dropped, what was handed in is committed,
/// and a clean end is noted.
#[derive(Debug)]
pub struct SqliteStore {
    // It ends first, and its lock with it.
    writer: Writer,
    _check: Option<Check>,
    readers: Arc<Readers>,
    bodies: Arc<body::Directory>,
    watches: Arc<Watches>,
    count: Arc<Count>,
    /// Whose the leases are that are taken by this handle: 0 for the server, of which there is one,
    /// or the number of this opening.
    worker: u64,
}

impl SqliteStore {
    /// Opens the store in `directory`, and makes it there when there is none.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open(directory: &Path, opening: Opening, now: u64) -> Result<Self, StoreError> {
        Self::open_with(directory, opening, Threads::Own, now)
    }

    /// The same, with or without threads of its own.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open_with(
        directory: &Path,
        opening: Opening,
        threads: Threads,
        now: u64,
    ) -> Result<Self, StoreError> {
        let ground = Ground {
            threads,
            ..Ground::default()
        };
        Self::open_on(&ground, directory, opening, now)
    }

    /// Opens it on any ground.
    fn open_on(
        ground: &Ground,
        directory: &Path,
        opening: Opening,
        now: u64,
    ) -> Result<Self, StoreError> {
        let opened = open::open(ground, directory, opening, now)?;
        let (stop, checked) = (Arc::new(Stop::default()), Arc::new(Checked::default()));
        let check = check::begin(ground, &opened.path, opened.unchecked, &stop, &checked)?;
        let watches = Arc::new(Watches::default());
        let count = Arc::new(Count::new(ground.log_pages));
        let bodies = Arc::new(body::Directory::new(
            Arc::clone(&ground.disk),
            directory.join(open::BODIES),
            opened.openings,
            Arc::clone(&stop),
            Arc::clone(&count),
        )?);
        count.look(&opened.connection);
        let worker = match opened.lock {
            Some(_) => 0,
            None => opened.openings,
        };
        let readers = Readers::start(ground, &opened.path)?;
        let writer = Writer::start(
            opened,
            ground.threads,
            Marks { stop, checked },
            Arc::clone(&watches),
            Arc::clone(&count),
        )?;
        Ok(Self {
            writer,
            _check: check,
            readers: Arc::new(readers),
            bodies,
            watches,
            count,
            worker,
        })
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(work).await
    }

    /// As `read`, for a few rows that are found by their keys and mostly in memory.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.look(work).await
    }
}

/// Who watches which account.
#[derive(Debug, Default)]
struct Watches {
    moves: AtomicU64,
    accounts: Mutex<HashMap<AccountId, watch::Sender<u64>>>,
}

impl Watches {
    fn watch(&self, account: AccountId) -> watch::Receiver<u64> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, sender| !sender.is_closed());
        accounts
            .entry(account)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    fn moved(&self, touched: &[AccountId]) {
        let number = self.moves.fetch_add(1, Ordering::Relaxed) + 1;
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for account in touched {
            if let Some(sender) = accounts.get(account) {
                sender.send_replace(number);
            }
        }
    }
}

/// The database file below the store's directory.
fn database(directory: &Path) -> PathBuf {
    directory.join("store.sqlite")
}

#[cfg(test)]
mod tests;

//! Counts commits and fsyncs, and with them when the log is to be moved into the database.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::SqliteStore;
use crate::commit::{Commits, Counted};

/// What was counted so far; one thread commits, many write bodies.
#[derive(Debug)]
pub(super) struct Count {
    /// Pages in the log from which on it is moved into the database.
    enough: u64,
    commits: AtomicU64,
    changes: AtomicU64,
    fsyncs: AtomicU64,
    /// Pages in the log, and those of them that are in the database already.
    log: AtomicU64,
    moved: AtomicU64,
}

impl Count {
    pub(super) fn new(enough: u64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            enough,
            commits: zero(),
            changes: zero(),
            fsyncs: zero(),
            log: zero(),
            moved: zero(),
        }
    }

    /// So many fsyncs were done.
    pub(super) fn fsyncs(&self, number: u64) {
        self.fsyncs.fetch_add(number, Ordering::Relaxed);
    }

    /// A transaction of so many changes was committed. The log tells what it cost: nothing,
    /// when nothing changed; one fsync, and one more for the header of a log begun anew.
    pub(super) fn committed(&self, connection: &Connection, changes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
        let before = self.log.load(Ordering::Relaxed);
        self.look(connection);
        let log = self.log.load(Ordering::Relaxed);
        let anew = log < before || before == 0;
        let fsyncs = match log == before {
            true => 0,
            false => 1 + u64::from(anew),
        };
        self.fsyncs(fsyncs);
    }

    /// Transactions that were committed.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether enough is in the log that is not in the database.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let (log, moved) = (&self.log, &self.moved);
        log.load(Ordering::Relaxed)
            .saturating_sub(moved.load(Ordering::Relaxed))
            >= self.enough
    }

    /// The log was moved into the database: both were synced.
    pub(super) fn checkpointed(&self, connection: &Connection) {
        self.fsyncs(2);
        self.look(connection);
    }

    /// Looks how much is in the log.
    pub(super) fn look(&self, connection: &Connection) {
        let pragma = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)");
        let looked = pragma
            .and_then(|mut pragma| pragma.query_row([], |row| Ok((row.get(1)?, row.get(2)?))));
        let (log, moved) = looked.unwrap_or((0, 0));
        self.log.store(log, Ordering::Relaxed);
        self.moved.store(moved, Ordering::Relaxed);
    }
}

impl Counted for SqliteStore {
    fn commits(&self) -> Commits {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Commits {
            commits: read(&self.count.commits),
            changes: read(&self.count.changes),
            fsyncs: read(&self.count.fsyncs),
        }
    }
}

//! Opening: directory, lock, schema, the sweep.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::disk::{Disk, Ground, Lock};
use super::{SCHEMA, database, migrate};
use crate::Opening;
use crate::error::StoreError;

/// The schema that this version knows.
pub(super) const VERSION: i64 = 4;

/// The directory of large bodies.
pub(super) const BODIES: &str = "bodies";

/// Marks a database as ours (`PRAGMA application_id`): "EML2".
const APPLICATION: i64 = 0x454D_4C32;

/// How long a statement waits for another process' transaction, and how often it asks. A busy
/// server leaves the database free for moments only: who asks seldom, as SQLite does by itself,
/// misses them all.
const PATIENCE: Duration = Duration::from_secs(5);
const ASKING: Duration = Duration::from_millis(2);

/// How old an unnamed body file is when a visitor sweeps it, seconds: a day.
const PATIENCE_WITH_FILES: u64 = 24 * 60 * 60;

/// What opening gives.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) lock: Option<Lock>,
    pub(super) openings: u64,
    /// Whoever served before did not end in order, and nobody has looked at the database since.
    pub(super) unchecked: bool,
}

pub(super) fn open(
    ground: &Ground,
    directory: &Path,
    opening: Opening,
    now: u64,
) -> Result<Opened, StoreError> {
    let path = database(directory);
    let bodies = directory.join(BODIES);
    for made in [directory, &*bodies] {
        let failed = |error| StoreError::io(made.display().to_string(), &error);
        ground.disk.make_directory(made).map_err(failed)?;
    }
    let lock = match opening {
        Opening::Serve => Some(lock(&*ground.disk, &directory.join("store.lock"))?),
        Opening::Visit => None,
    };
    let prepared = prepare(ground, &path, &bodies, opening, now);
    let (connection, openings, unchecked) = prepared.map_err(|error| error.at(&path))?;
    Ok(Opened {
        disk: Arc::clone(&ground.disk),
        path,
        connection,
        lock,
        openings,
        unchecked,
    })
}

fn prepare(
    ground: &Ground,
    path: &Path,
    bodies: &Path,
    opening: Opening,
    now: u64,
) -> Result<(Connection, u64, bool), StoreError> {
    let connection = connect(ground, path)?;
    make_schema(&connection, path)?;
    let serving = opening == Opening::Serve;
    let unchecked = serving && did_not_end(&connection)?;
    // Beside others, what is young may still be written.
    let patience = if serving { 0 } else { PATIENCE_WITH_FILES };
    sweep(&connection, &*ground.disk, bodies, now, patience)?;
    let openings = count_opening(&connection, serving)?;
    Ok((connection, openings, unchecked))
}

/// The number of this opening. It names bodies: it must be on stable storage before it is
/// used, and a statement with RETURNING outside a transaction does not say whether it is.
fn count_opening(connection: &Connection, serving: bool) -> Result<u64, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let openings = transaction.query_row(
        "UPDATE state SET openings = openings + 1, serving = max(serving, ?1) RETURNING openings",
        [serving],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(openings)
}

fn lock(disk: &dyn Disk, path: &Path) -> Result<Lock, StoreError> {
    match disk.lock(path) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(StoreError::Locked {
            path: path.to_owned(),
        }),
        Err(error) => Err(StoreError::io(path.display().to_string(), &error)),
    }
}

fn connect(ground: &Ground, path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives its other files the mode of this one.
    let made = ground.disk.ensure(path);
    made.map_err(|error| StoreError::io(path.display().to_string(), &error))?;
    let vfs = ground.disk.vfs();
    let mut connection = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs)?;
    connection.busy_handler(Some(ask_again))?;
    keep_a_log(&connection)?;
    connection.pragma_update(None, "synchronous", ground.synchronous)?;
    // The writer does it, after those who wait are answered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A database that was tampered with runs no functions of ours.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Whether a statement that was turned away so often tries again.
fn ask_again(turned_away: i32) -> bool {
    std::thread::sleep(ASKING);
    ASKING * turned_away.unsigned_abs() < PATIENCE
}

/// Without a log (WAL) nothing of what is promised holds; where there can be none, SQLite does
/// not fail, but says in what mode it stays.
fn keep_a_log(connection: &Connection) -> Result<(), StoreError> {
    let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
    let mode: String = set?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Io {
        what: "the database".to_owned(),
        detail: format!("journal_mode stays {mode}: this file system has no shared memory"),
    })
}

/// A connection that only reads.
pub(super) fn connect_reader(ground: &Ground, path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(ground, path).map_err(|error| error.at(path))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Makes the schema in a new database; refuses what is not ours or is newer.
fn make_schema(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let found = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    match (found, application) {
        (0, 0) => {
            connection.execute_batch(SCHEMA)?;
            connection.execute("INSERT INTO state VALUES (1, 0, 0, 0)", [])?;
            connection.pragma_update(None, "user_version", VERSION)?;
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.execute_batch("COMMIT")?;
            Ok(())
        }
        (VERSION, APPLICATION) => Ok(connection.execute_batch("ROLLBACK")?),
        (1..VERSION, APPLICATION) => {
            migrate::from(found, connection)?;
            connection.pragma_update(None, "user_version", VERSION)?;
            Ok(connection.execute_batch("COMMIT")?)
        }
        (_, APPLICATION) => Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        }),
        _ => Err(damaged(
            path,
            "it is a database of another program".to_owned(),
        )),
    }
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Whoever served before did not end in order, and may have left a damaged database behind.
fn did_not_end(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row("SELECT serving FROM state", [], |row| row.get(0))?)
}

fn damaged(path: &Path, detail: String) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        detail,
    }
}

/// Removes body files without a row that are older than `patience` seconds: of
/// deliveries that were cut off.
fn sweep(
    connection: &Connection,
    disk: &dyn Disk,
    bodies: &Path,
    now: u64,
    patience: u64,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::io(bodies.display().to_string(), &error);
    let mut named = connection.prepare_cached("SELECT 1 FROM body WHERE name = ?1")?;
    for file in disk.list(bodies).map_err(failed)? {
        let is_old = patience == 0 || file.written.saturating_add(patience) < now;
        if is_old && !named.exists([file.name.to_str()])? {
            disk.remove(&bodies.join(file.name)).map_err(failed)?;
        }
    }
    Ok(())
}

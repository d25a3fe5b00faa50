//! Opening: directory, lock, schema, the check after an unclean end, the sweep.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{SCHEMA, database};
use crate::Opening;
use crate::error::StoreError;

/// The schema that this version knows.
pub(super) const VERSION: i64 = 1;

/// The directory of large bodies.
pub(super) const BODIES: &str = "bodies";

/// Marks a database as ours (`PRAGMA application_id`): "EML2".
const APPLICATION: i64 = 0x454D_4C32;

/// How long a statement waits for another process' transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// How old an unnamed body file is when a visitor sweeps it, seconds: a day.
const PATIENCE_WITH_FILES: u64 = 24 * 60 * 60;

/// What opening gives.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) lock: Option<File>,
    pub(super) openings: u64,
}

pub(super) fn open(directory: &Path, opening: Opening, now: u64) -> Result<Opened, StoreError> {
    let path = database(directory);
    make_directory(directory)?;
    make_directory(&directory.join(BODIES))?;
    sync_directory(directory)?;
    let lock = match opening {
        Opening::Serve => Some(lock(&directory.join("store.lock"))?),
        Opening::Visit => None,
    };
    let prepared = prepare(directory, &path, opening, now).map_err(|error| error.at(&path));
    let (connection, openings) = prepared?;
    Ok(Opened {
        path,
        connection,
        lock,
        openings,
    })
}

fn prepare(
    directory: &Path,
    path: &Path,
    opening: Opening,
    now: u64,
) -> Result<(Connection, u64), StoreError> {
    let connection = connect(path)?;
    make_schema(&connection, path)?;
    if opening == Opening::Serve {
        check_after_unclean_end(&connection, path)?;
    }
    let serving = opening == Opening::Serve;
    // Beside others, what is young may still be written.
    let patience = if serving { 0 } else { PATIENCE_WITH_FILES };
    sweep(&connection, &directory.join(BODIES), now, patience)?;
    let openings = connection.query_row(
        "UPDATE state SET openings = openings + 1, serving = max(serving, ?1) RETURNING openings",
        [serving],
        |row| row.get(0),
    )?;
    Ok((connection, openings))
}

fn make_directory(directory: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StoreError::io(directory.display().to_string(), &error))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let failed = |error| StoreError::io(path.display().to_string(), &error);
    let file = private_file(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Opens or makes a file that only its owner reads.
fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives its other files the mode of this one.
    private_file(path).map_err(|error| StoreError::io(path.display().to_string(), &error))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer does it, after those who wait are answered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A database that was tampered with runs no functions of ours.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path).map_err(|error| error.at(path))?;
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

/// Whoever served before and did not end cleanly may have left a damaged
/// database behind: look before anything is taken.
fn check_after_unclean_end(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let serving: bool = connection.query_row("SELECT serving FROM state", [], |row| row.get(0))?;
    if !serving {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "the server did not end cleanly: checking the database");
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" {
        Ok(())
    } else {
        Err(damaged(path, said))
    }
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
    bodies: &Path,
    now: u64,
    patience: u64,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::io(bodies.display().to_string(), &error);
    let mut named = connection.prepare_cached("SELECT 1 FROM body WHERE name = ?1")?;
    for entry in std::fs::read_dir(bodies).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let written = u64::try_from(entry.metadata().map_err(failed)?.mtime()).unwrap_or(0);
        let is_old = patience == 0 || written.saturating_add(patience) < now;
        if is_old && !named.exists([entry.file_name().to_str()])? {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Brings the names in a directory to stable storage.
fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::io(directory.display().to_string(), &error))
}

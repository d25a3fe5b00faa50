//! Room in the log of the database. A log that is written over reaches stable storage many
//! times faster than one that grows, because the length of its file need not be kept as well
//! (ext4 on a busy machine, measured once: 3,600 fsyncs a second against 200).

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// What the log grows to at once: several times what lies in it before it is moved into the
/// database.
const ROOM: u64 = 16 * 1024 * 1024;

/// Commits from which on it is worth it: a command or a test has fewer.
pub(super) const WORTH: u64 = 32;

/// Octets written at once.
const PIECE: usize = 256 * 1024;

/// Makes the log of the database at `path` as long as it will get; what is in it stays, and
/// zeros behind it are no pages to SQLite.
///
/// # Errors
/// As the system says; the log is as good as before then.
pub(super) fn make(connection: &Connection, path: &Path) -> Result<(), String> {
    let said = |error: rusqlite::Error| error.to_string();
    // While this is held, nobody else writes to the log, in whatever process.
    connection.execute_batch("BEGIN IMMEDIATE").map_err(said)?;
    let made = lengthen(&log(path)).map_err(|error| error.to_string());
    connection.execute_batch("ROLLBACK").map_err(said)?;
    made
}

/// The log's file beside the database's.
fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// SQLite keeps its locks on other files: closing this one releases none. A disk without so
/// much room gets back what was taken.
fn lengthen(log: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(log)?;
    let before = file.seek(SeekFrom::End(0))?;
    let filled = fill(&mut file, before).and_then(|()| file.sync_all());
    if filled.is_err() {
        file.set_len(before)?;
    }
    filled
}

fn fill(file: &mut File, mut length: u64) -> std::io::Result<()> {
    let zeros = vec![0; PIECE];
    while length < ROOM {
        file.write_all(&zeros)?;
        length += PIECE as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was committed before and after stands, for this and for other connections.
    #[test]
    fn a_log_with_room_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sqlite");
        let connection = Connection::open(&path).unwrap();
        let begin = "PRAGMA journal_mode = WAL; CREATE TABLE x (n INTEGER)";
        connection.execute_batch(begin).unwrap();
        let insert = |n: i64| {
            connection
                .execute("INSERT INTO x VALUES (?1)", [n])
                .unwrap()
        };
        insert(1);
        make(&connection, &path).unwrap();
        assert!(std::fs::metadata(log(&path)).unwrap().len() >= ROOM);
        insert(2);
        // A copy of both files is what a crash leaves.
        let (copy, copied) = (directory.path().join("y.sqlite"), log(&path));
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(copied, log(&copy)).unwrap();
        for database in [&path, &copy] {
            let other = Connection::open(database).unwrap();
            let sum: i64 = other
                .query_row("SELECT sum(n) FROM x", [], |row| row.get(0))
                .unwrap();
            assert_eq!(sum, 3);
        }
    }
}

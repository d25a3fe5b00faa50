//! Why the store could not do it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store could not do it. Cloned to all who waited for one commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the store (a server runs on it, or a long
    /// transaction does not end). Sysexits 75.
    #[error(
        "{}: the store is in use by another process; stop it, or wait and try again",
        path.display()
    )]
    Locked {
        /// The database or lock file.
        path: PathBuf,
    },
    /// The database is damaged or is none. Sysexits 74.
    #[error("{}: the database is damaged ({detail}); restore it from a backup", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check said first.
        detail: String,
    },
    /// A newer version of this program wrote it. Sysexits 78.
    #[error(
        "{}: written by a newer version (schema {found}, this one knows {known}); upgrade",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema version found.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// No space is left on the device. In SMTP: 452 4.3.1. Sysexits 75.
    #[error("no space is left for the store")]
    Full,
    /// The disk failed, or a file cannot be opened. Sysexits 74.
    #[error("{what}: {detail}")]
    Io {
        /// What was being done, with the file.
        what: String,
        /// What the system said.
        detail: String,
    },
    /// A write to stable storage failed earlier, or damage was found: nothing is accepted until
    /// the process is started again. In SMTP: 451 4.3.0. Sysexits 74.
    #[error("the store stopped accepting: {0}")]
    Stopped(String),
    /// There is one of that name. Sysexits 65.
    #[error("{0} exists")]
    Exists(String),
    /// There is none of that name. Sysexits 67.
    #[error("there is no {0}")]
    NotFound(String),
    /// Not allowed on that row (INBOX cannot be deleted, …). Sysexits 65.
    #[error("{0}")]
    Refused(&'static str),
    /// A row holds what this version cannot read. Sysexits 70.
    #[error("the store holds {0}, which cannot be read")]
    Unreadable(String),
    /// The database refused a statement: a mistake in this program. Sysexits 70.
    #[error("database: {0}")]
    Database(String),
}

impl StoreError {
    /// Whether trying again later can succeed without anyone's help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Full)
    }

    /// What the system said of a file.
    pub(crate) fn io(what: impl Into<String>, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io {
                what: what.into(),
                detail: error.to_string(),
            },
        }
    }

    /// The same, naming the file, where only the database knew it.
    pub(crate) fn at(self, file: &Path) -> Self {
        let path = file.to_owned();
        match self {
            Self::Locked { .. } => Self::Locked { path },
            Self::Damaged { detail, .. } => Self::Damaged { path, detail },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    /// By SQLite's result code (<https://sqlite.org/rescode.html>).
    fn from(error: rusqlite::Error) -> Self {
        let path = PathBuf::from("store.sqlite");
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, detail }
            }
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Io {
                what: "the database".to_owned(),
                detail,
            },
            _ => Self::Database(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
    }

    #[test]
    fn a_full_disk_is_temporary_and_a_failed_one_is_not() {
        assert_eq!(sqlite(rusqlite::ffi::SQLITE_FULL), StoreError::Full);
        assert!(StoreError::Full.is_temporary());
        let full = std::io::Error::from(ErrorKind::StorageFull);
        assert_eq!(StoreError::io("x", &full), StoreError::Full);
        let failed = sqlite(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        assert!(matches!(failed, StoreError::Io { .. }), "{failed}");
        assert!(!failed.is_temporary());
    }

    #[test]
    fn a_locked_or_damaged_database_is_named() {
        let locked = sqlite(rusqlite::ffi::SQLITE_BUSY).at(Path::new("/d/store.sqlite"));
        assert_eq!(
            locked.to_string(),
            "/d/store.sqlite: the store is in use by another process; stop it, or wait and try again"
        );
        let damaged = sqlite(rusqlite::ffi::SQLITE_NOTADB).at(Path::new("/d/store.sqlite"));
        assert!(
            damaged
                .to_string()
                .starts_with("/d/store.sqlite: the database is damaged (")
        );
    }
}

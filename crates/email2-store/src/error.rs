//! Why the store could not do it.

use std::path::PathBuf;

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
    /// A write to stable storage failed earlier: nothing is accepted until the
    /// process is started again. In SMTP: 451 4.3.0. Sysexits 74.
    #[error("the store stopped accepting after a failed write: {0}")]
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
}

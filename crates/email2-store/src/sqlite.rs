//! The store in SQLite.

pub(crate) mod body;

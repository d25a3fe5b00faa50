//! Columns as the values they stand for.

use std::str::FromStr;

use rusqlite::{Row, RowIndex};

use crate::error::StoreError;

/// Reads a text column as what it stands for.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: impl RowIndex) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|_| StoreError::Unreadable(format!("{text:?}")))
}

/// Reads a text column that may be NULL.
pub(super) fn parsed_or_null<T: FromStr>(
    row: &Row<'_>,
    column: impl RowIndex,
) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    let read = |text: String| {
        text.parse()
            .map_err(|_| StoreError::Unreadable(format!("{text:?}")))
    };
    text.map(read).transpose()
}

/// Collects rows that are read by `read`.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(read(row)?);
    }
    Ok(values)
}

/// The first row, if there is one.
pub(super) fn first<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    rows.next()?.map(read).transpose()
}

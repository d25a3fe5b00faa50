//! From an older schema to the one of this version, in the transaction that opening holds.

use std::ops::RangeInclusive;

use rusqlite::Connection;

use super::SCHEMA;
use crate::error::StoreError;

/// Columns that tables of these versions did not have, and what stands in them.
const COLUMNS: &[(RangeInclusive<i64>, &str)] = &[
    (
        1..=2,
        "ALTER TABLE queue ADD COLUMN front BLOB NOT NULL DEFAULT x''",
    ),
    (
        1..=1,
        "ALTER TABLE queue ADD COLUMN source INTEGER REFERENCES body(id)",
    ),
    (
        1..=2,
        "ALTER TABLE queue ADD COLUMN worker INTEGER NOT NULL DEFAULT 0",
    ),
    (1..=1, "ALTER TABLE queue ADD COLUMN due INTEGER"),
    (
        1..=1,
        "ALTER TABLE queue ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
    ),
    (
        1..=1,
        "ALTER TABLE queue ADD COLUMN delayed INTEGER NOT NULL DEFAULT 0",
    ),
    (
        1..=1,
        "ALTER TABLE queue ADD COLUMN alarm INTEGER NOT NULL DEFAULT 0",
    ),
    // The table itself is newer than version 1.
    (
        2..=2,
        "ALTER TABLE list ADD COLUMN one_click INTEGER NOT NULL DEFAULT 0",
    ),
    (
        2..=3,
        "ALTER TABLE peer_policy ADD COLUMN until INTEGER NOT NULL DEFAULT 0",
    ),
    // As if each policy said the longest time (RFC 8461 §3.2): none is forgotten too early.
    (2..=3, "UPDATE peer_policy SET until = fetched + 31557600"),
];

/// Indexes of version 1 that are others now.
const INDEXES: &[&str] = &["DROP INDEX queue_due"];

/// What columns and tables that are newer than version 1 say about what is there already.
const ROWS: &[&str] = &[
    "UPDATE queue SET due = max(next_attempt, coalesce(leased_until, 0)), alarm = expires",
    "INSERT INTO queue_domain (domain, due) SELECT domain, min(due) FROM queue GROUP BY domain",
];

/// Makes this version of version `found`. Tables and indexes that are new come from the commented
/// schema, so that there is one text of them.
pub(super) fn from(found: i64, connection: &Connection) -> Result<(), StoreError> {
    for (versions, statement) in COLUMNS {
        if versions.contains(&found) {
            connection.execute(statement, [])?;
        }
    }
    let from_first = |statements: &[&str]| {
        let mut statements = statements.iter().filter(|_| found == 1);
        statements.try_for_each(|statement| connection.execute(statement, []).map(drop))
    };
    from_first(INDEXES)?;
    for statement in statements(SCHEMA) {
        if !exists(connection, name_of(&statement))? {
            connection.execute(&statement, [])?;
        }
    }
    Ok(from_first(ROWS)?)
}

/// The statements of the commented schema, without comments.
fn statements(schema: &str) -> Vec<String> {
    let code = |line: &str| match line.split_once("--") {
        Some((code, _)) => code.trim_end().to_owned(),
        None => line.to_owned(),
    };
    let plain: Vec<String> = schema.lines().map(code).collect();
    let plain = plain.join("\n");
    let statements = plain.split(';').map(str::trim);
    statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What a `CREATE` makes.
fn name_of(statement: &str) -> &str {
    let mut words = statement.split_whitespace();
    let made = words.find(|word| matches!(*word, "TABLE" | "INDEX"));
    made.and_then(|_| words.next()).unwrap_or_default()
}

fn exists(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let mut select = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    Ok(select.exists([name])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_taken_apart_into_statements_with_names() {
        let all = statements(SCHEMA);
        assert!(all.iter().all(|statement| statement.starts_with("CREATE ")));
        let names: Vec<&str> = all.iter().map(|statement| name_of(statement)).collect();
        assert!(names.contains(&"queue_domain") && names.contains(&"block_once"));
        assert!(!all.iter().any(|statement| statement.contains("--")));
    }
}

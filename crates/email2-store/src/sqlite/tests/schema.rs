//! The commented schema says what the database is.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::sqlite::SCHEMA;

/// Columns with a comment, by table; the tables' own comments stand above them.
fn commented(schema: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut described = None;
    for line in schema.lines() {
        if let Some((table, _)) = line
            .strip_prefix("-- ")
            .and_then(|line| line.split_once(": "))
        {
            described = Some(table.to_owned());
        }
        let column = line.strip_prefix("  ").filter(|line| line.contains("-- "));
        let column = column.and_then(|line| line.split_whitespace().next());
        if let (Some(table), Some(column)) = (&described, column) {
            tables
                .entry(table.clone())
                .or_default()
                .push(column.to_owned());
        }
    }
    tables
}

fn real() -> BTreeMap<String, Vec<String>> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let mut columns = connection
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
        )
        .unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rows = columns.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        tables
            .entry(row.get(0).unwrap())
            .or_default()
            .push(row.get(1).unwrap());
    }
    tables
}

#[test]
fn every_table_and_column_has_its_comment() {
    assert_eq!(commented(SCHEMA), real());
}

#[test]
fn a_column_without_a_comment_is_seen() {
    let planted = SCHEMA.replacen("  quota     INTEGER,  ", "  quota     INTEGER,  x", 1);
    let planted = planted.replace("-- octets it may hold; NULL: no bound", "");
    assert_ne!(commented(&planted), real());
}

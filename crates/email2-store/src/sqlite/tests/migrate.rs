//! A store of an older version becomes one of this version, with all that is in it.

use std::collections::BTreeSet;
use std::path::Path;

use email2::{Domain, limits};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::conformance::{NOW, whole};
use crate::queue::RecipientState;
use crate::sqlite::SCHEMA;
use crate::{Opening, Store};

/// The schemas of older versions, as they were.
const FIRST: &str = include_str!("version-1.sql");
const SECOND: &str = include_str!("version-2.sql");

/// A store of version 1 with an account and two queue entries, one of them under way.
fn first(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let connection = Connection::open(directory.join("store.sqlite")).unwrap();
    connection.execute_batch(FIRST).unwrap();
    connection
        .execute_batch(&format!(
            "INSERT INTO state VALUES (1, 3, 7, 0);
             PRAGMA user_version = 1;
             PRAGMA application_id = {application};
             INSERT INTO account (address, strict, unlisted, created)
             VALUES ('bob@example.org', 0, 0, {NOW});
             INSERT INTO body (name, size, octets) VALUES ('3-1', 5, x'68656c6c6f');
             INSERT INTO queue (grp, domain, mail_from, body, details, created, expires,
                                next_attempt, attempts, leased_until, epoch)
             VALUES ('g', 'example.com', 'bob@example.org', 1, '', {NOW}, {NOW} + 1000, {NOW}, 1,
                     {NOW} + 600, 1),
                    ('g', 'example.net', 'bob@example.org', 1, '', {NOW}, {NOW} + 1000, {NOW} + 5,
                     0, NULL, 0);
             INSERT INTO queue_recipient (entry, position, address, state)
             VALUES (1, 0, 'alice@example.com', 'waiting'),
                    (2, 0, 'dave@example.net', 'waiting');",
            application = 0x454D_4C32,
        ))
        .unwrap();
}

/// A store of version 2 with an entry that waits and a list.
fn second(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let connection = Connection::open(directory.join("store.sqlite")).unwrap();
    connection.execute_batch(SECOND).unwrap();
    connection
        .execute_batch(&format!(
            "INSERT INTO state VALUES (1, 3, 7, 0);
             PRAGMA user_version = 2;
             PRAGMA application_id = {application};
             INSERT INTO body (name, size, octets) VALUES ('3-1', 5, x'68656c6c6f');
             INSERT INTO queue (grp, domain, mail_from, body, details, created, expires,
                                next_attempt, due)
             VALUES ('g', 'example.net', 'bob@example.org', 1, '', {NOW}, {NOW} + 1000, {NOW},
                     {NOW});
             INSERT INTO queue_domain (domain, due) VALUES ('example.net', {NOW});
             INSERT INTO queue_recipient (entry, position, address, state)
             VALUES (1, 0, 'dave@example.net', 'waiting');
             INSERT INTO list (address, announcement, moderated, open, hidden, owner,
                               created)
             VALUES ('lunch@example.org', 0, 0, 0, 0, 'bob@example.org', {NOW});
             INSERT INTO peer_policy (domain, id, text, fetched)
             VALUES ('example.net', '1', 'version: STSv1', {NOW});",
            application = 0x454D_4C32,
        ))
        .unwrap();
}

/// Tables with their columns, and indexes.
fn shape(connection: &Connection) -> BTreeSet<String> {
    let mut select = connection
        .prepare(
            "SELECT t.name || ' ' || c.name || ' ' || c.type || c.\"notnull\" || c.pk
             || coalesce(c.dflt_value, '')
             FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
             UNION ALL
             SELECT i.tbl_name || ' index ' || i.name || ' '
             || coalesce((SELECT group_concat(name) FROM pragma_index_info(i.name)), '')
             FROM sqlite_schema i WHERE i.type = 'index'",
        )
        .unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_store_of_an_older_version_gets_the_shape_of_this_one() {
    for make in [first, second, third] {
        let directory = TempDir::new().unwrap();
        make(directory.path());
        drop(Store::open(directory.path(), Opening::Serve, NOW).unwrap());
        let migrated = Connection::open(directory.path().join("store.sqlite")).unwrap();
        let fresh = Connection::open_in_memory().unwrap();
        fresh.execute_batch(SCHEMA).unwrap();
        let (is, wanted) = (shape(&migrated), shape(&fresh));
        assert_eq!(is.difference(&wanted).next(), None);
        assert_eq!(wanted.difference(&is).next(), None);
    }
}

/// A store of version 3: this one without what is newer.
fn third(directory: &Path) {
    drop(Store::open(directory, Opening::Serve, NOW).unwrap());
    let connection = Connection::open(directory.join("store.sqlite")).unwrap();
    let older = "DROP TABLE reported; DROP INDEX peer_domain_until;
         DROP INDEX peer_policy_until; ALTER TABLE peer_policy DROP COLUMN until;
         PRAGMA user_version = 3;";
    connection.execute_batch(older).unwrap();
}

#[tokio::test]
async fn what_version_2_kept_is_carried_on() {
    let directory = TempDir::new().unwrap();
    second(directory.path());
    let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
    let claimed = store.claim(NOW, 60, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let reader = store.entry_body(claimed[0].entry.id).await.unwrap();
    assert_eq!(whole(&*reader).await, b"hello");
    let lists = store.lists().await.unwrap();
    assert_eq!(lists.len(), 1);
    assert!(!lists[0].one_click);
    let domain = Domain::parse("example.net").unwrap();
    let policy = store.peer_policy(&domain).await.unwrap().unwrap();
    assert_eq!(policy.until, NOW + u64::from(limits::MTA_STS_AGE_MAX));
}

#[tokio::test]
async fn what_was_queued_by_version_1_is_carried_on() {
    let directory = TempDir::new().unwrap();
    first(directory.path());
    let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
    let entries = store.entries().await.unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1].recipients[0].state, RecipientState::Waiting);
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + 5));
    let claimed = store.claim(NOW + 5, 60, 10).await.unwrap();
    assert_eq!(claimed.len(), 1, "the other one is under way");
    assert_eq!(claimed[0].entry.domain.as_str(), "example.net");
    let reader = store.entry_body(claimed[0].entry.id).await.unwrap();
    assert_eq!(whole(&*reader).await, b"hello");
    assert_eq!(store.claim(NOW + 600, 60, 10).await.unwrap().len(), 2);
}

#[test]
fn a_store_that_is_newer_is_refused() {
    let directory = TempDir::new().unwrap();
    first(directory.path());
    let connection = Connection::open(directory.path().join("store.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(Store::open(directory.path(), Opening::Serve, NOW).is_err());
}

//! Locks, damage, full and failing disks, modes, left-over files.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::account::{Accounts, NewAccount};
use crate::block::Scope;
use crate::conformance::{NOW, account, body};
use crate::error::StoreError;
use crate::setting::Settings;
use crate::sqlite::SqliteStore;
use crate::{Opening, Store, Threads};

#[tokio::test]
async fn a_second_server_is_told_that_one_runs() {
    let (_store, directory) = super::fresh();
    let second = Store::open(directory.path(), Opening::Serve, NOW).unwrap_err();
    let lock = directory.path().join("store.lock");
    assert_eq!(second, StoreError::Locked { path: lock });
    let visitor = Store::open(directory.path(), Opening::Visit, NOW).unwrap();
    account(&visitor, "alice@example.com", None).await;
}

/// A command beside a running server does not hide that the server ended uncleanly.
#[tokio::test]
async fn a_visitor_leaves_the_servers_mark() {
    let (_store, directory) = super::fresh();
    let visitor = Store::open(directory.path(), Opening::Visit, NOW).unwrap();
    account(&visitor, "alice@example.com", None).await;
    drop(visitor);
    let path = directory.path().join("store.sqlite");
    let look = rusqlite::Connection::open(path).unwrap();
    let serving = look.query_row("SELECT serving FROM state", [], |row| row.get(0));
    assert_eq!(serving, Ok(true));
}

#[test]
fn a_damaged_database_is_said() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.sqlite");
    std::fs::write(
        &path,
        b"this is no database at all, but long enough to be read as one",
    )
    .unwrap();
    let said = Store::open(directory.path(), Opening::Serve, NOW).unwrap_err();
    assert!(
        matches!(&said, StoreError::Damaged { path: named, .. } if *named == path),
        "{said}"
    );
}

/// A database of accounts whose server was killed; with so many octets of damage in its middle.
async fn killed(directory: &TempDir, damage: usize) {
    let path = directory.path().join("store.sqlite");
    {
        let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
        for number in 0..200 {
            account(&store, &format!("user{number}@example.com"), None).await;
        }
    }
    let serving = rusqlite::Connection::open(&path).unwrap();
    serving.execute("UPDATE state SET serving = 1", []).unwrap();
    serving
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(serving);
    let mut octets = std::fs::read(&path).unwrap();
    let middle = octets.len() / 2;
    octets[middle..middle + damage].fill(0xFF);
    std::fs::write(&path, octets).unwrap();
}

fn is_unchecked(directory: &TempDir) -> bool {
    let path = directory.path().join("store.sqlite");
    let look = rusqlite::Connection::open(path).unwrap();
    let serving = look.query_row("SELECT serving FROM state", [], |row| row.get(0));
    serving.unwrap()
}

/// Only after an unclean end the database is checked; then damage within it is found.
#[tokio::test]
async fn after_an_unclean_end_damage_is_found() {
    let directory = TempDir::new().unwrap();
    killed(&directory, 8192).await;
    let said = Store::open_with(directory.path(), Opening::Serve, Threads::None, NOW);
    let said = said.unwrap_err();
    assert!(matches!(said, StoreError::Damaged { .. }), "{said}");
}

/// A server begins at once, however much there is to be looked at; it stops when damage is found.
#[tokio::test]
async fn damage_that_is_found_while_serving_stops_the_store() {
    let directory = TempDir::new().unwrap();
    killed(&directory, 8192).await;
    let store = SqliteStore::open(directory.path(), Opening::Serve, NOW).unwrap();
    let mut said = set(&store, 1).await;
    for _ in 0..2000 {
        if matches!(said, Err(StoreError::Stopped(_))) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        said = set(&store, 1).await;
    }
    let Err(StoreError::Stopped(why)) = said else {
        panic!("{said:?}");
    };
    assert!(why.contains("is damaged"), "{why}");
    drop(store);
    assert!(is_unchecked(&directory), "the next server looks again");
}

/// A clean end is noted once all was looked at, and not before.
#[tokio::test]
async fn what_was_not_looked_at_is_looked_at_next_time() {
    let directory = TempDir::new().unwrap();
    killed(&directory, 0).await;
    for _ in 0..2000 {
        drop(Store::open(directory.path(), Opening::Serve, NOW).unwrap());
        if !is_unchecked(&directory) {
            return;
        }
        let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        drop(store);
    }
    panic!("it is never looked at to the end");
}

#[test]
fn a_newer_schema_is_refused() {
    let (store, directory) = super::fresh();
    drop(store);
    let path = directory.path().join("store.sqlite");
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let said = Store::open(directory.path(), Opening::Visit, NOW).unwrap_err();
    assert_eq!(
        said,
        StoreError::Newer {
            path,
            found: 99,
            known: crate::sqlite::open::VERSION
        }
    );
}

#[tokio::test]
async fn only_the_owner_reads_it() {
    let (store, directory) = super::fresh();
    let large = body(&store, &vec![b'x'; 100_000]).await;
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["store.sqlite", "store.sqlite-wal", "store.lock"] {
        assert_eq!(mode(directory.path().join(file)), 0o600, "{file}");
    }
    let bodies = directory.path().join("bodies");
    assert_eq!(mode(bodies.clone()), 0o700);
    let files: Vec<_> = std::fs::read_dir(&bodies)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!((files.len(), mode(files[0].path())), (1, 0o600));
    drop(large);
    assert_eq!(
        std::fs::read_dir(&bodies).unwrap().count(),
        0,
        "an undelivered body leaves nothing"
    );
}

/// Sets a value of so many octets.
async fn set(store: &SqliteStore, octets: usize) -> Result<(), StoreError> {
    let value = Some(vec![b'x'; octets]);
    store
        .set(Scope::Server, vec![("x".to_owned(), value)])
        .await
}

/// A full disk refuses what it has no room for, and takes the rest again later.
#[tokio::test]
async fn a_full_disk_is_temporary() {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(directory.path(), Opening::Serve, NOW).unwrap();
    let pages = async |pages: u32| {
        let limit = move |change: &mut crate::sqlite::writer::Change<'_>| {
            Ok(change
                .connection
                .pragma_update(None, "max_page_count", pages)?)
        };
        store.write(limit).await.unwrap();
    };
    pages(1).await;
    assert_eq!(set(&store, 1 << 20).await, Err(StoreError::Full));
    pages(1 << 20).await;
    set(&store, 1 << 20).await.unwrap();
    assert_eq!(
        store
            .setting(Scope::Server, "x")
            .await
            .unwrap()
            .unwrap()
            .len(),
        1 << 20
    );
}

/// After a failed fsync nobody knows what is kept: nothing is accepted any more.
#[tokio::test]
async fn a_failed_disk_ends_it_all() {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(directory.path(), Opening::Serve, NOW).unwrap();
    let stopped = store.bodies.stopped("fsync: Input/output error");
    assert_eq!(set(&store, 1).await, Err(stopped.clone()));
    let new = NewAccount {
        address: crate::conformance::address("alice@example.com"),
        quota: None,
        strict: false,
        unlisted: false,
    };
    assert_eq!(store.add_account(&new, NOW).await, Err(stopped));
    assert_eq!(
        store.list_accounts().await,
        Ok(Vec::new()),
        "reading goes on"
    );
}

/// What a killed client left is swept by a later one, but not while it is young.
#[test]
fn a_visitor_sweeps_what_is_old() {
    let (store, directory) = super::fresh();
    drop(store);
    let left = directory.path().join("bodies/1-0");
    std::fs::write(&left, b"left over").unwrap();
    let written = std::fs::metadata(&left).unwrap().modified().unwrap();
    let written = written
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let visit = |now| drop(Store::open(directory.path(), Opening::Visit, now).unwrap());
    visit(written + 3600);
    assert!(left.exists());
    visit(written + 25 * 3600);
    assert!(!left.exists());
}

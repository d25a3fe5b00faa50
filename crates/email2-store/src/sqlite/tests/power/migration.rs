//! The power goes while a store of version 1 is taken over (case O01).

use email2::{Domain, ReversePath};

use super::cast::{cast, open};
use super::disk::Image;
use super::platter::Plan;
use crate::body::Bodies;
use crate::conformance::{NOW, address};
use crate::queue::{NewEntry, Queue, QueueRecipient, RecipientState};
use crate::sqlite::SqliteStore;

/// Changes of the disk that opening makes at most.
const CHANGES: u64 = 60;

/// What versions 2 and 3 brought, taken back.
const BACK: &str = "DROP INDEX queue_due; DROP INDEX queue_leased; DROP INDEX queue_alarm;
    DROP INDEX queue_group; DROP INDEX queue_source;
    ALTER TABLE queue DROP COLUMN source; ALTER TABLE queue DROP COLUMN due; ALTER TABLE queue DROP COLUMN held;
    ALTER TABLE queue DROP COLUMN delayed; ALTER TABLE queue DROP COLUMN alarm;
    ALTER TABLE queue DROP COLUMN front; ALTER TABLE queue DROP COLUMN worker;
    CREATE INDEX queue_due ON queue(next_attempt);
    DROP TABLE queue_domain; DROP TABLE queue_attempt; DROP TABLE tls_count;
    PRAGMA user_version = 1;";

async fn enqueue(store: &SqliteStore) {
    let mut writer = store.write_body().await.unwrap();
    writer.push(b"Subject: x\r\n\r\nx\r\n").await.unwrap();
    let entry = NewEntry {
        group: "g".to_owned(),
        domain: Domain::parse("example.net").unwrap(),
        mail_from: ReversePath::Null,
        announced: None,
        recipients: vec![QueueRecipient {
            address: address("dave@example.net"),
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        }],
        body: writer.finish().await.unwrap(),
        front: Vec::new(),
        details: String::new(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    };
    store.enqueue(vec![entry]).await.unwrap();
    let back = store.write(|change| Ok(change.connection.execute_batch(BACK)?));
    back.await.unwrap();
}

/// A disk with a store of version 1 on it, in whose queue something waits.
fn version_1(runtime: &tokio::runtime::Runtime) -> Image {
    let disk = cast().image.start(Plan::default(), 1);
    let store = open(&disk, "FULL").unwrap();
    runtime.block_on(enqueue(&store));
    drop(store);
    disk.lose_power()
}

#[test]
fn o01_power_that_goes_during_the_migration_costs_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let old = version_1(&runtime);
    let mut cut_off = 0;
    for change in 1..CHANGES {
        let plan = Plan {
            out_at: Some(change),
            ..Plan::default()
        };
        let disk = old.start(plan, change);
        let opened = open(&disk, "FULL");
        cut_off += u64::from(opened.is_err());
        drop(opened);
        let after = disk.lose_power().start(Plan::default(), change);
        let store = open(&after, "FULL").unwrap();
        let entries = runtime.block_on(store.entries()).unwrap();
        assert_eq!(entries.len(), 1, "cut off at change {change}");
        let due = runtime.block_on(store.next_due()).unwrap();
        assert_eq!(due, Some(NOW), "cut off at change {change}");
        drop(store);
        after.lose_power();
    }
    assert!(
        cut_off > 5,
        "the power goes within the migration: {cut_off}"
    );
}

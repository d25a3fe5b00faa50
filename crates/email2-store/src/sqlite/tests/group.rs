//! One fsync serves all who wait.

use std::sync::Arc;

use tempfile::TempDir;

use crate::commit::Counted;
use crate::conformance::sealed::{Author, By};
use crate::conformance::{NOW, account, inbox};
use crate::message::{Delivery, Messages, Outcome};
use crate::sqlite::SqliteStore;
use crate::{Account, Opening, Store, StoreError};

const DELIVERIES: u8 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_deliveries_share_commits() {
    let directory = TempDir::new().unwrap();
    let visitor = Store::open(directory.path(), Opening::Visit, NOW).unwrap();
    let alice = account(&visitor, "alice@example.com", None).await;
    let backend = SqliteStore::open(directory.path(), Opening::Serve, NOW).unwrap();
    let backend = Arc::new(backend);
    let author = Author::new();
    // All are ready before the first is given: what is measured is commits, not preparation.
    let mut ready = Vec::new();
    for nonce in 0..DELIVERIES {
        let message = author.seal(&alice.address, nonce, "Hello");
        let made = author.delivery(&visitor, &alice, &message, By::Author);
        ready.push(made.await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for delivery in ready {
        let backend = Arc::clone(&backend);
        tasks.spawn(async move { backend.deliver(vec![delivery]).await.unwrap().remove(0) });
    }
    while let Some(outcome) = tasks.join_next().await {
        assert!(matches!(outcome.unwrap(), Outcome::Stored { .. }));
    }
    let count = backend.commits();
    assert!(count.commits < u64::from(DELIVERIES) / 2, "{count:?}");
    assert!(count.fsyncs < u64::from(DELIVERIES) / 2, "{count:?}");
    assert_eq!(count.changes, u64::from(DELIVERIES));
    assert_eq!(
        inbox(&visitor, &alice).await.messages,
        u32::from(DELIVERIES)
    );
}

/// Fifty copies of one message at once: one is stored (spec §4.11.2).
#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_copies_one_is_stored() {
    let (store, _keep) = super::fresh();
    let alice = account(&store, "alice@example.com", None).await;
    let author = Author::new();
    let message = author.seal(&alice.address, 1, "Hello");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let delivery = author.delivery(&store, &alice, &message, By::Author).await;
        let store = store.clone();
        tasks.spawn(async move { store.deliver(vec![delivery]).await.unwrap().remove(0) });
    }
    let outcomes = tasks.join_all().await;
    let stored = |outcome: &&Outcome| matches!(outcome, Outcome::Stored { .. });
    assert_eq!(outcomes.iter().filter(stored).count(), 1);
    let duplicates = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Duplicate)
        .count();
    assert_eq!(duplicates, 49);
}

/// What fails in a group fails alone.
#[tokio::test]
async fn a_failed_change_undoes_only_itself() {
    let (store, _keep) = super::fresh();
    let alice = account(&store, "alice@example.com", None).await;
    let twice = async {
        let new = crate::NewAccount {
            address: alice.address.clone(),
            quota: None,
            strict: false,
            unlisted: false,
        };
        store.add_account(&new, NOW).await
    };
    let other = account(&store, "carol@example.com", None);
    let (failed, made) = tokio::join!(twice, other);
    assert!(failed.is_err());
    assert_eq!(store.account(&made.address).await.unwrap(), Some(made));
}

/// A delivery that fails undoes no other of its group, and what was stored is stored once.
#[tokio::test]
async fn a_failed_delivery_undoes_only_itself() {
    let (store, _keep) = super::fresh();
    let alice = account(&store, "alice@example.com", None).await;
    let carol = account(&store, "carol@example.com", None).await;
    let author = Author::new();
    let delivery = async |to: &Account, nonce: u8, text: &str| {
        let message = author.seal(&to.address, nonce, text);
        author.delivery(&store, to, &message, By::Author).await
    };
    let large = delivery(&carol, 1, &"large\r\n".repeat(8_000)).await;
    let body = large.body.clone();
    store.deliver(vec![large]).await.unwrap();
    store.remove_account(carol.id, NOW).await.unwrap();
    let gone = Delivery {
        body,
        ..delivery(&alice, 2, "gone").await
    };
    let (one, two) = (
        delivery(&alice, 3, "one").await,
        delivery(&alice, 4, "two").await,
    );
    let deliver = |delivery| store.deliver(vec![delivery]);
    let (one, failed, two) = tokio::join!(deliver(one), deliver(gone), deliver(two));
    assert!(matches!(failed, Err(StoreError::Refused(_))), "{failed:?}");
    for stored in [one, two] {
        let outcomes = stored.unwrap();
        assert!(
            matches!(outcomes[..], [Outcome::Stored { .. }]),
            "{outcomes:?}"
        );
    }
    assert_eq!(inbox(&store, &alice).await.messages, 2);
}

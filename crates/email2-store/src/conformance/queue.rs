//! The queue.

use email2::seal::Role;
use email2::{Domain, Identity, ReversePath};

use super::{NOW, account, address, body, inbox, whole};
use crate::Store;
use crate::message::Generate;
use crate::provenance::Generated;
use crate::queue::{NewEntry, QueueId, QueueRecipient, RecipientState, Settlement};

fn recipient(text: &str, state: RecipientState) -> QueueRecipient {
    QueueRecipient {
        address: address(text),
        etag: None,
        state,
        reply: None,
    }
}

async fn entry(store: &Store, octets: &[u8]) -> QueueId {
    let new = NewEntry {
        group: "g1".to_owned(),
        domain: Domain::parse("example.com").unwrap(),
        mail_from: ReversePath::Address(address("bob@example.org")),
        announced: Some((Role::Author, Identity::Address(address("bob@example.org")))),
        recipients: vec![
            recipient("alice@example.com", RecipientState::Waiting),
            recipient("carol@example.com", RecipientState::Waiting),
        ],
        body: body(store, octets).await,
        details: "{}".to_owned(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    };
    store.enqueue(vec![new]).await.unwrap().remove(0)
}

fn settlement(id: QueueId, epoch: u64) -> Settlement {
    Settlement::of(id, epoch, NOW)
}

pub(crate) async fn an_entry_comes_back_as_it_was_put(store: &Store) {
    let id = entry(store, &vec![b'x'; 50_000]).await;
    let entries = store.entries().await.unwrap();
    assert_eq!(
        (entries.len(), entries[0].id, entries[0].size),
        (1, id, 50_000)
    );
    assert_eq!(entries[0].recipients.len(), 2);
    assert_eq!(
        entries[0].announced.as_ref().map(|(role, _)| *role),
        Some(Role::Author)
    );
    let reader = store.entry_body(id).await.unwrap();
    assert_eq!(whole(&*reader).await, vec![b'x'; 50_000]);
}

pub(crate) async fn a_claim_that_was_lost_settles_nothing(store: &Store) {
    let id = entry(store, b"x").await;
    let first = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    assert!(store.claim(NOW, 60, 10).await.unwrap().is_empty());
    assert!(
        store
            .claim_these(&[id], NOW + 59, 60)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.drop_entries(&[id], NOW + 59).await.unwrap(), 0);
    let second = store.claim(NOW + 60, 60, 10).await.unwrap().remove(0);
    assert!(second.epoch > first.epoch);
    let mut lost = settlement(id, first.epoch);
    lost.finished = true;
    assert_eq!(store.settle(vec![lost]).await.unwrap(), [false]);
    let mut held = settlement(id, second.epoch);
    held.recipients = vec![recipient("alice@example.com", RecipientState::Delivered)];
    held.next_attempt = Some(NOW + 300);
    assert_eq!(store.settle(vec![held]).await.unwrap(), [true]);
    let entries = store.entries().await.unwrap();
    assert_eq!(entries[0].recipients[0].state, RecipientState::Delivered);
    assert_eq!(entries[0].recipients[1].state, RecipientState::Waiting);
    assert_eq!(
        (entries[0].next_attempt, entries[0].leased_until),
        (NOW + 300, None)
    );
    assert!(store.claim(NOW + 299, 60, 10).await.unwrap().is_empty());
}

pub(crate) async fn a_settled_entry_goes_with_its_report(store: &Store) {
    let bob = account(store, "bob@example.org", None).await;
    let id = entry(store, &vec![b'x'; 50_000]).await;
    let claimed = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let mut done = settlement(id, claimed.epoch);
    done.finished = true;
    done.reports = vec![Generate {
        door: Generated::by(Domain::parse("example.org").unwrap()),
        account: bob.id,
        mailbox: "INBOX".to_owned(),
        body: body(store, b"report").await,
        received: NOW,
    }];
    assert_eq!(store.settle(vec![done]).await.unwrap(), [true]);
    assert!(store.entries().await.unwrap().is_empty());
    assert!(store.entry_body(id).await.is_err());
    assert_eq!(inbox(store, &bob).await.messages, 1);
}

pub(crate) async fn sealed_again_it_has_the_new_octets(store: &Store) {
    let id = entry(store, b"old").await;
    let claimed = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let mut again = settlement(id, claimed.epoch);
    again.body = Some(body(store, b"new").await);
    again.recipients = vec![recipient("carol@example.com", RecipientState::Held)];
    assert_eq!(store.settle(vec![again]).await.unwrap(), [true]);
    let reader = store.entry_body(id).await.unwrap();
    assert_eq!(whole(&*reader).await, b"new");
    assert_eq!(store.retry_now(&[id], NOW).await.unwrap(), 1);
    let entries = store.entries().await.unwrap();
    assert_eq!(entries[0].recipients[1].state, RecipientState::Waiting);
    assert_eq!(store.drop_entries(&[id], NOW).await.unwrap(), 1);
}

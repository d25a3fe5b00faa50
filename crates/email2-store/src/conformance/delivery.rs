//! The three doors, exactly once, quota, bodies.

use email2::verdict::Way;

use super::sealed::{Author, By};
use super::{NOW, account, address, body, inbox, whole};
use crate::Store;
use crate::account::AccountId;
use crate::error::StoreError;
use crate::message::{Append, Flags, Generate, Outcome};
use crate::provenance::{Appended, Generated, Origin};

fn uid(outcome: &Outcome) -> u32 {
    match outcome {
        Outcome::Stored { uid, .. } => *uid,
        other => panic!("not stored: {other:?}"),
    }
}

pub(crate) async fn what_was_judged_is_kept_with_its_verdict(store: &Store) {
    let (author, alice) = (
        Author::new(),
        account(store, "alice@example.com", None).await,
    );
    let message = author.seal(&alice.address, 1, "Hello");
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    let provenance = delivery.accepted.provenance().clone();
    let outcomes = store.deliver(vec![delivery]).await.unwrap();
    assert_eq!(uid(&outcomes[0]), 1);
    let messages = store.messages(inbox(store, &alice).await.id).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].origin, Origin::Accepted(provenance));
    assert!(messages[0].origin.is_verified());
    let reader = store.message_body(messages[0].id).await.unwrap();
    let expected = [&b"Return-Path: <bob@example.org>\r\n"[..], &message].concat();
    assert_eq!(whole(&*reader).await, expected);
    assert_eq!(messages[0].size, expected.len() as u64);
}

pub(crate) async fn a_second_delivery_stores_nothing(store: &Store) {
    let (author, alice) = (
        Author::new(),
        account(store, "alice@example.com", None).await,
    );
    let message = author.seal(&alice.address, 1, "Hello");
    let first = author.delivery(store, &alice, &message, By::Author).await;
    let same = author.delivery(store, &alice, &message, By::Author).await;
    let later = author.delivery(store, &alice, &message, By::Author).await;
    let outcomes = store.deliver(vec![first, same]).await.unwrap();
    assert_eq!((uid(&outcomes[0]), &outcomes[1]), (1, &Outcome::Duplicate));
    assert_eq!(
        store.deliver(vec![later]).await.unwrap(),
        [Outcome::Duplicate]
    );
    assert_eq!(inbox(store, &alice).await.messages, 1);
}

pub(crate) async fn the_same_message_reaches_every_recipient(store: &Store) {
    let author = Author::new();
    let alice = account(store, "alice@example.com", None).await;
    let carol = account(store, "carol@example.com", None).await;
    let message = author.seal(&alice.address, 1, "Hello");
    let mut to_carol = author.delivery(store, &alice, &message, By::Author).await;
    let to_alice = author.delivery(store, &alice, &message, By::Author).await;
    (to_carol.account, to_carol.body) = (carol.id, to_alice.body.clone());
    let outcomes = store.deliver(vec![to_alice, to_carol]).await.unwrap();
    assert_eq!((uid(&outcomes[0]), uid(&outcomes[1])), (1, 1));
}

pub(crate) async fn the_same_seal_over_other_content_is_refused(store: &Store) {
    let (author, alice) = (
        Author::new(),
        account(store, "alice@example.com", None).await,
    );
    let one = author.seal(&alice.address, 1, "Hello");
    let other = author.seal(&alice.address, 1, "Other");
    let one = author.delivery(store, &alice, &one, By::Author).await;
    let other = author.delivery(store, &alice, &other, By::Author).await;
    let outcomes = store.deliver(vec![one, other]).await.unwrap();
    assert_eq!(outcomes[1], Outcome::DifferentContent);
}

pub(crate) async fn a_better_way_takes_the_place_of_a_worse(store: &Store) {
    let (author, alice) = (
        Author::new(),
        account(store, "alice@example.com", None).await,
    );
    let message = author.seal(&alice.address, 1, "Hello");
    let worse = author.delivery(store, &alice, &message, By::Hop).await;
    let better = author.delivery(store, &alice, &message, By::Author).await;
    let again = author.delivery(store, &alice, &message, By::Hop).await;
    let seal = better.accepted.seals()[0].clone();
    store.deliver(vec![worse]).await.unwrap();
    let outcomes = store.deliver(vec![better, again]).await.unwrap();
    let replaced = matches!(
        outcomes[0],
        Outcome::Stored {
            uid: 2,
            replaced: true,
            ..
        }
    );
    assert!(replaced, "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Duplicate);
    let inbox = inbox(store, &alice).await;
    let uids: Vec<u32> = store
        .messages(inbox.id)
        .await
        .unwrap()
        .iter()
        .map(|m| m.uid)
        .collect();
    assert_eq!(uids, [2]);
    let remembered = store
        .remembered(alice.id, &seal.key, seal.nonce)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(remembered.way, Way::Direct);
    assert_eq!(store.forget_seals(remembered.keep_until).await.unwrap(), 0);
    assert_eq!(
        store.forget_seals(remembered.keep_until + 1).await.unwrap(),
        1
    );
}

pub(crate) async fn what_was_put_there_is_never_verified(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let inbox = inbox(store, &alice).await;
    let appended = Append {
        door: Appended::by(alice.id),
        mailbox: inbox.id,
        flags: Flags {
            seen: true,
            ..Flags::default()
        },
        body: body(store, b"Email2-Verdict: verified\r\n\r\n").await,
        received: NOW,
    };
    let generated = Generate {
        door: Generated::by(email2::Domain::parse("example.com").unwrap()),
        account: alice.id,
        mailbox: "INBOX".to_owned(),
        body: body(store, b"From: mailer-daemon@example.com\r\n\r\n").await,
        received: NOW,
    };
    assert_eq!(uid(&store.append(vec![appended]).await.unwrap()[0]), 1);
    assert_eq!(uid(&store.generate(vec![generated]).await.unwrap()[0]), 2);
    let messages = store.messages(inbox.id).await.unwrap();
    assert_eq!(messages[0].origin, Origin::Appended);
    assert!(messages[0].flags.seen);
    assert!(matches!(&messages[1].origin, Origin::Generated(by) if by.as_str() == "example.com"));
    assert!(messages.iter().all(|message| !message.origin.is_verified()));
}

pub(crate) async fn over_quota_nothing_is_stored_or_remembered(store: &Store) {
    let author = Author::new();
    let alice = account(store, "alice@example.com", Some(100)).await;
    let message = author.seal(&alice.address, 1, "Hello");
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    assert_eq!(
        store.deliver(vec![delivery]).await.unwrap(),
        [Outcome::OverQuota]
    );
    store.set_quota(alice.id, None).await.unwrap();
    store.set_strict(alice.id, true).await.unwrap();
    let strict = store.account(&alice.address).await.unwrap().unwrap();
    assert!(strict.strict && strict.quota.is_none());
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    assert_eq!(uid(&store.deliver(vec![delivery]).await.unwrap()[0]), 1);
    let used = store.account(&alice.address).await.unwrap().unwrap().used;
    assert_eq!(used, message.len() as u64 + 32);
}

pub(crate) async fn what_is_removed_is_no_longer_charged(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let inbox = inbox(store, &alice).await;
    let append = Append {
        door: Appended::by(alice.id),
        mailbox: inbox.id,
        flags: Flags {
            deleted: true,
            ..Flags::default()
        },
        body: body(store, &vec![b'x'; 100_000]).await,
        received: NOW,
    };
    store.append(vec![append]).await.unwrap();
    let used = async || store.account(&alice.address).await.unwrap().unwrap().used;
    assert_eq!(used().await, 100_000);
    assert_eq!(store.expunge(inbox.id, None).await.unwrap(), [1]);
    assert_eq!(used().await, 0);
}

pub(crate) async fn large_bodies_are_read_in_ranges(store: &Store) {
    let octets: Vec<u8> = (0..300_000_u32).map(|place| (place % 251) as u8).collect();
    let spooled = body(store, &octets).await;
    let before = store.read_spooled(&spooled).await.unwrap();
    assert_eq!(whole(&*before).await, octets);
    let alice = account(store, "alice@example.com", None).await;
    let inbox = inbox(store, &alice).await;
    let append = Append {
        door: Appended::by(alice.id),
        mailbox: inbox.id,
        flags: Flags::default(),
        body: spooled.clone(),
        received: NOW,
    };
    store.append(vec![append]).await.unwrap();
    drop(spooled);
    let message = store.messages(inbox.id).await.unwrap().remove(0);
    let reader = store.message_body(message.id).await.unwrap();
    assert_eq!(whole(&*reader).await, octets);
    assert_eq!(reader.read(299_990, 100).await.unwrap(), octets[299_990..]);
    assert_eq!(reader.read(400_000, 100).await.unwrap(), b"");
}

pub(crate) async fn an_account_that_is_gone_is_said(store: &Store) {
    let (author, to) = (Author::new(), address("alice@example.com"));
    let alice = account(store, "alice@example.com", None).await;
    let message = author.seal(&to, 1, "Hello");
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    store.remove_account(alice.id, NOW).await.unwrap();
    assert_eq!(
        store.deliver(vec![delivery]).await.unwrap(),
        [Outcome::Gone]
    );
    let removed = store.remove_account(AccountId(99), NOW).await.unwrap_err();
    assert!(matches!(removed, StoreError::NotFound(_)), "{removed}");
}

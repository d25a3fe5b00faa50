//! Mailboxes, flags, copies, what changed.

use std::collections::BTreeSet;

use super::sealed::{Author, By};
use super::{NOW, account, body, inbox};
use crate::Store;
use crate::account::Account;
use crate::error::StoreError;
use crate::mailbox::{MailboxId, SpecialUse};
use crate::message::{Append, Copied, FlagAction, FlagChange, Flags};
use crate::provenance::Appended;

async fn append(store: &Store, account: &Account, mailbox: MailboxId, count: usize) {
    let octets = body(store, b"Subject: x\r\n\r\n").await;
    let one = || Append {
        door: Appended::by(account.id),
        mailbox,
        flags: Flags::default(),
        body: octets.clone(),
        received: NOW,
    };
    store
        .append((0..count).map(|_| one()).collect())
        .await
        .unwrap();
}

fn change(uids: &[u32], action: FlagAction, flags: Flags) -> FlagChange {
    FlagChange {
        uids: uids.to_vec(),
        action,
        flags,
        unchanged_since: None,
    }
}

pub(crate) async fn every_account_begins_with_its_mailboxes(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let mailboxes = store.mailboxes(alice.id).await.unwrap();
    let names: Vec<&str> = mailboxes
        .iter()
        .map(|mailbox| mailbox.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    );
    assert_eq!(mailboxes[4].special_use, Some(SpecialUse::Sent));
    assert!(
        mailboxes
            .iter()
            .all(|mailbox| mailbox.uid_next == 1 && mailbox.subscribed)
    );
    let validities: BTreeSet<u32> = mailboxes
        .iter()
        .map(|mailbox| mailbox.uid_validity)
        .collect();
    assert_eq!(validities.len(), 6);
}

pub(crate) async fn a_mailbox_made_anew_is_seen_to_be_new(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let make = async || store.create_mailbox(alice.id, "a/b", None, NOW).await;
    let first = make().await.unwrap();
    assert!(store.mailbox(alice.id, "a").await.unwrap().is_some());
    assert!(matches!(make().await, Err(StoreError::Exists(_))));
    store.delete_mailbox(alice.id, "a/b").await.unwrap();
    let second = make().await.unwrap();
    assert!(second.uid_validity > first.uid_validity);
    let inbox = store.delete_mailbox(alice.id, "inbox").await;
    assert!(matches!(inbox, Err(StoreError::Refused(_))));
    for name in ["a//b", "/", "", "x\n"] {
        let refused = store.create_mailbox(alice.id, name, None, NOW).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{name:?}");
    }
}

pub(crate) async fn renaming_takes_the_levels_below_along(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    store
        .create_mailbox(alice.id, "a/b/c", None, NOW)
        .await
        .unwrap();
    store.rename_mailbox(alice.id, "a", "z", NOW).await.unwrap();
    assert!(store.mailbox(alice.id, "z/b/c").await.unwrap().is_some());
    assert!(store.mailbox(alice.id, "a").await.unwrap().is_none());
    let below = store.rename_mailbox(alice.id, "z", "z/x", NOW).await;
    assert!(matches!(below, Err(StoreError::Refused(_))));
    let inbox = inbox(store, &alice).await;
    append(store, &alice, inbox.id, 2).await;
    store
        .rename_mailbox(alice.id, "INBOX", "old", NOW)
        .await
        .unwrap();
    assert_eq!(super::inbox(store, &alice).await.messages, 0);
    assert_eq!(
        store
            .mailbox(alice.id, "old")
            .await
            .unwrap()
            .unwrap()
            .messages,
        2
    );
}

pub(crate) async fn flags_change_and_modseq_tells(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let inbox = inbox(store, &alice).await.id;
    append(store, &alice, inbox, 3).await;
    let before = store.changes_since(inbox, 0).await.unwrap();
    assert_eq!(before.changed.len(), 3);
    let seen = Flags {
        seen: true,
        ..Flags::default()
    };
    let changed = store
        .change_flags(inbox, change(&[2, 9], FlagAction::Add, seen.clone()))
        .await
        .unwrap();
    assert_eq!(
        (changed.len(), changed[0].uid, changed[0].flags.seen),
        (1, 2, true)
    );
    let after = store
        .changes_since(inbox, before.highest_modseq)
        .await
        .unwrap();
    assert_eq!(after.changed, changed);
    let mut late = change(&[1, 2], FlagAction::Remove, seen);
    late.unchanged_since = Some(before.highest_modseq);
    let changed = store.change_flags(inbox, late).await.unwrap();
    assert_eq!(
        changed
            .iter()
            .map(|message| message.uid)
            .collect::<Vec<_>>(),
        [1]
    );
}

pub(crate) async fn expunged_messages_are_told(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let inbox = inbox(store, &alice).await.id;
    append(store, &alice, inbox, 3).await;
    let before = store.changes_since(inbox, 0).await.unwrap().highest_modseq;
    let deleted = Flags {
        deleted: true,
        ..Flags::default()
    };
    store
        .change_flags(inbox, change(&[1, 3], FlagAction::Add, deleted))
        .await
        .unwrap();
    assert_eq!(store.expunge(inbox, Some(&[1, 2])).await.unwrap(), [1]);
    let after = store.changes_since(inbox, before).await.unwrap();
    assert_eq!(after.vanished, [1]);
    assert_eq!(
        after
            .changed
            .iter()
            .map(|message| message.uid)
            .collect::<Vec<_>>(),
        [3]
    );
    append(store, &alice, inbox, 1).await;
    assert_eq!(super::inbox(store, &alice).await.uid_next, 5);
}

pub(crate) async fn copies_carry_the_verdict(store: &Store) {
    let (author, alice) = (
        Author::new(),
        account(store, "alice@example.com", None).await,
    );
    let message = author.seal(&alice.address, 1, "Hello");
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    store.deliver(vec![delivery]).await.unwrap();
    let inbox = inbox(store, &alice).await;
    let archive = store.mailbox(alice.id, "Archive").await.unwrap().unwrap();
    let copied = store
        .copy_messages(inbox.id, &[1], archive.id)
        .await
        .unwrap();
    assert_eq!(copied, [Copied { from: 1, to: 1 }]);
    let moved = store
        .move_messages(inbox.id, &[1], archive.id)
        .await
        .unwrap();
    assert_eq!(moved, [Copied { from: 1, to: 2 }]);
    assert_eq!(
        store.changes_since(inbox.id, 0).await.unwrap().vanished,
        [1]
    );
    let messages = store.messages(archive.id).await.unwrap();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message.origin.is_verified()));
    let named = store.messages_with(archive.id, &[2, 9]).await.unwrap();
    assert_eq!(named, messages[1..]);
}

pub(crate) async fn who_watches_is_told(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let carol = account(store, "carol@example.com", None).await;
    let (mut hers, others) = (store.watch(alice.id), store.watch(carol.id));
    let inbox = inbox(store, &alice).await.id;
    append(store, &alice, inbox, 1).await;
    assert!(hers.has_changed().unwrap());
    assert!(!others.has_changed().unwrap());
    hers.mark_unchanged();
    append(store, &alice, inbox, 1).await;
    assert!(hers.has_changed().unwrap());
}

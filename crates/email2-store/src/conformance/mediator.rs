//! Aliases, lists, and what is passed on.

use email2::seal::Role;
use email2::{Address, Domain, Identity, ReversePath};

use super::sealed::{Author, By};
use super::{NOW, account, address, body, inbox, whole};
use crate::alias::{Alias, AliasTarget};
use crate::error::StoreError;
use crate::list::{List, Member, Standing};
use crate::passage::{Passage, PassageOutcome};
use crate::queue::{NewEntry, QueueRecipient, RecipientState, Settlement};
use crate::{Outcome, Store};

async fn entry(store: &Store, to: &str) -> NewEntry {
    let to = address(to);
    NewEntry {
        group: "g7".to_owned(),
        domain: to.domain().clone(),
        mail_from: ReversePath::Address(address("alice@example.com")),
        announced: Some((
            Role::Forward,
            Identity::Service(Domain::parse("example.com").unwrap()),
        )),
        recipients: vec![QueueRecipient {
            address: to,
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        }],
        body: body(store, b"x\r\n").await,
        front: Vec::new(),
        details: String::new(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    }
}

async fn passage(store: &Store, author: &Author, by: &Address, message: &[u8], way: By) -> Passage {
    Passage {
        by: by.clone(),
        accepted: author.accepted(by, message, way),
        entries: vec![entry(store, "carol@example.net").await],
        held: false,
    }
}

pub(crate) async fn many_entries_share_a_body_behind_what_is_each_ones_own(store: &Store) {
    for octets in [b"shared".to_vec(), vec![b'x'; 50_000]] {
        let shared = body(store, &octets).await;
        let mut entries = Vec::new();
        for number in 0..3 {
            let mut entry = entry(store, "carol@example.net").await;
            (entry.front, entry.body) = (format!("{number}:").into_bytes(), shared.clone());
            entries.push(entry);
        }
        let ids = store.enqueue(entries).await.unwrap();
        drop(shared);
        assert_eq!(store.drop_entries(&ids[..1], NOW).await.unwrap(), 1);
        for (number, id) in ids.iter().enumerate().skip(1) {
            let whole_octets = [format!("{number}:").as_bytes(), &octets].concat();
            let kept = store.entry(*id).await.unwrap().unwrap();
            assert_eq!(kept.size, whole_octets.len() as u64);
            let reader = store.entry_body(*id).await.unwrap();
            assert_eq!(whole(&*reader).await, whole_octets);
            assert_eq!(reader.read(1, 2).await.unwrap(), whole_octets[1..3]);
        }
        // Other octets take the place of all that was there.
        let claimed = store.claim_these(&ids[1..2], NOW, 60).await.unwrap();
        let again = Settlement {
            body: Some(body(store, b"new").await),
            ..Settlement::of(ids[1], claimed[0].epoch, NOW)
        };
        store.settle(vec![again]).await.unwrap();
        let reader = store.entry_body(ids[1]).await.unwrap();
        assert_eq!(whole(&*reader).await, b"new");
        assert_eq!(store.drop_entries(&ids, NOW).await.unwrap(), 2);
    }
}

pub(crate) async fn one_address_names_one_thing(store: &Store) {
    account(store, "alice@example.com", None).await;
    let alias = |text: &str, target| Alias {
        address: address(text),
        target,
        created: NOW,
    };
    let linked = alias(
        "sales@example.com",
        AliasTarget::Account {
            address: address("alice@example.com"),
            linked: true,
        },
    );
    let elsewhere = vec![address("a@example.net"), address("b@example.org")];
    let away = alias(
        "away@example.com",
        AliasTarget::Elsewhere(elsewhere.clone()),
    );
    store.add_alias(&linked).await.unwrap();
    store.add_alias(&away).await.unwrap();
    assert_eq!(
        store.aliases().await.unwrap(),
        [away.clone(), linked.clone()]
    );
    let found = store.alias(&away.address).await.unwrap();
    assert_eq!(found, Some(away));
    for taken in ["alice@example.com", "sales@example.com"] {
        let again = alias(taken, AliasTarget::Elsewhere(elsewhere.clone()));
        let error = store.add_alias(&again).await.unwrap_err();
        assert!(matches!(error, StoreError::Exists(_)), "{error}");
    }
    let nobody = AliasTarget::Account {
        address: address("nobody@example.com"),
        linked: false,
    };
    let error = store.add_alias(&alias("x@example.com", nobody)).await;
    assert!(matches!(error, Err(StoreError::NotFound(_))));
    assert!(store.remove_alias(&linked.address).await.unwrap());
    assert!(!store.remove_alias(&linked.address).await.unwrap());
}

pub(crate) async fn a_list_has_its_members(store: &Store) {
    let list = List {
        address: address("club@example.com"),
        announcement: false,
        moderated: true,
        open: true,
        hidden: false,
        one_click: false,
        owner: address("alice@example.com"),
        created: NOW,
    };
    store.add_list(&list).await.unwrap();
    assert_eq!(store.list(&list.address).await.unwrap(), Some(list.clone()));
    let member = |text: &str, standing| Member {
        address: address(text),
        standing,
        since: NOW,
    };
    let bob = member("bob@example.org", Standing::Moderator);
    let carol = member("carol@example.net", Standing::Invited);
    for one in [&bob, &carol] {
        store.set_member(&list.address, one).await.unwrap();
    }
    let joined = member("carol@example.net", Standing::Member);
    store.set_member(&list.address, &joined).await.unwrap();
    let members = store.members(&list.address).await.unwrap();
    assert_eq!(members, [joined.clone(), bob]);
    let nowhere = address("none@example.com");
    let error = store.set_member(&nowhere, &joined).await;
    assert!(matches!(error, Err(StoreError::NotFound(_))));
    let carols = &joined.address;
    assert!(store.remove_member(&list.address, carols).await.unwrap());
    assert!(!store.remove_member(&list.address, carols).await.unwrap());
    assert!(store.remove_list(&list.address).await.unwrap());
    assert!(store.members(&list.address).await.unwrap().is_empty());
}

pub(crate) async fn what_is_passed_on_goes_once(store: &Store) {
    let author = Author::new();
    let alice = account(store, "alice@example.com", None).await;
    let message = author.seal(&alice.address, 1, "hi");
    for expected in [PassageOutcome::Kept, PassageOutcome::Duplicate] {
        let copy = author.delivery(store, &alice, &message, By::Author).await;
        let passage = passage(store, &author, &alice.address, &message, By::Author).await;
        let (stored, kept) = store.pass_on(vec![copy], vec![passage]).await.unwrap();
        assert_eq!(kept, [expected]);
        assert_eq!(stored.len(), 1);
    }
    assert_eq!(store.entries().await.unwrap().len(), 1);
    let mailbox = inbox(store, &alice).await.id;
    assert_eq!(store.messages(mailbox).await.unwrap().len(), 1);
    let other = author.seal(&alice.address, 1, "other");
    let passage = passage(store, &author, &alice.address, &other, By::Author).await;
    let (_, kept) = store.pass_on(Vec::new(), vec![passage]).await.unwrap();
    assert_eq!(kept, [PassageOutcome::DifferentContent]);
}

pub(crate) async fn a_better_way_passes_on_again(store: &Store) {
    let author = Author::new();
    let by = address("alice@example.com");
    let message = author.seal(&by, 2, "hi");
    for (way, expected) in [
        (By::Hop, PassageOutcome::Kept),
        (By::Author, PassageOutcome::Kept),
        (By::Hop, PassageOutcome::Duplicate),
    ] {
        let passage = passage(store, &author, &by, &message, way).await;
        let (_, kept) = store.pass_on(Vec::new(), vec![passage]).await.unwrap();
        assert_eq!(kept, [expected]);
    }
}

pub(crate) async fn nothing_is_passed_on_when_the_copy_finds_no_room(store: &Store) {
    let author = Author::new();
    let alice = account(store, "alice@example.com", Some(10)).await;
    let message = author.seal(&alice.address, 3, "hi");
    let copy = author.delivery(store, &alice, &message, By::Author).await;
    let passage = passage(store, &author, &alice.address, &message, By::Author).await;
    let (stored, kept) = store.pass_on(vec![copy], vec![passage]).await.unwrap();
    assert_eq!(stored, [Outcome::OverQuota]);
    assert!(kept.is_empty());
    assert!(store.entries().await.unwrap().is_empty());
}

pub(crate) async fn an_author_is_told_once(store: &Store) {
    let author = Author::new();
    let by = address("alice@example.com");
    let message = author.seal(&by, 4, "hi");
    let passage = passage(store, &author, &by, &message, By::Author).await;
    let seal = passage.accepted.seals()[0].clone();
    store.pass_on(Vec::new(), vec![passage]).await.unwrap();
    let known = store.passed(&by, &seal.key, seal.nonce).await.unwrap();
    assert_eq!(known.map(|known| known.digest), Some(seal.digest));
    for (expected, by) in [
        (true, &by),
        (false, &by),
        (false, &address("x@example.com")),
    ] {
        let report = entry(store, "bob@example.org").await;
        let told = store.report_passage(by, &seal.key, seal.nonce, report);
        assert_eq!(told.await.unwrap(), expected);
    }
    assert_eq!(store.entries().await.unwrap().len(), 2);
    let late = seal.keep_until + 1;
    assert_eq!(store.forget_passages(late, 0).await.unwrap(), 1);
}

pub(crate) async fn a_sender_is_told_once(store: &Store) {
    let until = NOW + 100;
    for (group, expected) in [("g1", true), ("g1", false), ("g2", true)] {
        let report = entry(store, "bob@example.org").await;
        let told = store.report_once(group, until, report).await;
        assert_eq!(told.unwrap(), expected, "{group}");
    }
    assert_eq!(store.entries().await.unwrap().len(), 2);
    assert_eq!(store.forget_passages(until, 0).await.unwrap(), 0);
    assert_eq!(store.forget_passages(until + 1, 0).await.unwrap(), 2);
}

pub(crate) async fn an_answer_is_given_once(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let bob = address("bob@example.org");
    for (since, expected) in [(NOW - 100, true), (NOW - 100, false), (NOW + 1, true)] {
        let answer = entry(store, "bob@example.org").await;
        let given = store.answer_once(alice.id, &bob, since, answer).await;
        assert_eq!(given.unwrap(), expected);
    }
}

pub(crate) async fn what_is_held_is_found_by_its_group(store: &Store) {
    let author = Author::new();
    let by = address("alice@example.com");
    let message = author.seal(&by, 5, "hi");
    let mut held = passage(store, &author, &by, &message, By::Author).await;
    held.held = true;
    store.pass_on(Vec::new(), vec![held]).await.unwrap();
    assert!(store.claim(NOW + 10, 60, 9).await.unwrap().is_empty());
    let ids = store.held(&by, "g7").await.unwrap();
    assert_eq!(ids.len(), 1);
    assert!(store.held(&by, "g8").await.unwrap().is_empty());
    let waiting = store.waiting(&by).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].group.as_str(), waiting[0].entry),
        ("g7", ids[0])
    );
    assert_eq!(waiting[0].entries, 1);
    let other = address("x@example.com");
    assert!(store.waiting(&other).await.unwrap().is_empty());
    assert!(store.held(&other, "g7").await.unwrap().is_empty());
    assert!(store.undecided(NOW + 9999).await.unwrap().is_empty());
    store.hold(&ids, false, NOW).await.unwrap();
    store.retry_now(&ids, NOW).await.unwrap();
    assert_eq!(store.claim(NOW + 10, 60, 9).await.unwrap().len(), 1);
}

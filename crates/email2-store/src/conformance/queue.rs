//! The queue.

use email2::seal::Role;
use email2::{Domain, Identity, ReversePath, limits};

use super::{NOW, account, address, body, inbox, whole};
use crate::Store;
use crate::message::Generate;
use crate::provenance::Generated;
use crate::queue::{
    ATTEMPTS_KEPT, Claimed, DomainNews, EntryFilter, NewEntry, Prepared, QueueId, QueueRecipient,
    RecipientState, Settlement,
};

fn recipient(text: &str, state: RecipientState) -> QueueRecipient {
    QueueRecipient {
        address: address(text),
        etag: None,
        state,
        reply: None,
    }
}

async fn entry(store: &Store, octets: &[u8]) -> QueueId {
    let new = new(store, octets).await;
    store.enqueue(vec![new]).await.unwrap().remove(0)
}

async fn new(store: &Store, octets: &[u8]) -> NewEntry {
    NewEntry {
        group: "g1".to_owned(),
        domain: Domain::parse("example.com").unwrap(),
        mail_from: ReversePath::Address(address("bob@example.org")),
        announced: Some((Role::Author, Identity::Address(address("bob@example.org")))),
        recipients: vec![
            recipient("alice@example.com", RecipientState::Waiting),
            recipient("carol@example.com", RecipientState::Waiting),
        ],
        body: body(store, octets).await,
        front: Vec::new(),
        details: "{}".to_owned(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    }
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
    // However full his mailbox is, the author is told (spec §12.5.7).
    let bob = account(store, "bob@example.org", Some(1)).await;
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

pub(crate) async fn what_copies_were_made_of_stays_while_they_do(store: &Store) {
    let large = vec![b'x'; 50_000];
    let id = entry(store, &large).await;
    assert!(store.entry_source(id).await.unwrap().is_none());
    let claimed = store.claim_these(&[id], NOW, 60).await.unwrap().remove(0);
    let copies = vec![new(store, b"one").await, new(store, b"two").await];
    let made = Settlement {
        finished: true,
        onward: copies,
        hands_down: true,
        ..settlement(id, claimed.epoch)
    };
    assert_eq!(store.settle(vec![made]).await.unwrap(), [true]);
    let ids: Vec<QueueId> = store
        .entries()
        .await
        .unwrap()
        .iter()
        .map(|e| e.id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(store.drop_entries(&ids[..1], NOW).await.unwrap(), 1);
    let source = store.entry_source(ids[1]).await.unwrap().unwrap();
    assert_eq!(whole(&*source).await, large);
    let body = store.entry_body(ids[1]).await.unwrap();
    assert_eq!(whole(&*body).await, b"two");
}

pub(crate) async fn sealed_again_it_has_the_new_octets(store: &Store) {
    let id = entry(store, b"old").await;
    let claimed = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let mut again = settlement(id, claimed.epoch);
    again.body = Some(body(store, b"new").await);
    assert_eq!(store.settle(vec![again]).await.unwrap(), [true]);
    let reader = store.entry_body(id).await.unwrap();
    assert_eq!(whole(&*reader).await, b"new");
    assert_eq!(store.drop_entries(&[id], NOW).await.unwrap(), 1);
}

pub(crate) async fn who_is_held_waits_again_only_when_that_is_said(store: &Store) {
    let id = entry(store, b"x").await;
    let claimed = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let mut held = settlement(id, claimed.epoch);
    held.recipients = vec![recipient("carol@example.com", RecipientState::Held)];
    assert_eq!(store.settle(vec![held]).await.unwrap(), [true]);
    assert_eq!(store.retry_now(&[id], NOW).await.unwrap(), 1);
    let entries = store.entries().await.unwrap();
    assert_eq!(entries[0].recipients[1].state, RecipientState::Held);
    assert_eq!(store.wait_again(&[id]).await.unwrap(), 1);
    assert_eq!(store.wait_again(&[id]).await.unwrap(), 0);
    let entries = store.entries().await.unwrap();
    assert_eq!(entries[0].recipients[1].state, RecipientState::Waiting);
}

/// `count` entries for a domain, due at `next_attempt`.
pub(crate) async fn entries_for(
    store: &Store,
    name: &str,
    count: usize,
    next_attempt: u64,
) -> Vec<QueueId> {
    let octets = body(store, b"x").await;
    let to = format!("alice@{name}");
    let new = (0..count).map(|_| NewEntry {
        group: name.to_owned(),
        domain: Domain::parse(name).unwrap(),
        mail_from: ReversePath::Address(address("bob@example.org")),
        announced: None,
        recipients: vec![recipient(&to, RecipientState::Waiting)],
        body: octets.clone(),
        front: Vec::new(),
        details: String::new(),
        created: NOW,
        expires: NOW + 500_000,
        next_attempt,
    });
    store.enqueue(new.collect()).await.unwrap()
}

/// A domain that takes mail.
pub(crate) async fn taking(store: &Store, name: &str) {
    entries_for(store, name, 1, NOW).await;
    let claim = store.claim(NOW, 60, 1).await.unwrap().remove(0);
    let done = Settlement {
        finished: true,
        domain: DomainNews::Accepted,
        ..settlement(claim.entry.id, claim.epoch)
    };
    assert_eq!(store.settle(vec![done]).await.unwrap(), [true]);
}

async fn settled(store: &Store, claim: &Claimed, news: DomainNews, at: u64) {
    let settlement = Settlement {
        next_attempt: Some(at + 60),
        said: Some("mx.example.net: no answer in time".to_owned()),
        domain: news,
        ..Settlement::of(claim.entry.id, claim.epoch, at)
    };
    assert_eq!(store.settle(vec![settlement]).await.unwrap(), [true]);
}

fn failed(claim: &Claimed, until: u64) -> DomainNews {
    DomainNews::Failed {
        before: claim.domain.failures,
        until,
        why: "mx.example.net: no answer in time".to_owned(),
    }
}

pub(crate) async fn a_second_settlement_of_one_claim_is_none(store: &Store) {
    let id = entry(store, b"x").await;
    let claimed = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let again = || settlement(id, claimed.epoch);
    assert_eq!(store.settle(vec![again()]).await.unwrap(), [true]);
    assert_eq!(store.settle(vec![again()]).await.unwrap(), [false]);
    let both = vec![again(), again()];
    assert_eq!(store.settle(both).await.unwrap(), [false, false]);
}

pub(crate) async fn a_domain_has_a_few_deliveries_at_a_time(store: &Store) {
    taking(store, "example.net").await;
    entries_for(store, "example.net", 20, NOW).await;
    entries_for(store, "example.com", 1, NOW + 1).await;
    let first = store.claim(NOW + 1, 60, 100).await.unwrap();
    let of = |claimed: &[Claimed], name: &str| {
        let here = claimed
            .iter()
            .filter(|claim| claim.entry.domain.as_str() == name);
        here.count()
    };
    assert_eq!(
        of(&first, "example.net"),
        limits::DOMAIN_DELIVERIES as usize
    );
    assert_eq!(of(&first, "example.com"), 1, "it waits for no other domain");
    assert!(store.claim(NOW + 2, 60, 100).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + 61));
    let claim = first
        .iter()
        .find(|claim| claim.entry.domain.as_str() == "example.net");
    settled(store, claim.unwrap(), DomainNews::Accepted, NOW + 3).await;
    assert_eq!(store.claim(NOW + 3, 60, 100).await.unwrap().len(), 1);
}

pub(crate) async fn a_domain_that_took_nothing_yet_is_tried_with_one(store: &Store) {
    entries_for(store, "example.net", 9, NOW).await;
    let first = store.claim(NOW, 60, 100).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(store.claim(NOW, 60, 100).await.unwrap().is_empty());
    let net = first[0].entry.domain.clone();
    settled(store, &first[0], DomainNews::Accepted, NOW).await;
    assert!(store.claim_next(&net, NOW, 60).await.unwrap().is_some());
    let more = store.claim(NOW, 60, 100).await.unwrap().len();
    assert_eq!(more, limits::DOMAIN_DELIVERIES as usize - 1);
    assert_eq!(store.claim_next(&net, NOW, 60).await.unwrap(), None, "full");
}

pub(crate) async fn a_domain_in_trouble_has_one_probe(store: &Store) {
    taking(store, "example.net").await;
    entries_for(store, "example.net", 1000, NOW).await;
    let first = store.claim(NOW, 60, 100).await.unwrap();
    for claim in &first {
        settled(store, claim, failed(claim, NOW + 60), NOW + 1).await;
    }
    let domains = store.waiting_domains(None, 10).await.unwrap();
    assert_eq!((domains.len(), domains[0].entries), (1, 1000));
    assert_eq!(domains[0].state.failures, 1, "side by side they count once");
    assert_eq!(
        domains[0].why.as_deref(),
        Some("mx.example.net: no answer in time")
    );
    assert!(store.claim(NOW + 59, 60, 100).await.unwrap().is_empty());
    let none = store.claim_next(&domains[0].domain, NOW + 59, 60);
    assert_eq!(none.await.unwrap(), None);
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + 60));
    let probe = store.claim(NOW + 70, 60, 100).await.unwrap();
    assert_eq!(probe.len(), 1, "one for a thousand");
    assert_eq!(
        probe[0].entry.id, first[0].entry.id,
        "greylisting wants the same again"
    );
    assert!(store.claim(NOW + 70, 60, 100).await.unwrap().is_empty());
    settled(store, &probe[0], DomainNews::Accepted, NOW + 71).await;
    let after = store.claim(NOW + 71, 60, 100).await.unwrap();
    assert_eq!(after.len(), limits::DOMAIN_DELIVERIES as usize);
    assert_eq!(after[0].domain.accepted, Some(NOW + 71));
}

pub(crate) async fn a_message_that_breaks_its_domain_does_not_stand_in_the_way(store: &Store) {
    taking(store, "example.net").await;
    let ids = entries_for(store, "example.net", 2, NOW).await;
    let mut now = NOW;
    let mut probed = Vec::new();
    for claim in store.claim(now, 60, 2).await.unwrap() {
        settled(store, &claim, failed(&claim, now + 60), now).await;
    }
    for _ in 0..6 {
        now += 600;
        let claim = store.claim(now, 60, 1).await.unwrap().remove(0);
        probed.push(claim.entry.id);
        settled(store, &claim, failed(&claim, now + 60), now).await;
    }
    assert!(ids.iter().all(|id| probed.contains(id)), "{probed:?}");
}

pub(crate) async fn whose_time_is_over_waits_for_no_domain(store: &Store) {
    entries_for(store, "example.net", 3, NOW).await;
    let claim = store.claim(NOW, 60, 1).await.unwrap().remove(0);
    settled(store, &claim, failed(&claim, NOW + 10_000_000), NOW).await;
    let late = NOW + limits::DELAY_REPORT;
    assert_eq!(store.next_due().await.unwrap(), Some(late));
    assert!(store.claim(late - 1, 60, 100).await.unwrap().is_empty());
    let alarmed = store.claim(late, 60, 100).await.unwrap();
    assert_eq!(alarmed.len(), 3);
    assert!(
        alarmed
            .iter()
            .all(|claim| claim.alarm && claim.why.is_some())
    );
    for claim in &alarmed {
        let told = Settlement {
            delayed: true,
            ..Settlement::of(claim.entry.id, claim.epoch, late)
        };
        assert_eq!(store.settle(vec![told]).await.unwrap(), [true]);
    }
    assert!(store.claim(late + 5000, 60, 100).await.unwrap().is_empty());
    let over = store.claim(NOW + 500_000, 60, 100).await.unwrap();
    assert_eq!(over.len(), 3, "their time is over");
    assert!(over.iter().all(|claim| claim.alarm && claim.entry.delayed));
}

pub(crate) async fn what_is_held_leaves_when_it_is_released(store: &Store) {
    let ids = entries_for(store, "example.net", 2, NOW).await;
    assert_eq!(store.hold(&ids[..1], true, NOW).await.unwrap(), 1);
    assert_eq!(
        store.hold(&ids[..1], true, NOW).await.unwrap(),
        0,
        "it is held"
    );
    assert_eq!(store.retry_now(&ids[..1], NOW).await.unwrap(), 0);
    let claimed = store.claim(NOW + 1_000_000, 60, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].entry.id, ids[1]);
    assert_eq!(
        store.hold(&ids, true, NOW).await.unwrap(),
        1,
        "and what is under way"
    );
    settled(store, &claimed[0], DomainNews::Nothing, NOW).await;
    assert!(
        store
            .claim(NOW + 2_000_000, 60, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.hold(&ids, false, NOW).await.unwrap(), 2);
    assert_eq!(store.claim(NOW + 60, 60, 10).await.unwrap().len(), 1);
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + 120));
}

pub(crate) async fn a_claim_is_renewed_and_its_message_prepared_while_it_holds(store: &Store) {
    let id = entries_for(store, "example.net", 1, NOW).await.remove(0);
    let claim = store.claim(NOW, 60, 1).await.unwrap().remove(0);
    assert!(store.renew(id, claim.epoch, NOW + 200).await.unwrap());
    assert!(store.claim(NOW + 100, 60, 1).await.unwrap().is_empty());
    let prepared = |body| Prepared {
        body,
        announced: Some((Role::Author, Identity::Address(address("bob@example.org")))),
        details: "sealed".to_owned(),
        expires: NOW + 900,
    };
    let octets = prepared(body(store, b"sealed").await);
    assert!(store.prepare(id, claim.epoch, octets).await.unwrap());
    let kept = store.entry(id).await.unwrap().unwrap();
    assert_eq!((kept.expires, kept.details.as_str()), (NOW + 900, "sealed"));
    assert!(kept.announced.is_some());
    let reader = store.entry_body(id).await.unwrap();
    assert_eq!(whole(&*reader).await, b"sealed");
    settled(store, &claim, DomainNews::Nothing, NOW + 1).await;
    assert!(!store.renew(id, claim.epoch, NOW + 900).await.unwrap());
    let octets = prepared(body(store, b"late").await);
    assert!(!store.prepare(id, claim.epoch, octets).await.unwrap());
}

pub(crate) async fn leases_end_with_the_server_that_held_them(store: &Store) {
    taking(store, "example.net").await;
    entries_for(store, "example.net", 9, NOW).await;
    assert_eq!(store.claim(NOW, 600, 100).await.unwrap().len(), 4);
    assert_eq!(store.end_leases(NOW + 1).await.unwrap(), 4);
    assert_eq!(store.claim(NOW + 1, 600, 100).await.unwrap().len(), 4);
}

pub(crate) async fn the_queue_is_listed_in_pages(store: &Store) {
    let here = entries_for(store, "example.net", 5, NOW).await;
    entries_for(store, "example.com", 5, NOW).await;
    let mut found = Vec::new();
    let (mut after, all) = (QueueId(0), EntryFilter::default());
    loop {
        let page = store.entries_after(after, &all, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = last.id;
        found.extend(page.iter().map(|entry| entry.id));
    }
    assert_eq!(found.len(), 10);
    let domain = Domain::parse("example.net").unwrap();
    for filter in [
        EntryFilter {
            domain: Some(domain.clone()),
            ..EntryFilter::default()
        },
        EntryFilter {
            group: Some("example.net".to_owned()),
            held: Some(false),
            domain: Some(domain),
        },
    ] {
        let some = store.entries_after(QueueId(0), &filter, 100).await.unwrap();
        let some: Vec<QueueId> = some.iter().map(|entry| entry.id).collect();
        assert_eq!(some, here);
    }
}

pub(crate) async fn the_newest_attempts_are_kept(store: &Store) {
    let id = entries_for(store, "example.net", 1, NOW).await.remove(0);
    let mut now = NOW;
    for _ in 0..ATTEMPTS_KEPT + 3 {
        let claim = store.claim_these(&[id], now, 60).await.unwrap().remove(0);
        settled(store, &claim, DomainNews::Nothing, now).await;
        now += 100;
    }
    let attempts = store.attempts(id).await.unwrap();
    assert_eq!(attempts.len(), ATTEMPTS_KEPT as usize);
    assert_eq!((attempts[0].number, attempts[0].at), (4, NOW + 300));
    assert_eq!(attempts[0].said, "mx.example.net: no answer in time");
}

pub(crate) async fn a_settlement_brings_reports_for_others_with_it(store: &Store) {
    let id = entry(store, b"x").await;
    let claim = store.claim(NOW, 60, 10).await.unwrap().remove(0);
    let report = NewEntry {
        group: "report".to_owned(),
        domain: Domain::parse("example.org").unwrap(),
        mail_from: ReversePath::Null,
        announced: None,
        recipients: vec![recipient("bob@example.org", RecipientState::Waiting)],
        body: body(store, b"report").await,
        front: Vec::new(),
        details: String::new(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    };
    let done = Settlement {
        finished: true,
        onward: vec![report],
        ..settlement(id, claim.epoch)
    };
    assert_eq!(store.settle(vec![done]).await.unwrap(), [true]);
    let entries = store.entries().await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].mail_from, ReversePath::Null);
    assert_eq!(store.claim(NOW, 60, 10).await.unwrap().len(), 1);
    assert_eq!(
        store.forget_domains(NOW).await.unwrap(),
        1,
        "the other domain"
    );
}

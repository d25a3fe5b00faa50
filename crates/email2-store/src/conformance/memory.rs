//! What is remembered: peers, pins, blocks, settings.

use email2::block::BlockPattern;
use email2::known::{KnownCertificate, KnownDomain, KnownKey, KnownPolicy};
use email2::{Assurance, Domain, Fingerprint, Identity, KeyFlags, Strictness};

use super::sealed::{self, Author, By};
use super::{NOW, account, address};
use crate::Store;
use crate::account::Account;
use crate::block::Scope;
use crate::message::Outcome;
use crate::peer::{Pin, Standing};

fn bob() -> Identity {
    Identity::parse("bob@example.org").unwrap()
}

fn fingerprint(octet: u8) -> Fingerprint {
    Fingerprint::from_bytes(&[octet; 20]).unwrap()
}

pub(crate) async fn a_domain_is_remembered(store: &Store) {
    let domain = Domain::parse("example.org").unwrap();
    assert_eq!(store.peer_domain(&domain).await.unwrap(), None);
    let mut known = KnownDomain {
        speaks_until: NOW + 100,
        ma: Some(100),
        p: Some(Strictness::Strict),
        sp: None,
        assurance: Some(Assurance::Dnssec),
        learnt: NOW,
    };
    let kept = store.keep_peer_domain(&domain, known.clone()).await;
    kept.unwrap();
    assert_eq!(
        store.peer_domain(&domain).await.unwrap(),
        Some(known.clone())
    );
    known.assurance = None;
    known.speaks_until = 0;
    let kept = store.keep_peer_domain(&domain, known.clone()).await;
    kept.unwrap();
    assert_eq!(store.peer_domain(&domain).await.unwrap(), Some(known));
}

pub(crate) async fn a_policy_is_remembered(store: &Store) {
    let domain = Domain::parse("example.org").unwrap();
    assert_eq!(store.peer_policy(&domain).await.unwrap(), None);
    for id in ["1", "2"] {
        let policy = KnownPolicy {
            id: id.to_owned(),
            text: format!("version: STSv1\nmode: none\nmax_age: {id}\n"),
            fetched: NOW,
            until: NOW + 60,
        };
        let kept = store.keep_peer_policy(&domain, policy.clone()).await;
        kept.unwrap();
        assert_eq!(store.peer_policy(&domain).await.unwrap(), Some(policy));
    }
}

pub(crate) async fn what_is_in_force_is_never_forgotten(store: &Store) {
    let [speaks, spoke, withdrew, fresh] = ["a", "b", "c", "d"].map(|label| {
        let name = format!("{label}.example");
        Domain::parse(&name).unwrap()
    });
    for (domain, speaks_until, learnt) in [
        (&speaks, NOW + 1, NOW - 1000),
        (&spoke, NOW, NOW - 1000),
        (&withdrew, 0, NOW - 1000),
        (&fresh, 0, NOW - 10),
    ] {
        let known = KnownDomain {
            speaks_until,
            learnt,
            ..KnownDomain::default()
        };
        store.keep_peer_domain(domain, known).await.unwrap();
        let policy = KnownPolicy {
            id: "1".to_owned(),
            text: "version: STSv1\nmode: none\nmax_age: 1\n".to_owned(),
            fetched: learnt,
            until: speaks_until,
        };
        store.keep_peer_policy(domain, policy).await.unwrap();
    }
    let forgotten = store.forget_peer_domains(NOW, NOW - 10).await.unwrap();
    assert_eq!(forgotten, 2);
    for (domain, kept) in [(&speaks, true), (&spoke, false), (&withdrew, false)] {
        let known = store.peer_domain(domain).await.unwrap();
        assert_eq!(known.is_some(), kept, "{domain}");
    }
    assert!(store.peer_domain(&fresh).await.unwrap().is_some());
    assert_eq!(store.forget_peer_policies(NOW).await.unwrap(), 3);
    assert!(store.peer_policy(&speaks).await.unwrap().is_some());
}

pub(crate) async fn an_answer_is_remembered_by_its_question(store: &Store) {
    let flags = KeyFlags {
        strict: true,
        since: Some(NOW),
        ..KeyFlags::default()
    };
    let certificate = KnownCertificate {
        octets: b"octets".to_vec(),
        etag: "0a".parse().unwrap(),
        flags,
    };
    let mut writers = KnownKey {
        answer: Some(certificate),
        assurance: Some(Assurance::DomainCertificate),
        fetched: NOW,
        ttl: 3600,
    };
    let verifiers = KnownKey {
        answer: None,
        assurance: None,
        fetched: NOW + 5,
        ..writers.clone()
    };
    let (who, key, other) = (bob(), fingerprint(7), fingerprint(8));
    let keep = async |asked, known| store.keep_peer_key(&who, asked, known).await.unwrap();
    keep(None, writers.clone()).await;
    keep(Some(&key), verifiers.clone()).await;
    writers.ttl = 60;
    keep(None, writers.clone()).await;
    let ask = async |asked| store.peer_key(&who, asked).await.unwrap();
    assert_eq!(ask(None).await, Some(writers));
    assert_eq!(ask(Some(&key)).await, Some(verifiers));
    assert_eq!(ask(Some(&other)).await, None);
    assert_eq!(store.forget_peer_keys(NOW + 1).await.unwrap(), 1);
    assert_eq!(ask(None).await, None);
}

pub(crate) async fn a_held_key_stands_beside_the_known_one(store: &Store) {
    let known = Pin {
        identity: bob(),
        standing: Standing::Known,
        primary: fingerprint(1),
        octets: b"one".to_vec(),
        assurance: Some(Assurance::Dnssec),
        since: NOW,
        encrypted: None,
    };
    let held = Pin {
        standing: Standing::Held,
        primary: fingerprint(2),
        ..known.clone()
    };
    store.keep_pin(known.clone()).await.unwrap();
    store.keep_pin(held.clone()).await.unwrap();
    assert_eq!(store.pins(&bob()).await.unwrap(), [known.clone(), held]);
    store.drop_pin(&bob(), Standing::Held).await.unwrap();
    assert_eq!(store.list_pins().await.unwrap(), [known]);
}

pub(crate) async fn an_author_is_known_once_mail_was_stored(store: &Store) {
    let author = Author::new();
    let alice = account(store, "alice@example.com", None).await;
    let carol = account(store, "carol@example.com", None).await;
    let ask = async |who: &Account, author: &str, domain: &str, before: u64| {
        let (author, domain) = (address(author), Domain::parse(domain).unwrap());
        let asked = store.acquaintance(who.id, &author, &domain, before);
        let found = asked.await.unwrap();
        (found.author, found.domain, found.domain_here)
    };
    let bob = "Bob+x@example.org";
    let none = (false, false, false);
    assert_eq!(ask(&alice, bob, "example.org", NOW).await, none);
    for (number, is_first) in [(1, true), (2, false)] {
        let message = author.seal(&alice.address, number, "Hello");
        let delivery = author.delivery(store, &alice, &message, By::Author).await;
        let outcomes = store.deliver(vec![delivery]).await.unwrap();
        let [Outcome::Stored { first, .. }] = outcomes.as_slice() else {
            panic!("{outcomes:?}");
        };
        assert_eq!(*first, is_first, "message {number}");
    }
    let all = (true, true, true);
    assert_eq!(ask(&alice, bob, "example.org", NOW).await, all);
    let young = (true, false, false);
    assert_eq!(ask(&alice, bob, "example.org", NOW - 1).await, young);
    let elsewhere = (false, false, true);
    assert_eq!(ask(&carol, bob, "example.org", NOW).await, elsewhere);
    assert_eq!(ask(&carol, bob, "org", NOW).await, elsewhere);
    assert_eq!(ask(&carol, bob, "ample.org", NOW).await, none);
    assert_eq!(ask(&carol, bob, "mail.example.org", NOW).await, none);
}

pub(crate) async fn a_domain_is_met_by_its_ordinary_mail(store: &Store) {
    const DAY: u64 = 86_400;
    let alice = account(store, "alice@example.com", None).await;
    let carol = account(store, "carol@example.com", None).await;
    let domain = Domain::parse("example.org").unwrap();
    let met = async |who: &Account, before: u64| {
        let met = store.met_domain(who.id, &domain, before).await.unwrap();
        (met.by_account, met.by_anybody)
    };
    assert_eq!(met(&alice, NOW).await, (false, false));
    for now in [NOW, NOW + 10] {
        store.meet_domain(alice.id, &domain, now).await.unwrap();
    }
    assert_eq!(met(&alice, NOW).await, (true, true));
    assert_eq!(met(&alice, NOW - 1).await, (false, false));
    assert_eq!(met(&carol, NOW).await, (false, true));
    // The first one stays, and the last one counts by the day.
    store
        .meet_domain(alice.id, &domain, NOW + 2 * DAY)
        .await
        .unwrap();
    assert_eq!(store.forget_met_domains(NOW + 2 * DAY).await.unwrap(), 0);
    assert_eq!(met(&alice, NOW).await, (true, true));
    assert_eq!(store.forget_met_domains(NOW + 3 * DAY).await.unwrap(), 1);
    assert_eq!(met(&alice, NOW).await, (false, false));
}

pub(crate) async fn blocks_belong_to_their_scope(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let hers = Scope::Account(alice.id);
    let pattern = |text| BlockPattern::parse(text).unwrap();
    let (eve, domain) = (pattern("eve@example.net"), pattern("@example.net"));
    let both = [eve.clone(), domain.clone()];
    assert_eq!(store.add_blocks(hers, &both, NOW).await.unwrap(), 2);
    assert_eq!(store.add_blocks(hers, &both, NOW).await.unwrap(), 0);
    assert_eq!(
        store
            .add_blocks(Scope::Server, &both[..1], NOW)
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.blocks(hers).await.unwrap(), both);
    assert_eq!(store.remove_blocks(hers, &both[..1]).await.unwrap(), 1);
    assert_eq!(store.blocks(hers).await.unwrap(), [domain]);
    store.replace_blocks(hers, &[], NOW).await.unwrap();
    assert_eq!(store.blocks(hers).await.unwrap(), []);
    assert_eq!(store.blocks(Scope::Server).await.unwrap(), [eve]);
}

pub(crate) async fn settings_are_set_together(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let hers = Scope::Account(alice.id);
    let value = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    store
        .set(
            hers,
            vec![value("a/x", b"1"), value("a/y", b"2"), value("b", b"3")],
        )
        .await
        .unwrap();
    store
        .set(hers, vec![value("a/x", b"9"), ("b".to_owned(), None)])
        .await
        .unwrap();
    assert_eq!(
        store.setting(hers, "a/x").await.unwrap(),
        Some(b"9".to_vec())
    );
    assert_eq!(store.setting(hers, "b").await.unwrap(), None);
    assert_eq!(store.setting(Scope::Server, "a/x").await.unwrap(), None);
    let names: Vec<String> = store
        .settings(hers, "a/")
        .await
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a/x", "a/y"]);
}

/// spec §11.4.1
pub(crate) async fn who_sealed_is_remembered_by_whom_it_reached(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let carol = account(store, "carol@example.com", None).await;
    let author = Author::new();
    let message = author.seal(&alice.address, 1, "hello");
    let delivery = author.delivery(store, &alice, &message, By::Author).await;
    store.deliver(vec![delivery]).await.unwrap();
    let both = [alice.id, carol.id];
    for (author, had) in [
        ("bob@example.org", vec![alice.id]),
        ("BOB+news@example.org", vec![alice.id]),
        ("bob@example.net", vec![]),
    ] {
        let authors = [author.parse().unwrap()];
        let found = store.had_sealed(&both, &authors).await.unwrap();
        assert_eq!(found, had, "{author}");
    }
}

/// spec §11.5.2
pub(crate) async fn a_report_of_an_ordinary_hop_is_taken_once(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let (sent, other) = ([1; 32], [2; 32]);
    let until = NOW + 10;
    store
        .remember_sent(alice.id, vec![sent], until)
        .await
        .unwrap();
    let asked = store.sent(alice.id, &[sent, other], until).await.unwrap();
    assert_eq!(asked, [sent]);
    let late = store.sent(alice.id, &[sent], until + 1).await.unwrap();
    assert!(late.is_empty());
    let mut outcomes = Vec::new();
    // One that found no room was not taken.
    for quota in [Some(1), None, None] {
        store.set_quota(alice.id, quota).await.unwrap();
        let report = sealed::report(store, &alice, vec![sent]).await;
        outcomes.extend(store.deliver(vec![report]).await.unwrap());
    }
    assert!(matches!(
        outcomes.as_slice(),
        [
            Outcome::OverQuota,
            Outcome::Stored { .. },
            Outcome::Duplicate
        ]
    ));
    store
        .remember_sent(alice.id, vec![other], until)
        .await
        .unwrap();
    assert_eq!(store.forget_sent(until).await.unwrap(), 0);
    assert_eq!(store.forget_sent(until + 1).await.unwrap(), 1);
}

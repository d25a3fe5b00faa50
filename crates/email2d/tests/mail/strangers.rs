//! First contact: budgets for verified authors whom nobody knows yet (spec §10.6).

use email2::certificate::generate::generate;
use email2::known::{KnownCertificate, KnownKey};
use email2::{Assurance, Identity, KeyFlags};
use email2_store::{Account, Scope};

use crate::house::{House, Person};
use crate::wire::Wire;

/// Two messages an hour of domains never seen for the whole server, one of one domain.
const FEW: &str = "[limits]\nfirst_contacts = 2\n";

/// The refusal at RCPT and at the end of the content.
const WAITS: &str = "450 4.7.1 ";

/// Somebody at a domain elsewhere, whose key this server asked for already.
async fn elsewhere(house: &House, address: &str) -> Person {
    let address: email2::Address = address.parse().unwrap();
    let who = Identity::Address(address.clone());
    let now = house.world.now();
    let secret = generate(&who, now, &mut house.world.rng()).unwrap();
    let certificate = secret.certificate();
    let known = KnownKey {
        answer: Some(KnownCertificate {
            octets: certificate.octets().to_vec(),
            etag: certificate.etag(),
            flags: KeyFlags::default(),
        }),
        assurance: Some(Assurance::DomainCertificate),
        fetched: now,
        ttl: 3600,
    };
    for key in certificate.signing_keys() {
        let kept = house
            .store
            .keep_peer_key(&who, Some(&key), known.clone())
            .await;
        kept.unwrap();
    }
    let beside = format!("{}@example.com", address.local());
    Person {
        account: house.account(&beside, None).await,
        address,
        secret,
        token: String::new(),
    }
}

/// What the server says to RCPT, or to the end of a message that RCPT let pass.
async fn writes(house: &House, author: &Person, to: &str) -> String {
    let mut wire = Wire::mx(house).await;
    wire.ask(&author.announces()).await;
    let reply = wire.ask(&format!("RCPT TO:<{to}>")).await;
    if !reply.starts_with("250 ") {
        return reply;
    }
    let message = house.sealed(author, &[to], &author.letter(to, "hello\r\n"));
    wire.data(&message).await
}

async fn knows(house: &House, account: &Account, contact: &str) {
    let contacts = ("contacts".to_owned(), Some(contact.as_bytes().to_vec()));
    let set = house.store.set(Scope::Account(account.id), vec![contacts]);
    set.await.unwrap();
}

#[tokio::test]
async fn a_domain_whose_budget_is_used_up_waits_at_rcpt_and_others_do_not() {
    let house = House::with(FEW).await;
    let alice = house.person("alice@example.com").await;
    house.person("carol@example.com").await;
    let eve = elsewhere(&house, "eve@a.strangers.example").await;
    let reply = writes(&house, &eve, "alice@example.com").await;
    assert!(reply.starts_with("250 "), "{reply}");
    let reply = writes(&house, &eve, "carol@example.com").await;
    assert_eq!(
        reply.trim_end(),
        format!("{WAITS}Too much mail from senders who are not known here yet, try again later")
    );
    // Alice has had mail of eve, and eve is no stranger to her.
    let reply = writes(&house, &eve, "alice@example.com").await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(house.inbox(&alice.account).await.len(), 2);
    // Whoever lives here is none either.
    let bob = house.person("bob@example.org").await;
    let reply = writes(&house, &bob, "carol@example.com").await;
    assert!(reply.starts_with("250 "), "{reply}");
}

#[tokio::test]
async fn domains_never_seen_share_a_budget_and_a_contact_does_not_wait() {
    let house = House::with(FEW).await;
    let alice = house.person("alice@example.com").await;
    for new in ["one@one.example", "two@two.example"] {
        let stranger = elsewhere(&house, new).await;
        let reply = writes(&house, &stranger, "alice@example.com").await;
        assert!(reply.starts_with("250 "), "{new}: {reply}");
    }
    let three = elsewhere(&house, "three@three.example").await;
    let reply = writes(&house, &three, "alice@example.com").await;
    assert!(reply.starts_with(WAITS), "{reply}");
    knows(&house, &alice.account, "three@three.example\r\n").await;
    let reply = writes(&house, &three, "alice@example.com").await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(house.inbox(&alice.account).await.len(), 3);
}

#[tokio::test]
async fn an_author_who_was_not_announced_waits_when_the_seal_was_read() {
    let house = House::with(FEW).await;
    let alice = house.person("alice@example.com").await;
    let eve = elsewhere(&house, "eve@strangers.example").await;
    let reply = writes(&house, &eve, "alice@example.com").await;
    assert!(reply.starts_with("250 "), "{reply}");
    let mallory = elsewhere(&house, "mallory@strangers.example").await;
    let to = "alice@example.com";
    let message = house.sealed(&mallory, &[to], &mallory.letter(to, "hello\r\n"));
    let mut wire = Wire::mx(&house).await;
    wire.ask("MAIL FROM:<mallory@strangers.example>").await;
    assert_eq!(wire.code(&format!("RCPT TO:<{to}>")).await, "250");
    let reply = wire.data(&message).await;
    assert!(reply.starts_with(WAITS), "{reply}");
    assert_eq!(house.inbox(&alice.account).await.len(), 1);
}

#[tokio::test]
async fn what_is_refused_is_charged_to_nobody() {
    let house = House::with(FEW).await;
    house.person("alice@example.com").await;
    let eve = elsewhere(&house, "eve@strangers.example").await;
    let to = "alice@example.com";
    let changed = house.sealed(&eve, &[to], &eve.letter(to, "hello\r\n")) + "and more\r\n";
    for _ in 0..3 {
        let reply = Wire::mx(&house).await.deliver(&eve, &[to], &changed).await;
        assert!(reply.starts_with("550 5.7.7 "), "{reply}");
    }
    let reply = writes(&house, &eve, to).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

//! Sealed mail: stored once, octet for octet, or refused for what is wrong with it.

use email2::Identity;
use email2::certificate::generate::generate;

use crate::house::{House, Person};
use crate::wire::Wire;

#[tokio::test]
async fn a_sealed_message_is_stored_as_it_came() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let message = house.sealed(
        &bob,
        &["alice@example.com"],
        &bob.letter("alice@example.com", "hi\r\n"),
    );
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &["alice@example.com"], &message).await;
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.org, stored as "),
        "{reply}"
    );
    let inbox = house.inbox(&alice.account).await;
    assert_eq!(inbox.len(), 1);
    let (stored, verified) = &inbox[0];
    assert!(stored.ends_with(&message), "{stored}");
    assert!(stored.starts_with("Return-Path: <bob@example.org>\r\n"));
    assert!(!stored.contains("127.0.0.1"), "spec §4.14.1: {stored}");
    assert!(verified);
}

#[tokio::test]
async fn the_same_message_again_is_stored_once() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.com").await;
    let message = house.sealed(
        &bob,
        &["alice@example.com"],
        &bob.letter("alice@example.com", "hi\r\n"),
    );
    let mut wire = Wire::mx(&house).await;
    for _ in 0..2 {
        let reply = wire.deliver(&bob, &["alice@example.com"], &message).await;
        assert!(reply.starts_with("250 2.0.0 sealed by"), "{reply}");
    }
    assert_eq!(house.inbox(&alice.account).await.len(), 1);
    // Replay to somebody else: the seal does not name her.
    let reply = wire.deliver(&bob, &["carol@example.com"], &message).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(house.inbox(&carol.account).await.is_empty());
}

#[tokio::test]
async fn what_was_changed_is_refused() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mallory = house.person("mallory@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let letter = bob.letter(to[0], "Send nothing.\r\n");
    let sealed = house.sealed(&bob, &to, &letter);
    let changed = [
        sealed.replace("nothing", "money!!"),
        sealed.replace("From: bob@", "From: bot@"),
        sealed.replace("Subject: hello", "Subject: Hello"),
        format!("Subject: above\r\n{sealed}"),
        letter.clone(),
        // Sealed by mallory, who may seal for herself only.
        house.sealed(&mallory, &to, &letter),
    ];
    let mut wire = Wire::mx(&house).await;
    for message in changed {
        let reply = wire.deliver(&bob, &to, &message).await;
        assert!(reply.starts_with("550 5."), "{reply}");
    }
    let as_mallory = wire
        .deliver(&mallory, &to, &house.sealed(&mallory, &to, &letter))
        .await;
    assert!(
        as_mallory.starts_with("550 5."),
        "From is bob: {as_mallory}"
    );
    assert!(house.inbox(&alice.account).await.is_empty());
    let reply = wire.deliver(&bob, &to, &sealed).await;
    assert!(
        reply.starts_with("250 "),
        "the connection is still good: {reply}"
    );
}

#[tokio::test]
async fn by_data_and_by_bdat_the_same_octets_are_stored() {
    // Case S06, sealed both ways.
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let letter = bob.letter(to[0], ".\r\n..\r\n.x\r\n\r\n.\r\n");
    let mut wire = Wire::mx(&house).await;
    let by_data = house.sealed(&bob, &to, &letter);
    let reply = wire.deliver(&bob, &to, &by_data).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let by_bdat = house.sealed(&bob, &to, &letter);
    wire.ask(&bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let reply = wire.bdat(&by_bdat).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let inbox = house.inbox(&alice.account).await;
    assert!(inbox[0].0.ends_with(&by_data) && inbox[1].0.ends_with(&by_bdat));
    // A sealed message ends in CRLF.
    wire.ask(&bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let reply = wire.bdat(by_bdat.trim_end()).await;
    assert!(reply.starts_with("550 5."), "{reply}");
}

#[tokio::test]
async fn a_large_message_lies_in_its_file() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let body = "A line of a message that is not small.\r\n".repeat(30_000);
    let message = house.sealed(&bob, &to, &bob.letter(to[0], &body));
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &to, &message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(house.inbox(&alice.account).await[0].0.ends_with(&message));
}

#[tokio::test]
async fn several_recipients_get_it_in_one_transaction() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.com").await;
    let to = ["alice@example.com", "carol@example.com"];
    let message = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &to, &message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    for person in [alice, carol] {
        assert_eq!(house.inbox(&person.account).await.len(), 1);
    }
}

#[tokio::test]
async fn the_seal_is_the_one_that_mail_announced() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let carol = house.person("carol@example.org").await;
    house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let message = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&carol, &to, &message).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    // Not announced at all: then MAIL FROM does not matter, and the seal holds (spec §4.15).
    wire.ask("MAIL FROM:<list@example.org>").await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let reply = wire.data(&message).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

#[tokio::test]
async fn what_shows_in_the_header_is_refused_at_the_first_chunk() {
    // spec §4.12
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    house.person("carol@example.com").await;
    let letter = bob.letter("alice@example.com", "hi\r\n");
    let message = house.sealed(&bob, &["alice@example.com"], &letter);
    let mut wire = Wire::mx(&house).await;
    wire.ask(&bob.announces()).await;
    wire.ask("RCPT TO:<carol@example.com>").await;
    wire.send(&format!("BDAT {}\r\n{message}", message.len()))
        .await;
    let reply = wire.hear().await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    wire.send("BDAT 5 LAST\r\nmore\n").await;
    assert!(wire.hear().await.starts_with("503 "));
    assert_eq!(wire.code("NOOP").await, "250");
}

#[tokio::test]
async fn a_forged_seal_is_refused_before_all_of_the_message_came() {
    // spec §4.12
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let who = Identity::Address(bob.address.clone());
    let forged = generate(&who, house.world.now(), &mut house.world.rng()).unwrap();
    let mallory = Person {
        secret: forged,
        ..bob
    };
    let to = ["alice@example.com"];
    let message = house.sealed(&mallory, &to, &mallory.letter(to[0], "hi\r\n"));
    let mut wire = Wire::mx(&house).await;
    wire.ask(&mallory.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    wire.send(&format!("BDAT {}\r\n{message}", message.len()))
        .await;
    // The key is asked for from here on; nothing says when the answer is there.
    let mut reply = wire.hear().await;
    for _ in 0..10_000 {
        if !reply.starts_with("250 ") {
            break;
        }
        wire.send("BDAT 6\r\nmore\r\n").await;
        reply = wire.hear().await;
    }
    assert!(reply.starts_with("550 5.7.5 "), "{reply}");
    assert_eq!(wire.code("NOOP").await, "250");
}

/// spec §4.7.3: the field claims to be this server's own check.
#[tokio::test]
async fn nobody_speaks_for_our_checks() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let letter = bob.letter(to[0], "hi\r\n");
    let mut wire = Wire::mx(&house).await;
    for (checker, answer) in [("MX.example.com", "550 5.7.1 "), ("mx.example.net", "250 ")] {
        let claim = format!("Authentication-Results: {checker}; dkim=pass\r\n{letter}");
        let message = house.sealed(&bob, &to, &claim);
        let reply = wire.deliver(&bob, &to, &message).await;
        assert!(reply.starts_with(answer), "{checker}: {reply}");
    }
}

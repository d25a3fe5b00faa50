//! Who takes what: unknown recipients, blocks, quotas, unsealed mail.

use email2_store::Scope;

use crate::house::House;
use crate::wire::Wire;

#[tokio::test]
async fn only_those_who_live_here_get_mail() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    let unknown = wire.ask("RCPT TO:<nobody@example.com>").await;
    assert!(unknown.starts_with("550 5.1.1 "), "{unknown}");
    let elsewhere = wire.ask("RCPT TO:<carol@example.net>").await;
    assert!(elsewhere.starts_with("550 5.7.1 "), "{elsewhere}");
    assert_eq!(wire.code("DATA").await, "554");
    for postmaster in ["postmaster", "Postmaster@example.com"] {
        assert_eq!(wire.code(&format!("RCPT TO:<{postmaster}>")).await, "250");
    }
}

#[tokio::test]
async fn unsealed_mail_is_refused_with_a_sentence() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let reply = wire.data(&bob.letter("alice@example.com", "hi\r\n")).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(house.inbox(&alice.account).await.is_empty());
}

#[tokio::test]
async fn a_block_acts_at_rcpt() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    house.person("carol@example.com").await;
    let pattern = "bob@example.org".parse().unwrap();
    let added = house
        .store
        .add_blocks(
            Scope::Account(alice.account.id),
            &[pattern],
            house.world.now(),
        )
        .await;
    added.unwrap();
    let mut wire = Wire::mx(&house).await;
    wire.ask(&bob.announces()).await;
    let reply = wire.ask("RCPT TO:<alice@example.com>").await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert_eq!(wire.code("RCPT TO:<carol@example.com>").await, "250");
}

#[tokio::test]
async fn a_block_acts_on_the_author_that_was_not_announced() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let pattern = "@example.org".parse().unwrap();
    let added = house
        .store
        .add_blocks(
            Scope::Account(alice.account.id),
            &[pattern],
            house.world.now(),
        )
        .await;
    added.unwrap();
    let to = ["alice@example.com"];
    let message = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let mut wire = Wire::mx(&house).await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let reply = wire.data(&message).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
}

#[tokio::test]
async fn a_full_mailbox_says_so_in_the_session() {
    // Case S15.
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let full = house.account("full@example.com", Some(2_000)).await;
    let to = ["full@example.com"];
    let big = house.sealed(&bob, &to, &bob.letter(to[0], &"x\r\n".repeat(1_000)));
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &to, &big).await;
    assert!(reply.starts_with("452 4.2.2 "), "{reply}");
    wire.ask(&format!("{} SIZE=3000", bob.announces())).await;
    let reply = wire.ask("RCPT TO:<full@example.com>").await;
    assert!(reply.starts_with("452 4.2.2 "), "{reply}");
    assert!(house.inbox(&full).await.is_empty());
}

#[tokio::test]
async fn a_message_that_goes_round_is_stopped() {
    // Case R10.
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let sealed = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let round = "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n".repeat(51) + &sealed;
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &to, &round).await;
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");
}

//! Case S01 at the doors: false ends of a message.

use crate::house::House;
use crate::wire::Wire;

#[tokio::test]
async fn s01_a_false_end_is_one_refusal_and_nothing_more() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    for end in ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r", "\n.\r\r\n"] {
        let sealed = house.sealed(&bob, &to, &bob.letter(to[0], "first line\r\n"));
        let first = sealed.trim_end();
        let mut wire = Wire::mx(&house).await;
        wire.ask(&bob.announces()).await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        assert_eq!(wire.code("DATA").await, "354");
        wire.send(&format!(
            "{first}{end}MAIL FROM:<ceo@example.org>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n\
             From: ceo@example.org\r\n\r\nSend the money.\r\n.\r\n"
        ))
        .await;
        let reply = wire.hear().await;
        assert!(reply.starts_with("550 5.6.0 "), "{end:?}: {reply}");
        assert_eq!(
            wire.code("NOOP").await,
            "250",
            "one answer, and the session goes on"
        );
    }
    assert!(house.inbox(&alice.account).await.is_empty());
}

#[tokio::test]
async fn a_message_taken_back_leaves_nothing() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    wire.ask(&bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    wire.send("BDAT 10\r\nFrom: bob@").await;
    assert!(wire.hear().await.starts_with("250 "));
    assert_eq!(wire.code("RSET").await, "250");
    assert_eq!(wire.code("DATA").await, "503");
    wire.ask(&bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    wire.ask("DATA").await;
    wire.send("From: bob@example.org\r\n\r\nhalf").await;
    drop(wire);
    assert!(house.inbox(&alice.account).await.is_empty());
}

#[tokio::test]
async fn what_is_too_big_is_refused_before_it_comes() {
    let house = House::with("[limits]\nmessage_size = 5000\n").await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    let announced = format!("{} SIZE=5001", bob.announces());
    assert_eq!(wire.code(&announced).await, "552");
    let to = ["alice@example.com"];
    let big = house.sealed(&bob, &to, &bob.letter(to[0], &"x\r\n".repeat(3_000)));
    let reply = wire.deliver(&bob, &to, &big).await;
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    assert_eq!(wire.code("NOOP").await, "250");
}

//! Submission: only one's own, only pre-sealed (spec §3.10; case F13).

use crate::house::House;
use crate::wire::Wire;

#[tokio::test]
async fn the_password_comes_first() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::submission(&house).await;
    assert_eq!(wire.code("MAIL FROM:<bob@example.org>").await, "530");
    let refused = wire.sign_in(bob.address.to_string(), "wrong").await;
    assert!(refused.starts_with("535 5.7.8 "), "{refused}");
    let nobody = wire.sign_in("nobody@example.org".into(), &bob.token).await;
    assert_eq!(refused, nobody);
    assert!(
        wire.sign_in(bob.address.to_string(), &bob.token)
            .await
            .starts_with("235 ")
    );
}

#[tokio::test]
async fn ones_own_sealed_message_is_carried_untouched() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let message = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let mut wire = Wire::signed_in(&house, &bob).await;
    let reply = wire.deliver(&bob, &to, &message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let inbox = house.inbox(&alice.account).await;
    assert!(inbox[0].0.ends_with(&message) && inbox[0].1);
    wire.ask(&bob.announces()).await;
    // Another domain in the same transaction comes in the next (spec §3.10.3).
    wire.ask("RCPT TO:<alice@example.com>").await;
    let elsewhere = wire.ask("RCPT TO:<carol@example.net>").await;
    assert!(elsewhere.starts_with("452 4.5.3 "), "{elsewhere}");
    wire.ask("RSET").await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    let unsealed = wire.ask("RCPT TO:<carol@example.net>").await;
    assert!(unsealed.starts_with("550 5.7.1 "), "{unsealed}");
}

#[tokio::test]
async fn nobody_writes_as_somebody_else() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let ceo = house.person("ceo@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let mut wire = Wire::signed_in(&house, &bob).await;
    let other = wire.ask("MAIL FROM:<ceo@example.org>").await;
    assert!(other.starts_with("550 5.7.1 "), "{other}");
    let text = "To: alice@example.com\r\nSubject: x\r\n\r\ntext\r\n";
    let froms = [
        "From: Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>\r\nFrom: Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>\r\nSender: Ceo <ceo@example.org>\r\n\
         Resent-From: Ceo <ceo@example.org>\r\n",
    ];
    for from in froms {
        wire.ask("MAIL FROM:<bob@example.org>").await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        let reply = wire.data(&format!("{from}{text}")).await;
        assert!(reply.starts_with("550 5."), "{reply}");
    }
    // What the ceo sealed is not bob's to submit.
    let taken = house.sealed(&ceo, &to, &ceo.letter(to[0], "hi\r\n"));
    for announced in [bob.announces(), "MAIL FROM:<bob@example.org>".to_owned()] {
        wire.ask(&announced).await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        let reply = wire.data(&taken).await;
        assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    }
    assert!(house.inbox(&alice.account).await.is_empty());
}

#[tokio::test]
async fn starttls_leads_to_the_same_door() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::plain(&house, house.running.listening().submission[0]).await;
    wire.hear().await;
    let offered = wire.ask("EHLO x").await;
    assert!(!offered.contains("AUTH"), "{offered}");
    assert!(
        wire.sign_in(bob.address.to_string(), &bob.token)
            .await
            .starts_with("530 ")
    );
    wire.ask("STARTTLS").await;
    let mut wire = wire.handshake(None).await;
    assert!(
        wire.ask("EHLO x")
            .await
            .contains("AUTH SCRAM-SHA-256 PLAIN")
    );
    assert!(
        wire.sign_in(bob.address.to_string(), &bob.token)
            .await
            .starts_with("235 ")
    );
}

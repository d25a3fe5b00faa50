//! A graceful end: what was begun is finished, nothing new begins.

use crate::house::House;
use crate::wire::Wire;

#[tokio::test]
async fn a_message_under_way_is_answered() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["alice@example.com"];
    let message = house.sealed(&bob, &to, &bob.letter(to[0], "hi\r\n"));
    let address = house.running.listening().mx[0];
    let mut idle = Wire::mx(&house).await;
    let mut busy = Wire::mx(&house).await;
    busy.ask(&bob.announces()).await;
    busy.ask("RCPT TO:<alice@example.com>").await;
    let House {
        running,
        store,
        world,
        ca,
        folder,
    } = house;
    let draining = tokio::spawn(running.drain());
    assert!(idle.hear().await.starts_with("421 4.3.2 "));
    let reply = busy.data(&message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(busy.hear().await.starts_with("421 4.3.2 "));
    draining.await.unwrap();
    assert!(world.net.connect(address).await.is_err(), "nobody listens");
    let inbox = store.mailboxes(alice.account.id).await.unwrap();
    assert!(inbox.iter().any(|mailbox| mailbox.name == "INBOX"));
    drop((ca, folder));
}

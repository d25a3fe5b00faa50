//! Doors: what is offered where, before anybody sends anything.

use crate::house::House;
use crate::wire::Wire;

#[tokio::test]
async fn nothing_of_email2_without_tls() {
    let house = House::open().await;
    let mut wire = Wire::plain(&house, house.running.listening().mx[0]).await;
    wire.hear().await;
    let offered = wire.ask("EHLO x").await;
    assert!(
        offered.contains("STARTTLS") && !offered.contains("EMAIL2"),
        "{offered}"
    );
    assert_eq!(wire.code("KEY <alice@example.com>").await, "530");
    let sealed = "MAIL FROM:<b@example.org> EMAIL2=author,YkBleGFtcGxlLm9yZw";
    assert_eq!(wire.code(sealed).await, "530");
    assert_eq!(wire.code("AUTH PLAIN AGEAYg==").await, "502");
}

#[tokio::test]
async fn the_direct_door_speaks_only_to_those_who_select_it() {
    let house = House::open().await;
    let direct = house.running.listening().direct[0];
    let mut wire = Wire::secured(&house, direct, Some("email2")).await;
    assert!(wire.hear().await.starts_with("220 "));
    assert!(wire.ask("EHLO x").await.contains("EMAIL2 1"));
    // Nothing is said to anybody else; who speaks is taken for one who speaks HTTP.
    for alpn in [None, Some("http/1.1")] {
        let mut silent = Wire::secured(&house, direct, alpn).await;
        silent.send("EHLO x\r\n\r\n").await;
        let said = String::from_utf8(silent.rest().await).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{said}");
    }
}

#[tokio::test]
async fn s03_commands_behind_starttls_are_not_heard() {
    // Case S03.
    let house = House::open().await;
    for injected in [
        "RSET\r\n",
        "EHLO evil.example.net\r\nMAIL FROM:<eve@example.net>\r\n",
    ] {
        let mut wire = Wire::plain(&house, house.running.listening().mx[0]).await;
        wire.hear().await;
        wire.ask("EHLO x").await;
        wire.send(&format!("STARTTLS\r\n{injected}")).await;
        assert!(wire.hear().await.starts_with("220 "));
        let mut wire = wire.handshake(None).await;
        assert_eq!(wire.code("NOSUCHCOMMAND").await, "500");
        assert_eq!(wire.code("RCPT TO:<alice@example.com>").await, "503");
    }
}

#[tokio::test]
async fn one_source_holds_so_many_connections() {
    let house = House::with("[limits]\nconnections_per_source = 2\n").await;
    let address = house.running.listening().mx[0];
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::plain(&house, address).await;
        assert!(wire.hear().await.starts_with("220 "));
        held.push(wire);
    }
    let mut third = Wire::plain(&house, address).await;
    assert!(third.hear().await.starts_with("421 4.7.0 "));
    drop(held);
}

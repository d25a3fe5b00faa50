//! The smarthost of a mail system behind: its people's mail, sealed for whoever has a key here
//! (spec §15.2).

use std::time::Duration;

use email2d::smarthost;

use crate::house::House;
use crate::wire::Wire;

fn table(networks: &str) -> String {
    format!(
        "[[smarthost]]\nlisten = ['127.0.0.1:0']\nnetworks = ['{networks}']\n\
         domains = ['example.org']\n"
    )
}

/// Behind STARTTLS, from a network that nobody vouches for.
async fn secured(house: &House) -> (Wire, String) {
    let at = house.running.listening().smarthosts[0];
    let mut wire = Wire::plain(house, at).await;
    assert!(wire.hear().await.starts_with("220 "));
    // No password in plaintext, and no mail without one.
    assert!(!wire.ask("EHLO postfix.example.org").await.contains("AUTH"));
    assert_eq!(wire.code("AUTH PLAIN AGEAYg==").await, "530");
    assert_eq!(wire.code("MAIL FROM:<dave@example.org>").await, "530");
    assert!(wire.ask("STARTTLS").await.starts_with("220 "));
    let mut wire = wire.handshake(None).await;
    let offered = wire.ask("EHLO postfix.example.org").await;
    (wire, offered)
}

#[tokio::test]
async fn a_name_signs_in_under_tls_where_no_network_is_vouched_for() {
    let door = table("192.0.2.0/24").replace("domains", "names = ['postfix', 'spare']\ndomains");
    let house = House::with(&door).await;
    let carol = house.held("carol@example.org").await;
    let mut rng = house.world.rng();
    let password = smarthost::add(&house.store, "postfix", &mut rng);
    let password = password.await.unwrap();
    let other = smarthost::add(&house.store, "elsewhere", &mut rng);
    let other = other.await.unwrap();
    let (mut wire, offered) = secured(&house).await;
    assert!(offered.contains("AUTH SCRAM-SHA-256 PLAIN"), "{offered}");
    assert_eq!(wire.code("MAIL FROM:<dave@example.org>").await, "530");
    // Wrong; a name without a password; one of another door; an account's own.
    for (name, password) in [
        ("postfix", "wrong"),
        ("spare", "x"),
        ("elsewhere", other.reveal()),
    ] {
        let reply = wire.sign_in(name.to_owned(), password).await;
        assert!(reply.starts_with("535 "), "{name}: {reply}");
    }
    let (mut wire, _) = secured(&house).await;
    let reply = wire.sign_in("carol@example.org".to_owned(), &carol.token);
    assert!(reply.await.starts_with("535 "));
    let reply = wire.sign_in("postfix".to_owned(), password.reveal()).await;
    assert!(reply.starts_with("235 "), "{reply}");
    // It is nobody's account: it publishes no key, and writes for its domains alone.
    assert_eq!(wire.code("MAIL FROM:<alice@example.com>").await, "550");
    assert_eq!(wire.code("MAIL FROM:<dave@example.org>").await, "250");
    assert_eq!(wire.code("RSET").await, "250");
    // Forgotten, it signs in no more; nor does its old password after a new one.
    let new = smarthost::add(&house.store, "postfix", &mut rng)
        .await
        .unwrap();
    let (mut wire, _) = secured(&house).await;
    let reply = wire.sign_in("postfix".to_owned(), password.reveal()).await;
    assert!(reply.starts_with("535 "), "{reply}");
    let removed = smarthost::remove(&house.store, "postfix");
    assert!(removed.await.unwrap());
    let reply = wire.sign_in("postfix".to_owned(), new.reveal());
    assert!(reply.await.starts_with("535 "));
    let names = smarthost::names(&house.store).await.unwrap();
    assert_eq!(names, ["elsewhere"]);
}

/// The server that runs is told nothing: it looks where the program wrote.
#[tokio::test]
async fn a_running_server_takes_what_the_program_adds_and_removes() {
    let door = table("192.0.2.0/24").replace("domains", "names = ['postfix']\ndomains");
    let house = House::with(&door).await;
    let (mut wire, _) = secured(&house).await;
    let reply = wire.sign_in("postfix".to_owned(), "none yet").await;
    assert!(reply.starts_with("535 "), "{reply}");
    let added = house.program(&["smarthost", "add", "postfix"]);
    assert_eq!(added["used"], true);
    let password = added["password"].as_str().unwrap();
    let reply = wire.sign_in("postfix".to_owned(), password).await;
    assert!(reply.starts_with("235 "), "{reply}");
    house.program(&["smarthost", "remove", "postfix"]);
    let (mut wire, _) = secured(&house).await;
    let reply = wire.sign_in("postfix".to_owned(), password).await;
    assert!(reply.starts_with("535 "), "{reply}");
}

/// As a program behind connects.
async fn connect(house: &House) -> Wire {
    let at = house.running.listening().smarthosts[0];
    let mut wire = Wire::plain(house, at).await;
    assert!(wire.hear().await.starts_with("220 "));
    let offered = wire.ask("EHLO postfix.example.org").await;
    assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"));
    wire
}

/// The reply that settles a message.
async fn give(house: &House, from: &str, header: &str) -> String {
    let mut wire = connect(house).await;
    let mail = wire.ask(&format!("MAIL FROM:<{from}>")).await;
    if !mail.starts_with("250 ") {
        return mail;
    }
    assert_eq!(wire.code("RCPT TO:<alice@example.com>").await, "250");
    let text = format!("{header}To: alice@example.com\r\nSubject: x\r\n\r\ntext\r\n");
    wire.data(&text).await
}

#[tokio::test]
async fn a_key_that_is_held_seals_what_its_owner_sends_through_the_system_behind() {
    let house = House::with(&table("127.0.0.0/8")).await;
    let alice = house.person("alice@example.com").await;
    house.held("carol@example.org").await;
    let from = "From: Carol <carol@example.org>\r\n";
    let reply = give(&house, "carol@example.org", from).await;
    assert!(
        reply.starts_with("250 2.0.0 queued as ")
            && reply.ends_with(", to be sealed for carol@example.org\r\n"),
        "{reply}"
    );
    let mut inbox = Vec::new();
    for _ in 0..300 {
        inbox = house.inbox(&alice.account).await;
        if !inbox.is_empty() {
            break;
        }
        house.world.clock.sleep(Duration::from_millis(100)).await;
    }
    let (text, verified) = &inbox[0];
    assert!(*verified && text.contains("Email2-Seal: "), "{text}");
}

#[tokio::test]
async fn only_people_of_its_domains_write_by_the_smarthost() {
    let house = House::with(&table("127.0.0.0/8")).await;
    house.person("alice@example.com").await;
    let carol = house.held("carol@example.org").await;
    let bob = house.person("bob@example.org").await;
    let ours = "From: Dave <dave@example.org>\r\n";
    // Without a key here: ordinary mail. A report has no reverse-path, and a host's author.
    let reply = give(&house, "dave@example.org", ours).await;
    assert!(reply.starts_with("250 2.0.0 queued as ") && !reply.contains("sealed"));
    let report = "From: MAILER-DAEMON@mx.example.org\r\n";
    assert!(give(&house, "", report).await.starts_with("250 "));
    let seal = house.sealed(&bob, &["alice@example.com"], "From: bob@example.org\r\n");
    for (from, header) in [
        ("eve@example.net", "From: eve@example.net\r\n"),
        ("alice@example.com", "From: alice@example.com\r\n"),
        ("dave@example.org", "From: alice@example.com\r\n"),
        (
            "dave@example.org",
            "From: dave@example.org, eve@example.net\r\n",
        ),
        (
            "dave@example.org",
            "From: dave@example.org\r\nFrom: eve@example.net\r\n",
        ),
        ("dave@example.org", "Subject: nobody\r\n"),
        ("dave@example.org", &seal),
        ("carol@example.org", ours),
        ("", "From: eve@example.net\r\n"),
    ] {
        let reply = give(&house, from, header).await;
        assert!(reply.starts_with("550 5."), "{from} {header}: {reply}");
    }
    // Nobody's key is asked for through it, and it relays for nobody else.
    let mut wire = connect(&house).await;
    assert_eq!(wire.code("AUTH PLAIN AGEAYg==").await, "502");
    assert_eq!(wire.code(&carol.announces()).await, "530");
}

/// spec §15.2.2: whoever is named as the author counts, and not the reverse-path alone.
#[tokio::test]
async fn nobody_writes_unsealed_in_the_name_of_a_domain_that_always_seals() {
    let domains = "domains = ['example.org', 'example.net']\n\
        [[domain]]\nname = 'example.net'\nlocal = true\npolicy = 'strict'\n";
    let door = table("127.0.0.0/8").replace("domains = ['example.org']\n", domains);
    let house = House::with(&door).await;
    house.person("alice@example.com").await;
    let (ours, strict) = ("From: dave@example.org\r\n", "From: eve@example.net\r\n");
    let both = "From: dave@example.org, eve@example.net\r\n";
    for (from, header, answer) in [
        ("dave@example.org", ours, "250 "),
        ("dave@example.org", strict, "550 5."),
        ("dave@example.org", both, "550 5."),
        ("eve@example.net", strict, "550 5."),
    ] {
        let reply = give(&house, from, header).await;
        assert!(reply.starts_with(answer), "{from} {header}: {reply}");
    }
}

#[tokio::test]
async fn other_networks_are_not_listened_to() {
    let house = House::with(&table("192.0.2.0/24")).await;
    let at = house.running.listening().smarthosts[0];
    let mut wire = Wire::plain(&house, at).await;
    assert_eq!(wire.hear().await, "");
}

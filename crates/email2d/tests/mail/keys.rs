//! KEY at the mail exchanger's door (spec §3.4, §3.5), and EMAIL2KEY (spec §3.3).

use email2::certificate::RevocationReason;
use email2::certificate::generate::generate;
use email2::{Identity, KeyAnswer, limits};
use email2_store::Replaces;
use tokio::net::UdpSocket;

use crate::house::House;
use crate::wire::Wire;

/// Reads a reply to KEY.
fn answer(reply: &str) -> KeyAnswer {
    let lines: Vec<String> = reply.lines().map(|line| line[4..].to_owned()).collect();
    KeyAnswer::parse(&lines).unwrap()
}

fn etag(reply: &str) -> String {
    match answer(reply) {
        KeyAnswer::Certificate { etag, .. } => etag.to_string(),
        KeyAnswer::Unchanged => panic!("{reply}"),
    }
}

#[tokio::test]
async fn a_key_is_served_with_its_etag() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    let reply = wire.ask("KEY <alice@example.com>").await;
    let KeyAnswer::Certificate { octets, .. } = answer(&reply) else {
        panic!("{reply}");
    };
    assert_eq!(octets, alice.secret.certificate().octets());
    let again = wire
        .ask(&format!("KEY <alice@example.com> ETAG={}", etag(&reply)))
        .await;
    assert_eq!(again, "250 2.0.0 unchanged\r\n");
    let key = &alice.secret.certificate().signing_keys()[0];
    let verifier = wire
        .ask(&format!("KEY <alice@example.com> FPR={key}"))
        .await;
    assert!(matches!(answer(&verifier), KeyAnswer::Certificate { .. }));
}

#[tokio::test]
async fn who_is_not_there_and_who_is_not_listed_sound_alike() {
    let house = House::open().await;
    let hidden = house.person("hidden@example.com").await;
    house.account("keyless@example.com", None).await;
    let mut wire = Wire::mx(&house).await;
    let mut replies = Vec::new();
    for who in [
        "nobody@example.com",
        "keyless@example.com",
        "hidden@example.com",
    ] {
        let reply = wire.ask(&format!("KEY <{who}>")).await;
        replies.push(reply.replace(who, "WHO"));
    }
    assert!(replies[0].starts_with("550 5.7."), "{replies:?}");
    assert!(
        replies.iter().all(|reply| *reply == replies[0]),
        "{replies:?}"
    );
    let wrong = "0".repeat(40);
    let unknown = wire
        .ask(&format!("KEY <nobody@example.com> FPR={wrong}"))
        .await;
    let mismatch = wire
        .ask(&format!("KEY <hidden@example.com> FPR={wrong}"))
        .await;
    assert_eq!(
        unknown.replace("nobody", "WHO"),
        mismatch.replace("hidden", "WHO")
    );
    let key = &hidden.secret.certificate().signing_keys()[0];
    let verifier = wire
        .ask(&format!("KEY <hidden@example.com> FPR={key}"))
        .await;
    assert!(
        verifier.starts_with("250-2.0.0 v=1 "),
        "a verifier is answered: {verifier}"
    );
}

#[tokio::test]
async fn the_domain_answers_with_its_policy() {
    let house = House::open().await;
    let mut wire = Wire::mx(&house).await;
    let reply = wire.ask("KEY <@example.com>").await;
    let KeyAnswer::Certificate { flags, .. } = answer(&reply) else {
        panic!("{reply}");
    };
    assert!(flags.p.is_some() && flags.sp.is_some() && flags.ma.is_some());
    assert!(wire.ask("KEY <@example.net>").await.starts_with("550 "));
}

#[tokio::test]
async fn keys_are_answered_in_order() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    let questions = "KEY <alice@example.com>\r\nKEY <nobody@example.com>\r\n".repeat(10);
    wire.send(&questions).await;
    for _ in 0..10 {
        assert!(wire.hear().await.starts_with("250-2.0.0 v=1"));
        assert!(wire.hear().await.starts_with("550 "));
    }
}

/// The name that a DNS question asks for.
fn asked_for(packet: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = packet.get(12..).unwrap_or_default();
    while let Some((length, behind)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, behind) = behind.split_at(usize::from(*length));
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = behind;
    }
    labels.join(".")
}

#[tokio::test]
async fn eight_keys_are_asked_for_at_once() {
    // A resolver that answers nothing: one after the other would never come to the second.
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let house = House::asking(resolver.local_addr().unwrap(), "").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::signed_in(&house, &alice).await;
    let mut missing: Vec<String> = (0..limits::KEYS_OUTSTANDING)
        .map(|number| format!("elsewhere{number}.example"))
        .collect();
    for domain in &missing {
        wire.send(&format!("KEY <bob@{domain}>\r\n")).await;
    }
    let mut packet = [0; 512];
    while !missing.is_empty() {
        let (octets, _) = resolver.recv_from(&mut packet).await.unwrap();
        let name = asked_for(&packet[..octets]);
        missing.retain(|domain| !name.ends_with(domain.as_str()));
    }
}

#[tokio::test]
async fn who_asks_and_sends_no_more_is_answered_all_the_same() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    let questions = "KEY <alice@example.com>\r\n".repeat(limits::KEYS_OUTSTANDING);
    wire.send(&format!("{questions}QUIT\r\n")).await;
    wire.no_more().await;
    for _ in 0..limits::KEYS_OUTSTANDING {
        assert!(wire.hear().await.starts_with("250-2.0.0 v=1"));
    }
    assert!(wire.hear().await.starts_with("221 "));
    assert_eq!(wire.hear().await, "");
}

#[tokio::test]
async fn a_message_to_a_reset_key_is_not_taken() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::mx(&house).await;
    let before = etag(&wire.ask("KEY <alice@example.com>").await);
    let rcpt = |etag: &str| format!("RCPT TO:<alice@example.com> EMAIL2KEY={etag}");
    wire.ask(&bob.announces()).await;
    assert_eq!(wire.code(&rcpt(&before)).await, "250");
    let who = Identity::Address(alice.address.clone());
    let fresh = generate(&who, house.world.now(), &mut house.world.rng()).unwrap();
    house.publish(&who, &fresh, Replaces::Reset).await;
    let now = etag(&wire.ask("KEY <alice@example.com>").await);
    let reply = wire.ask(&rcpt(&before)).await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    assert!(reply.contains(&format!("key-changed {now}")), "{reply}");
    assert_eq!(wire.code(&rcpt(&now)).await, "250");
    let never = wire.ask(&rcpt("0123")).await;
    assert!(never.contains(&format!("key-changed {now}")), "{never}");
}

#[tokio::test]
async fn a_message_to_a_compromised_key_is_not_taken() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let who = Identity::Address(alice.address.clone());
    let mut wire = Wire::mx(&house).await;
    let before = etag(&wire.ask("KEY <alice@example.com>").await);
    let (now, mut rng) = (house.world.now(), house.world.rng());
    let revoked = alice
        .secret
        .revoke(RevocationReason::Compromised, now, &mut rng)
        .unwrap();
    let version = House::version(&who, &revoked);
    let kept = house.store.publish(version, Replaces::Keep, now).await;
    assert!(kept.unwrap());
    wire.ask(&bob.announces()).await;
    let rcpt = format!("RCPT TO:<alice@example.com> EMAIL2KEY={before}");
    let reply = wire.ask(&rcpt).await;
    assert!(reply.contains("key-changed "), "{reply}");
}

/// spec §3.4.6: at both commands, and not for who verifies or is at home here.
#[tokio::test]
async fn who_collects_addresses_waits() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::mx(&house).await;
    for number in 0..limits::UNKNOWN_MINUTE {
        let reply = wire.ask(&format!("KEY <a{number}@example.com>")).await;
        assert!(reply.starts_with("550 5.7.1 No key for a"), "{reply}");
    }
    let waits = "450 4.7.1 Too many questions for keys, try again later\r\n";
    assert_eq!(wire.ask("KEY <alice@example.com>").await, waits);
    let key = &alice.secret.certificate().signing_keys()[0];
    let verifier = format!("KEY <alice@example.com> FPR={key}");
    assert!(wire.ask(&verifier).await.starts_with("250-2.0.0 v=1"));
    wire.ask(&bob.announces()).await;
    let waits = "450 4.7.1 Too many unknown recipients from your network, try again later\r\n";
    assert_eq!(wire.ask("RCPT TO:<alice@example.com>").await, waits);
    let mut own = Wire::signed_in(&house, &alice).await;
    let reply = own.ask("KEY <alice@example.com>").await;
    assert!(reply.starts_with("250-2.0.0 v=1"), "{reply}");
}

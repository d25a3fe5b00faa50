//! Reports of other domains' services (spec §4.13): taken about a message that the recipient
//! really sent there, never shown as verified, refused otherwise.

use email2::evidence::Announced;
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::{Identity, ReversePath};
use email2_smtp::Mail;
use email2d::service_key;

use crate::house::House;
use crate::wire::Wire;

/// A report for `to` about the message with this header, sealed by the service of `domain`.
async fn report(house: &House, domain: &str, to: &str, header: &str) -> String {
    let (now, mut rng) = (house.world.now(), house.world.rng());
    let data = house.folder.path().join("data");
    let domain = domain.parse().unwrap();
    let key = service_key::ensure(&data, &domain, &house.store, now, &mut rng);
    let key = key.await.unwrap();
    let content = format!(
        "From: mailer-daemon@{domain}\r\nTo: {to}\r\nSubject: Not delivered\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\n\r\nIt could not be delivered.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\
         \r\nFinal-Recipient: rfc822; bob@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         \r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n--b--\r\n"
    );
    let request = SealRequest {
        role: Role::Service,
        signer: Identity::Service(domain),
        reverse_path: ReversePath::Null,
        recipients: vec![to.parse().unwrap()],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(content.as_bytes()).unwrap(),
    };
    let seal = sign(&request, &key, &mut rng).unwrap();
    seal.field() + &content
}

/// The whole transaction; gives the reply to its end.
async fn deliver(house: &House, domain: &str, to: &str, report: &str) -> String {
    let mut wire = Wire::mx(house).await;
    let mut mail = Mail::new(ReversePath::Null);
    mail.announced = Some(Announced {
        role: Role::Service,
        signer: Identity::Service(domain.parse().unwrap()),
    });
    assert_eq!(wire.code(&mail.to_string()).await, "250");
    assert_eq!(wire.code(&format!("RCPT TO:<{to}>")).await, "250");
    wire.data(report).await
}

const REFUSED: &str = "550 5.7.1 The report does not answer a message of the recipient\r\n";

#[tokio::test]
async fn a_report_about_ones_own_message_comes_and_is_not_verified() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let letter = alice.letter("bob@example.org", "hi\r\n");
    let sent = house.sealed(&alice, &["bob@example.org"], &letter);
    let header = sent.split("\r\n\r\n").next().unwrap();
    let report = report(&house, "example.org", "alice@example.com", header).await;
    let reply = deliver(&house, "example.org", "alice@example.com", &report).await;
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    let inbox = house.inbox(&alice.account).await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].0.ends_with(&report));
    assert!(!inbox[0].1, "a report is never verified");
}

#[tokio::test]
async fn a_report_that_nobody_asked_for_is_refused() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let dave = house.person("dave@example.com").await;
    let to = ["bob@example.org"];
    let sent = house.sealed(&alice, &to, &alice.letter(to[0], "hi\r\n"));
    let header = sent.split("\r\n\r\n").next().unwrap();
    let alices = "alice@example.com";
    // Nothing inside; nothing that dave sent; a seal whose signature is wrong; one for another
    // domain than that of the report.
    let forged = header.replacen("f=author", "f=forward", 1);
    for (to, inside) in [
        (alices, ""),
        ("dave@example.com", header),
        (alices, forged.as_str()),
    ] {
        let report = report(&house, "example.org", to, inside).await;
        assert_eq!(deliver(&house, "example.org", to, &report).await, REFUSED);
    }
    let elsewhere = ["carol@example.net"];
    let sent = house.sealed(&alice, &elsewhere, &alice.letter(elsewhere[0], "hi\r\n"));
    let header = sent.split("\r\n\r\n").next().unwrap();
    let report = report(&house, "example.org", alices, header).await;
    assert_eq!(
        deliver(&house, "example.org", alices, &report).await,
        REFUSED
    );
    assert!(house.inbox(&alice.account).await.is_empty());
    assert!(house.inbox(&dave.account).await.is_empty());
}

/// A report about a report: its seal has no reverse-path, and so no recipient of a report.
#[tokio::test]
async fn no_report_is_about_a_report() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let to = "alice@example.com";
    let first = report(&house, "example.com", to, "Subject: x").await;
    let header = first.split("\r\n\r\n").next().unwrap();
    let second = report(&house, "example.com", to, header).await;
    assert_eq!(deliver(&house, "example.com", to, &second).await, REFUSED);
}

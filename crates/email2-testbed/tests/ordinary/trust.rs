//! What is known from before: who has sealed, what was registered, what was sent (spec §11.4 to
//! §11.6).

use email2::evidence::sent_key;
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::{Address, Identity, ReversePath};
use email2_testbed::device::Device;
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};

use crate::scene::{Scene, letter};

async fn bob(scene: &mut Scene) -> Outcome<Device> {
    scene.testbed.add_domain(&Plan::new("example.org")).await?;
    let bob = Address::parse("bob@example.org").step("address")?;
    scene.testbed.add_device(&bob).await
}

/// A message of bob's under his seal.
fn sealed(scene: &Scene, bob: &Device, to: &str) -> Outcome<String> {
    let content = format!("From: bob@example.org\r\nTo: {to}\r\nSubject: sealed\r\n\r\nhi\r\n");
    let (now, mut rng) = (scene.testbed.world.now(), scene.testbed.world.rng());
    let request = SealRequest {
        role: Role::Author,
        signer: Identity::Address(bob.address.clone()),
        reverse_path: ReversePath::Address(bob.address.clone()),
        recipients: vec![Address::parse(to).step("address")?],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(content.as_bytes()).step("digest")?,
    };
    let seal = sign(&request, &bob.secret, &mut rng).step("seal")?;
    Ok(seal.field() + &content)
}

/// spec §11.4.1
#[tokio::test(flavor = "multi_thread")]
async fn who_has_sealed_never_reaches_the_inbox_without() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let bob = bob(&mut scene).await?;
    let unsealed = letter("bob@example.org", "hi");
    let kept = scene.taken("bob@example.org", &unsealed, "INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    let message = sealed(&scene, &bob, "alice@example.com")?;
    let at = scene.testbed.exchanger("example.com")?;
    let mut session = Session::open(&scene.testbed.world, &at, "mx.example.org").await?;
    let mut mail = email2_smtp::Mail::new(ReversePath::Address(bob.address.clone()));
    mail.announced = Some(email2::evidence::Announced {
        role: Role::Author,
        signer: Identity::Address(bob.address.clone()),
    });
    let announced = mail.to_string();
    let parameter = announced.split("EMAIL2=").nth(1).step("parameter")?;
    let parameter = parameter.split(' ').next().unwrap_or_default();
    let delivery = Letter {
        from: bob.address.to_string(),
        announced: Some(parameter.to_owned()),
        recipients: vec!["alice@example.com".to_owned()],
        content: message.into_bytes(),
    };
    let reply = deliver(&mut session, &delivery).await?.to_string();
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.org"),
        "{reply}"
    );
    assert!(scene.only("INBOX").await?.origin.is_verified());
    for from in ["bob@example.org", "BOB+x@example.org"] {
        let kept = scene.taken(from, &letter(from, "hi"), "Junk").await?;
        assert_eq!(kept.verdict(), "unverified; reason=sealed-before");
    }
    scene.stop().await;
    Ok(())
}

/// Mail for somebody else that comes by an ordinary hop (spec §11.6.2).
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_for_another_waits_until_it_is_registered() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let bob = bob(&mut scene).await?;
    let message = sealed(&scene, &bob, "alice@alumni.net")?;
    let reply = scene.offer("bob@example.org", &message).await?;
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.org"),
        "{reply}"
    );
    let kept = scene.only("Requests").await?;
    assert_eq!(
        kept.verdict(),
        "for-others; author=bob@example.org; assurance=domain-certificate; \
         via=unsealed-hop:alice@alumni.net"
    );
    assert!(!kept.origin.is_verified());
    assert!(
        kept.text.ends_with(&message),
        "below a seal nothing is changed"
    );
    scene.set("forwarders", "alice@alumni.net\n").await?;
    let again = sealed(&scene, &bob, "alice@alumni.net")?;
    scene.offer("list-owner@plain.net", &again).await?;
    let kept = scene.only("INBOX").await?;
    assert!(kept.origin.is_verified());
    assert!(kept.verdict().ends_with("via=unsealed-hop"));
    scene.stop().await;
    Ok(())
}

/// spec §11.6.3: even in the name of who always seals, and whatever alice wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_list_that_breaks_seals_loses_no_mail() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let plan = Plan {
        policy: "strict",
        ..Plan::new("example.org")
    };
    scene.testbed.add_domain(&plan).await?;
    scene.set("legacy", "reject").await?;
    let broken = letter("bob@example.org", "hi\r\n-- \r\nthe list's footer");
    let listed = scene.signed(&broken)?;
    let reply = scene.offer("list@shop.net", &listed).await?;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    scene.set("forwarders", "talk@shop.net\n").await?;
    let kept = scene.taken("list@shop.net", &listed, "Requests").await?;
    assert_eq!(kept.verdict(), "unverified; reason=forwarded");
    let unsigned = scene.offer("list@shop.net", &broken).await?;
    let strict = "550 5.7.1 bob@example.org always seals and this message has no seal";
    assert_eq!(unsigned, strict);
    scene.stop().await;
    Ok(())
}

/// A report of an ordinary hop about `id`.
fn report(id: &str) -> String {
    format!(
        "From: mailer-daemon@plain.net\r\nTo: alice@example.com\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nIt could not be delivered.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.plain.net\r\n\r\n\
         Final-Recipient: rfc822; carol@plain.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {id}\r\n--b--\r\n"
    )
}

/// spec §11.5.1, §11.5.2
#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_an_ordinary_hop_is_taken_once_and_only_when_asked_for() -> Outcome<()> {
    let scene = Scene::open().await?;
    scene.set("legacy", "reject").await?;
    let carol = Address::parse("carol@plain.net").step("address")?;
    let until = scene.testbed.world.now() + limits::SENT_MEMORY;
    let sent = vec![sent_key(b" <1@example.com>", &carol)];
    let remembered = scene.store.remember_sent(scene.alice.id, sent, until).await;
    remembered.step("memory")?;
    let refused = "550 5.7.1 The recipient takes sealed mail (Email 2.0) only";
    let other = scene.offer("", &report("<2@example.com>")).await?;
    assert_eq!(other, refused);
    let answer = report("<1@example.com>");
    assert_eq!(scene.offer("eve@plain.net", &answer).await?, refused);
    let kept = scene.taken("", &answer, "INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=report");
    assert_eq!(scene.offer("", &answer).await?, refused);
    scene.stop().await;
    Ok(())
}

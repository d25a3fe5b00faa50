//! Ordinary mail that is passed on (spec §14.2.6): at its best as it came, and never sealed.

use std::time::Duration;

use email2_store::{Account, Scope};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::ordinary::OrdinaryServer;
use email2_testbed::zone::Zone;

use crate::scene::{Scene, account, letter};

/// Alice passes her mail on to Carol, who takes ordinary mail too.
async fn forwarded() -> Outcome<(Scene, Account)> {
    let scene = Scene::open().await?;
    let carol = account(&scene.testbed, &scene.store, "carol@example.com", false).await?;
    let legacy = vec![("legacy".to_owned(), Some(b"accept".to_vec()))];
    let set = scene.store.set(Scope::Account(carol.id), legacy).await;
    set.step("legacy")?;
    scene.set("forward", "carol@example.com\n").await?;
    scene
        .set("forward-confirmed", "carol@example.com\n")
        .await?;
    Ok((scene, carol))
}

/// What lies in an inbox once the queue is empty.
async fn inbox(scene: &Scene, of: &Account) -> Outcome<Vec<(String, bool)>> {
    for _ in 0..100 {
        if scene.store.entries().await.step("queue")?.is_empty() {
            break;
        }
        let clock = &scene.testbed.world.clock;
        clock.sleep(Duration::from_millis(50)).await;
    }
    let inbox = scene.store.mailbox(of.id, "INBOX").await.step("INBOX")?;
    let messages = scene.store.messages(inbox.step("INBOX")?.id).await;
    let mut found = Vec::new();
    for message in messages.step("messages")? {
        let body = scene.store.message_body(message.id).await.step("body")?;
        let octets = body.read(0, usize::MAX).await.step("octets")?;
        let text = String::from_utf8_lossy(&octets).into_owned();
        found.push((text, message.origin.is_verified()));
    }
    Ok(found)
}

/// Case D05: what is doubtful stays where it lies; what is honest goes on as it is, unverified,
/// and its reports find back.
#[tokio::test(flavor = "multi_thread")]
async fn d05_forwarding_raises_no_verdict() -> Outcome<()> {
    let (mut scene, carol) = forwarded().await?;
    let shop = serve(&mut scene, "shop.net").await?;
    let forged = letter("news@shop.net", "pay to another account");
    let reply = scene.offer("eve@plain.net", &forged).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    assert!(
        inbox(&scene, &carol).await?.is_empty(),
        "it is not passed on"
    );
    scene.only("Junk").await?;
    let honest = scene.signed(&letter("news@shop.net", "cheap"))?;
    scene.offer("bounce@shop.net", &honest).await?;
    let got = inbox(&scene, &carol).await?;
    let [(text, verified)] = got.as_slice() else {
        return None.step(format!("one message, not {got:?}"));
    };
    assert!(!verified && !text.contains("Email2-Seal"), "{text}");
    assert!(text.ends_with(&honest), "{text}");
    let path = text.split(['<', '>']).nth(1).step("Return-Path")?;
    assert!(
        path.starts_with("s=") && path.ends_with("=shop.net=bounce@example.com"),
        "{path}"
    );
    // Where it went refuses it later: the sender hears of Alice, and of nobody else.
    let report = failed("carol@example.com", path);
    let reply = scene.offer_to(path, "", report.as_bytes()).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    let told = shop.next().await?.content;
    for part in [
        "From: mailer-daemon@example.com\r\nTo: bounce@shop.net\r\n",
        "Final-Recipient: rfc822; alice@example.com\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Message-ID: <honest@shop.net>\r\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(
        !told.contains("carol") && !told.contains("Email2-Seal"),
        "{told}"
    );
    // Nobody else can make one, and nobody sends mail of their own through it.
    let other = path.replace("bounce", "victim");
    let away = letter("carol@plain.net", "I am away");
    let unproved = path.replacen("s=", "r=", 1);
    for (to, from, what) in [
        (other.as_str(), "", report.as_str()),
        (unproved.as_str(), "", report.as_str()),
        (path, "eve@plain.net", report.as_str()),
        (path, "", away.as_str()),
    ] {
        let reply = scene.offer_to(to, from, what.as_bytes()).await?;
        assert!(reply.starts_with("550 5.1.1 "), "{to}: {reply}");
    }
    scene.stop().await;
    Ok(())
}

/// As a server of today reports.
fn failed(about: &str, to: &str) -> String {
    format!(
        "From: mailer-daemon@plain.net\r\nTo: {to}\r\nSubject: failed\r\n\
         Message-ID: <report@plain.net>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\n{about} is not here.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; plain.net\r\n\r\nFinal-Recipient: rfc822; {about}\r\n\
         Action: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Delivered-To: alice@example.com\r\nFrom: news@shop.net\r\n\
         Message-ID: <honest@shop.net>\r\n\r\n--b--\r\n"
    )
}

/// Somebody takes mail for an ordinary domain of this world, which publishes what it did.
async fn serve(scene: &mut Scene, name: &'static str) -> Outcome<OrdinaryServer> {
    let before = scene.testbed.authority.zone(name).cloned().step(name)?;
    let server = OrdinaryServer::start(&mut scene.testbed, name).await?;
    let host = format!("mail.{name}");
    let zone = before
        .mx(name, 10, &host)?
        .address(&host, server.address.ip());
    scene.testbed.authority.publish(zone)?;
    Ok(server)
}

/// Where it goes nobody is: only whom SPF proved is told (spec §12.5.12).
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_mail_that_others_sent_in_their_name() -> Outcome<()> {
    let (mut scene, _) = forwarded().await?;
    let shop = serve(&mut scene, "shop.net").await?;
    let plain = serve(&mut scene, "plain.net").await?;
    scene.set("forward", "gone@example.com\n").await?;
    scene.set("forward-confirmed", "gone@example.com\n").await?;
    // plain.net publishes nothing: anybody could have written this reverse-path.
    scene
        .offer("victim@plain.net", &letter("victim@plain.net", "hi"))
        .await?;
    settled(&scene).await?;
    assert_eq!(plain.take(), [], "no backscatter");
    let honest = scene.signed(&letter("news@shop.net", "cheap"))?;
    scene.offer("bounce@shop.net", &honest).await?;
    settled(&scene).await?;
    let told = shop.next().await?.content;
    assert!(
        told.contains("Final-Recipient: rfc822; alice@example.com\r\n"),
        "{told}"
    );
    assert!(
        told.contains("\r\nSubject: offer\r\n"),
        "as it had come: {told}"
    );
    assert!(!told.contains("gone@"), "{told}");
    scene.stop().await;
    Ok(())
}

/// Two domains refuse it, each at its time; the sender wrote once, and hears once (spec §14.2.8).
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_is_told_once_to_however_many_domains_it_went() -> Outcome<()> {
    let (mut scene, _) = forwarded().await?;
    let shop = serve(&mut scene, "shop.net").await?;
    let never = Zone::new("never.net").mx("never.net", 0, ".")?;
    scene.testbed.publish(never)?;
    let gone = "gone@example.com\ngone@never.net\n";
    scene.set("forward", gone).await?;
    scene.set("forward-confirmed", gone).await?;
    for _ in 0..2 {
        let honest = scene.signed(&letter("news@shop.net", "cheap"))?;
        scene.offer("bounce@shop.net", &honest).await?;
        settled(&scene).await?;
        let told = shop.take();
        let [report] = told.as_slice() else {
            return None.step(format!("one report, not {told:?}"));
        };
        let about = "Final-Recipient: rfc822; alice@example.com\r\n";
        assert_eq!(report.content.matches("Final-Recipient:").count(), 1);
        assert!(report.content.contains(about), "{}", report.content);
        assert!(!report.content.contains("gone@"), "{}", report.content);
    }
    scene.stop().await;
    Ok(())
}

/// Waits until nothing is on its way.
async fn settled(scene: &Scene) -> Outcome<()> {
    for _ in 0..200 {
        let entries = scene.store.entries().await.step("queue")?;
        if entries.is_empty() {
            return Ok(());
        }
        let clock = &scene.testbed.world.clock;
        clock.sleep(Duration::from_millis(50)).await;
    }
    None.step("an empty queue")
}

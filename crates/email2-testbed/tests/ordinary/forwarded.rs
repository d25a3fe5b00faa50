//! Ordinary mail that is passed on (spec §14.2.6): at its best as it came, and never sealed.

use std::time::Duration;

use email2_store::{Account, Scope};
use email2_testbed::failure::{Outcome, Step};

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
    let (scene, carol) = forwarded().await?;
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
        path.starts_with("r=") && path.ends_with("=shop.net=bounce@example.com"),
        "{path}"
    );
    let report = letter("mailer-daemon@plain.net", "no such person");
    let reply = scene.offer_to(path, "", report.as_bytes()).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    // Nobody else can make one, and nobody sends mail of their own through it.
    let other = path.replace("bounce", "victim");
    for (to, from) in [(other.as_str(), ""), (path, "eve@plain.net")] {
        let reply = scene.offer_to(to, from, report.as_bytes()).await?;
        assert!(reply.starts_with("550 5.1.1 "), "{to}: {reply}");
    }
    scene.stop().await;
    Ok(())
}

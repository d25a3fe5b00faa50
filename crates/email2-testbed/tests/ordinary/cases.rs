//! The cases that concern ordinary mail, as it arrives: what is right for each is in
//! `email2-testbed/cases/CASES.md`.

use std::path::PathBuf;

use email2_store::{QueueEntry, Scope};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::Letter;
use email2_testbed::zone::Zone;

use crate::scene::{Scene, account, letter};

fn case(name: &str) -> Outcome<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
    std::fs::read(folder.join(name)).step(name)
}

/// The reply to a case from bob, and what lies in the Inbox afterwards.
async fn arrives(scene: &Scene, name: &str) -> Outcome<(String, Vec<u8>)> {
    let content = case(name)?;
    let reply = scene.offer_octets("bob@example.org", &content).await?;
    Ok((reply, content))
}

/// Taken as it is, below our fields, and not verified.
async fn is_taken(scene: &Scene, name: &str) -> Outcome<()> {
    let (reply, content) = arrives(scene, name).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{name}: {reply}");
    let kept = scene.only("INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed", "{name}");
    let content = String::from_utf8_lossy(&content).into_owned();
    assert!(kept.text.ends_with(&content), "{name}: {}", kept.text);
    Ok(())
}

async fn is_refused(scene: &Scene, name: &str, reply: &str) -> Outcome<()> {
    let (got, _) = arrives(scene, name).await?;
    assert!(got.starts_with(reply), "{name}: {got}");
    Ok(())
}

/// The world of the cases: example.org is ordinary there.
async fn ordinary_org(zone: Zone) -> Outcome<Scene> {
    let mut scene = Scene::open().await?;
    scene.testbed.authority.publish(zone)?;
    Ok(scene)
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_f03_f14_authors_who_cannot_be_told_are_refused_and_others_shown() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let twice = "550 5.6.0 The field From stands more than once";
    is_refused(&scene, "F01-two-from.eml", twice).await?;
    let unread = "550 5.6.0 From must be one mailbox: ";
    is_refused(&scene, "F14b-from-empty-group.eml", unread).await?;
    is_refused(&scene, "F14c-from-empty.eml", unread).await?;
    is_refused(&scene, "F14d-from-name-only.eml", unread).await?;
    let missing = "550 5.6.0 The message has no From field";
    is_refused(&scene, "F14e-from-missing.eml", missing).await?;
    is_taken(&scene, "F03-from-list.eml").await?;
    is_taken(&scene, "F14a-from-group.eml").await?;
    is_taken(&scene, "F14f-group-to.eml").await?;
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_comments_in_ordinary_from_glue_nothing() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let unread = "550 5.6.0 From must be one mailbox: ";
    is_refused(&scene, "F10-comment-glue.eml", unread).await?;
    is_taken(&scene, "F10-comment-legal.eml").await?;
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn c09_c13_what_was_mangled_on_the_way_arrives_as_it_is() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    is_taken(&scene, "C09-mixed-up.eml").await?;
    is_taken(&scene, "C13-from-munged.eml").await?;
    is_taken(&scene, "C13-good.eml").await?;
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d02_a_signature_over_a_part_of_the_body_is_no_pass() -> Outcome<()> {
    let zone = String::from_utf8_lossy(&case("D02-zone.txt")?).into_owned();
    let key = zone.split('"').nth(1).step("key")?.to_owned();
    let zone = Zone::new("example.org")
        .text("cases._domainkey.example.org", &key)
        .text("_dmarc.example.org", "v=DMARC1; p=reject");
    let scene = ordinary_org(zone).await?;
    let (reply, _) = arrives(&scene, "D02-l-tag.eml").await?;
    assert!(reply.starts_with("250 "), "{reply}");
    let kept = scene.only("Junk").await?;
    assert_eq!(kept.verdict(), "unverified; reason=dmarc-failed");
    assert!(kept.text.contains("dkim=neutral"), "{}", kept.text);
    assert!(kept.text.contains("dmarc=fail"), "{}", kept.text);
    scene.stop().await;
    Ok(())
}

/// Both sides of the bound of ordinary lines, and of header lines.
#[tokio::test(flavor = "multi_thread")]
async fn d03_long_lines_are_carried_in_the_body_of_ordinary_mail_only() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let refused = "550 5.6.0 The message has a line of more than 998 octets";
    is_refused(&scene, "D03-long-line.eml", refused).await?;
    let case = String::from_utf8_lossy(&case("D03-long-line.eml")?).into_owned();
    let (_, body) = case.split_once("\r\n\r\n").step("body")?;
    assert!(
        body.lines().any(|line| line.len() > 998),
        "its body too has a long line"
    );
    let in_the_body = letter("bob@example.org", body);
    scene
        .taken("bob@example.org", &in_the_body, "INBOX")
        .await?;
    let long = letter("bob@example.org", &"x".repeat(64 * 1024));
    scene.taken("bob@example.org", &long, "INBOX").await?;
    let longer = letter("bob@example.org", &"x".repeat(64 * 1024 + 1));
    let reply = scene.offer("bob@example.org", &longer).await?;
    let refused = "550 5.6.0 The message has a line of more than 65536 octets";
    assert_eq!(reply, refused);
    let header = format!("X-Long: {}\r\n{}", "x".repeat(991), letter("b@c.net", "hi"));
    let reply = scene.offer("bob@example.org", &header).await?;
    let refused = "550 5.6.0 The message has a line of more than 998 octets";
    assert_eq!(reply, refused);
    scene.stop().await;
    Ok(())
}

/// The list's footer breaks what bob's domain signed; the message is nobody's, and not in the
/// Inbox of who never registered the list.
#[tokio::test(flavor = "multi_thread")]
async fn d04_a_footer_makes_it_the_lists_message() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    is_taken(&scene, "D04-list-footer.eml").await?;
    let strict = Zone::new("example.org").text("_dmarc.example.org", "v=DMARC1; p=reject");
    let scene = {
        scene.stop().await;
        ordinary_org(strict).await?
    };
    let (reply, _) = arrives(&scene, "D04-list-footer.eml").await?;
    assert!(reply.starts_with("250 "), "{reply}");
    scene.only("Junk").await?;
    scene.stop().await;
    Ok(())
}

/// What is forged is unverified wherever it is passed on to: in the name of a domain that asks to
/// refuse it, of one that always seals, and of our own.
#[tokio::test(flavor = "multi_thread")]
async fn d05_forged_mail_gets_no_better_by_arriving() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let rejecting = letter("ceo@shop.net", "pay");
    let kept = scene.taken("eve@plain.net", &rejecting, "Junk").await?;
    assert_eq!(kept.verdict(), "unverified; reason=dmarc-failed");
    let own = letter("carol@example.com", "pay");
    let kept = scene.taken("eve@plain.net", &own, "INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    account(&scene.testbed, &scene.store, "ceo@example.com", true).await?;
    let reply = scene
        .offer("eve@plain.net", &letter("CEO+x@example.com", "pay"))
        .await?;
    let strict = "550 5.7.1 CEO+x@example.com always seals and this message has no seal";
    assert_eq!(reply, strict);
    scene.stop().await;
    Ok(())
}

/// Nothing is ever sent about a report, whatever becomes of it.
#[tokio::test(flavor = "multi_thread")]
async fn r11_a_report_about_a_report_causes_none() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let report = case("R11-dsn-of-dsn.eml")?;
    for from in ["", "postmaster@example.org"] {
        let reply = scene.offer_octets(from, &report).await?;
        assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
        let kept = scene.only("INBOX").await?;
        assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    }
    let unknown = scene.offer_to("nobody@example.com", "", &report).await?;
    assert!(unknown.starts_with("550 5.1.1 "), "{unknown}");
    scene.set("legacy", "reject").await?;
    let reply = scene.offer_octets("", &report).await?;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    let waiting: Vec<QueueEntry> = scene.store.entries().await.step("queue")?;
    assert!(waiting.is_empty());
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn m08_octets_of_ordinary_mail_are_borne_and_kept() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    for name in [
        "M08-raw-8bit.eml",
        "M08-wrong-charset.eml",
        "M08-utf7.eml",
        "M08-empty.eml",
    ] {
        is_taken(&scene, name).await?;
    }
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn m09_nul_is_refused_in_ordinary_mail_too() -> Outcome<()> {
    let scene = ordinary_org(Zone::new("example.org")).await?;
    let nul = "550 5.6.0 The message has a NUL octet";
    is_refused(&scene, "M09-nul.eml", nul).await?;
    is_refused(&scene, "M09-nul-in-header.eml", nul).await?;
    scene.stop().await;
    Ok(())
}

/// Whoever comes again for a recipient that has no room brings the others no copy each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_costs_the_one_beside_it_no_copies() -> Outcome<()> {
    let scene = Scene::open().await?;
    let store = &scene.store;
    let dora = account(&scene.testbed, store, "dora@example.com", false).await?;
    let legacy = vec![("legacy".to_owned(), Some(b"accept".to_vec()))];
    let set = store.set(Scope::Account(dora.id), legacy).await;
    set.step("legacy")?;
    let both = Letter {
        from: "eve@plain.net".to_owned(),
        announced: None,
        recipients: ["alice@example.com", "dora@example.com"]
            .map(str::to_owned)
            .to_vec(),
        content: letter("eve@plain.net", "hi").into_bytes(),
    };
    store.set_quota(dora.id, Some(50)).await.step("quota")?;
    for _ in 0..2 {
        let reply = scene.offer_letter(&both).await?;
        assert!(reply.starts_with("452 4.2.2 "), "{reply}");
    }
    store.set_quota(dora.id, None).await.step("quota")?;
    let reply = scene.offer_letter(&both).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    scene.only("INBOX").await?;
    scene.stop().await;
    Ok(())
}

//! SPF, DKIM and DMARC: right for pass, fail and none, written down, and never what verifies.

use email2_testbed::failure::Outcome;
use email2_testbed::zone::Zone;

use crate::scene::{Scene, letter};

/// The field that our server wrote, on one line.
pub(crate) fn results(text: &str) -> String {
    let begin = text.find("\r\nAuthentication-Results: ").unwrap_or(0) + 2;
    let field = text.get(begin..).unwrap_or_default();
    let unfolded = field.replace("\r\n\t", " ");
    unfolded.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_right_for_pass_fail_and_none() -> Outcome<()> {
    let scene = Scene::open().await?;
    let honest = scene.signed(&letter("news@shop.net", "cheap"))?;
    let kept = scene.taken("bounce@shop.net", &honest, "INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    let said = results(&kept.text);
    let begin = "Authentication-Results: mx.example.com; spf=pass ";
    assert!(said.starts_with(begin), "{said}");
    for word in [
        "smtp.mailfrom=bounce@shop.net",
        "dkim=pass header.d=shop.net",
        "dmarc=pass header.from=shop.net",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let plain = letter("bob@plain.net", "hi");
    let kept = scene.taken("bob@plain.net", &plain, "INBOX").await?;
    let said = results(&kept.text);
    assert!(
        said.contains("spf=none") && said.contains("dmarc=none"),
        "{said}"
    );
    assert!(!said.contains("dkim="), "{said}");
    scene.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_dmarc_is_not_refused_and_not_in_the_inbox() -> Outcome<()> {
    let scene = Scene::open().await?;
    let forged = letter("news@shop.net", "pay to another account");
    let kept = scene.taken("eve@plain.net", &forged, "Junk").await?;
    assert_eq!(kept.verdict(), "unverified; reason=dmarc-failed");
    assert!(results(&kept.text).contains("dmarc=fail"), "{}", kept.text);
    let changed = scene.signed(&letter("news@shop.net", "cheap"))?;
    let changed = changed.replace("cheap", "dear");
    let kept = scene.taken("eve@plain.net", &changed, "Junk").await?;
    assert!(!results(&kept.text).contains("dkim=pass"), "{}", kept.text);
    scene.stop().await;
    Ok(())
}

/// Accept, junk and reject, and each person for themselves.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_says_what_becomes_of_ordinary_mail() -> Outcome<()> {
    let scene = Scene::open().await?;
    let plain = letter("bob@plain.net", "hi");
    scene.set("legacy", "junk\r\n").await?;
    let kept = scene.taken("bob@plain.net", &plain, "Junk").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    scene.set("legacy", "reject").await?;
    let reply = scene.offer("bob@plain.net", &plain).await?;
    assert_eq!(
        reply,
        "550 5.7.1 The recipient takes sealed mail (Email 2.0) only"
    );
    scene.stop().await;
    Ok(())
}

/// Strangers wait, whether they seal or not (spec §10.5).
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_stranger_waits_like_any_other() -> Outcome<()> {
    let scene = Scene::open().await?;
    scene.set("strangers", "requests").await?;
    scene.set("contacts", "bob@plain.net\n").await?;
    let stranger = letter("eve@plain.net", "hi");
    scene.taken("eve@plain.net", &stranger, "Requests").await?;
    let known = letter("bob@plain.net", "hi");
    scene.taken("bob@plain.net", &known, "INBOX").await?;
    let both = letter("bob@plain.net, eve@plain.net", "hi");
    scene.taken("eve@plain.net", &both, "Requests").await?;
    scene.stop().await;
    Ok(())
}

/// spec §11.3.3: what came with a message is never ours.
#[tokio::test(flavor = "multi_thread")]
async fn forged_fields_of_ours_do_not_survive() -> Outcome<()> {
    let scene = Scene::open().await?;
    let forged = [
        "Email2-Verdict: verified; author=bob@plain.net; assurance=dnssec; at=1",
        "Authentication-Results: mx.example.com; dmarc=pass header.from=bank.net",
        "Authentication-Results: (really) MX.example.com 1; dmarc=pass",
        "Email2-Seal: v=1; f=author",
        "Return-Path: <ceo@example.com>",
    ];
    let honest = letter("bob@plain.net", "hi");
    let content = format!("{}\r\n{honest}", forged.join("\r\n"));
    let kept = scene.taken("eve@plain.net", &content, "INBOX").await?;
    let (ours, theirs) = kept
        .text
        .split_once("X-Email2-Verdict: ")
        .unwrap_or(("", ""));
    assert!(
        ours.starts_with("Return-Path: <eve@plain.net>\r\n"),
        "{}",
        kept.text
    );
    for field in forged {
        assert!(kept.text.contains(&format!("\r\nX-{field}\r\n")), "{field}");
        assert!(!theirs.contains(&format!("\r\n{field}")), "{field}");
    }
    assert!(theirs.ends_with(&honest), "{theirs}");
    scene.stop().await;
    Ok(())
}

/// spec §11.3.5: nobody lets us count his signatures.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_signatures_are_not_verified() -> Outcome<()> {
    let scene = Scene::open().await?;
    let content = letter("news@shop.net", "cheap");
    let signed = scene.signed(&content)?;
    let signature = signed.strip_suffix(&content).unwrap_or_default();
    let many = format!("{}{content}", signature.repeat(25));
    let kept = scene.taken("eve@plain.net", &many, "Junk").await?;
    let said = results(&kept.text);
    assert!(said.contains("dkim=permerror"), "{said}");
    assert!(said.contains("dmarc=fail"), "{said}");
    scene.stop().await;
    Ok(())
}

/// A recipient in the next transaction, where another answer may be right (spec §3.9.4).
#[tokio::test(flavor = "multi_thread")]
async fn who_wants_it_otherwise_comes_in_the_next_transaction() -> Outcome<()> {
    use email2_testbed::forger::session::Session;
    let scene = Scene::open().await?;
    crate::scene::account(&scene.testbed, &scene.store, "carol@example.com", false).await?;
    let at = scene.testbed.exchanger("example.com")?;
    let mut session = Session::open(&scene.testbed.world, &at, "mta.shop.net").await?;
    session.granted("MAIL FROM:<bob@plain.net>").await?;
    session.granted("RCPT TO:<alice@example.com>").await?;
    let reply = session.say("RCPT TO:<carol@example.com>").await?;
    let apart = "452 4.5.3 This recipient decides apart, send in another transaction";
    assert_eq!(reply.to_string(), apart);
    scene.stop().await;
    Ok(())
}

/// A zone that does not answer costs a temporary error, and the message is taken.
#[tokio::test(flavor = "multi_thread")]
async fn results_that_cannot_be_told_are_temporary_errors() -> Outcome<()> {
    use email2_testbed::authority::Fault;
    use hickory_proto::rr::RecordType;
    let mut scene = Scene::open().await?;
    scene.testbed.authority.publish(Zone::new("slow.net"))?;
    let authority = &scene.testbed.authority;
    authority.fault("slow.net", Some(RecordType::TXT), Fault::ServFail)?;
    authority.fault("_dmarc.slow.net", None, Fault::ServFail)?;
    let kept = scene
        .taken("bob@slow.net", &letter("bob@slow.net", "hi"), "INBOX")
        .await?;
    let said = results(&kept.text);
    assert!(said.contains("spf=temperror"), "{said}");
    assert!(said.contains("dmarc=temperror"), "{said}");
    scene.stop().await;
    Ok(())
}

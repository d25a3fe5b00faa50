//! Downgrades, one after the other: who stands in the wire, holds the DNS or a certificate of
//! their own takes away what a domain demands. Each time mail waits in the queue, `email2d queue
//! show` says why, and it goes out, once, when the fault ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "downgrade/program.rs"]
mod program;
#[path = "downgrade/scene.rs"]
mod scene;

#[path = "downgrade/circles.rs"]
mod circles;
#[path = "downgrade/directory.rs"]
mod directory;
#[path = "downgrade/knot.rs"]
mod knot;
#[path = "downgrade/ordinary.rs"]
mod ordinary;
#[path = "downgrade/policy.rs"]
mod policy;

use std::sync::Arc;

use email2_testbed::authority::Fault;
use email2_testbed::domain::Plan;
use email2_testbed::loopback::MX_PORT;
use email2_testbed::rogue::{self, Script};
use hickory_proto::rr::rdata::{MX, SRV};
use hickory_proto::rr::{RData, RecordType};

use scene::{Scene, THIEF_NAME, says_nothing_of_email2, speaks_email2, took_mail};

/// What is said of a domain that is known to speak Email 2.0: the host, what is wrong, who can
/// mend it.
fn taken_away(what: &str) -> String {
    format!(
        "example.com speaks Email 2.0, and no host of it does now: mx.example.com {what}; no mail \
         was given to it: somebody on the way may be taking it away, else the administrator of \
         example.com has to mend it"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn without_starttls_nothing_leaves() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let stripped: Script = Arc::new(|said| rogue::polite(said, &["PIPELINING"]));
    let (place, rogue) = scene.replaced(None, stripped).await;
    scene.submit("stripped").await;
    let why = scene.waits().await.reply;
    assert_eq!(why, taken_away("offers no STARTTLS"));
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_email2_nothing_leaves() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let (place, rogue) = scene.replaced(None, says_nothing_of_email2()).await;
    scene.submit("stripped").await;
    let why = scene.waits().await.reply;
    assert_eq!(why, taken_away("shows no EMAIL2"));
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_mx_with_a_valid_certificate_of_its_own_gets_nothing() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let thief = scene.thief().await;
    let forged = RData::MX(MX::new(1, scene::thief_name()));
    let lie = Fault::Forged(vec![forged]);
    let authority = &scene.testbed.authority;
    authority
        .fault("example.com", Some(RecordType::MX), lie)
        .unwrap();
    // Answers are kept for a second (the zone's TTL).
    scene.pause(1_500).await;
    scene.submit("redirected").await;
    let why = scene.waits().await.reply;
    let said = format!("{THIEF_NAME} is not authenticated for example.com: ");
    assert!(why.starts_with(&said), "{why}");
    let said = "; no mail was given to it: DNS may lead to a wrong host, else the administrator of \
                example.com has to mend one of these";
    assert!(why.ends_with(said), "{why}");
    assert!(!took_mail(&thief));
    scene.testbed.authority.heal();
    scene.pause(1_500).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_srv_gets_nothing_and_the_mx_is_used() {
    let plan = Plan {
        direct: true,
        ..Plan::new("example.com")
    };
    let mut scene = Scene::set(plan).await;
    let thief = scene.thief().await;
    let forged = RData::SRV(SRV::new(0, 0, MX_PORT, scene::thief_name()));
    let lie = Fault::Forged(vec![forged]);
    let authority = &scene.testbed.authority;
    let name = "_email2._tcp.example.com";
    authority.fault(name, Some(RecordType::SRV), lie).unwrap();
    scene.pause(1_500).await;
    scene.submit("redirected").await;
    // SRV hosts that cannot be authenticated mean: use MX (spec §2.1).
    scene.goes_out(2).await;
    assert!(!took_mail(&thief));
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_none() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let names = ["mx.example.com", "email2.example.com"];
    let files = scene
        .testbed
        .certification
        .issue_ended("ended", &names, 2020);
    let files = files.unwrap();
    let (place, rogue) = scene.replaced(Some(&files), speaks_email2()).await;
    scene.submit("expired").await;
    let why = scene.waits().await.reply;
    let expired = "mx.example.com: its certificate is not valid: it has expired, and its \
                   administrator has to renew it";
    assert_eq!(why, expired);
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_name_is_none() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let files = scene
        .testbed
        .certification
        .issue("other", &["mx.other.net"]);
    let files = files.unwrap();
    let (place, rogue) = scene.replaced(Some(&files), speaks_email2()).await;
    scene.submit("another").await;
    let why = scene.waits().await.reply;
    let other = "mx.example.com: its certificate is for mx.other.net, not for email2.example.com \
                 or mx.example.com";
    assert_eq!(why, other);
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

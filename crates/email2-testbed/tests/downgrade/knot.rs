//! Zones that Debian's Knot signs: DNSSEC alone authenticates a domain (spec §2.2, way a), TLSA
//! records count, and what is spoiled is bogus and holds mail.

use email2_testbed::domain::Plan;
use email2_testbed::knot::{self, Denial};
use email2_testbed::loopback::MX_PORT;
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::ordinary::{ORDINARY, ordinary_host, tlsa};
use crate::scene::{Scene, took_mail};

/// Of alice's domain nothing but DNSSEC vouches for its host. `None` where Knot is not installed.
async fn scene(denial: Denial) -> Option<Scene> {
    if !knot::is_available() {
        eprintln!("skipped: Debian's knot is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let testbed = Testbed::by_knot(folder.path(), denial).unwrap();
    let alice = Plan {
        signed: true,
        certified: false,
        ..Plan::new("example.com")
    };
    let scene = Scene::within(testbed, folder, alice).await;
    scene.begins().await;
    Some(scene)
}

/// spec §2.2.4
#[tokio::test(flavor = "multi_thread")]
async fn a_bogus_mx_holds_mail_until_its_zone_is_right_again() {
    let Some(mut scene) = scene(Denial::Nsec3).await else {
        return;
    };
    let zone = scene.testbed.zone("example.com").cloned().unwrap();
    let knot = scene.testbed.knot.as_mut().unwrap();
    let (is, says) = ("10 mx.example.com.", "9 mx.example.com.");
    knot.spoil("example.com", is, says).unwrap();
    scene.pause(1_500).await;
    scene.submit("spoiled").await;
    let why = scene.waits().await.reply;
    assert!(why.starts_with("looking up example.com: "), "{why}");
    assert!(why.contains("DNSSEC"), "{why}");
    scene.testbed.publish(zone).unwrap();
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

/// spec §12.2.2
#[tokio::test(flavor = "multi_thread")]
async fn dane_holds_by_the_records_of_knot() {
    let Some(mut scene) = scene(Denial::Nsec).await else {
        return;
    };
    let name = format!("_{MX_PORT}._tcp.mail.example.net");
    let zone = Zone::new("example.net").signed();
    let wrong = zone.clone().record(&name, tlsa(b"another certificate"));
    let (host, files) = ordinary_host(&mut scene, wrong).await;
    scene.submit_to("pat@example.net").await;
    let why = scene.waits().await.reply;
    let said =
        "mail.example.net: its certificate is none that its TLSA records name: DNS has 3 0 1 ";
    assert!(why.starts_with(said), "{why}");
    assert!(!took_mail(&host));
    let certificate = CertificateDer::from_pem_file(&files.certificate).unwrap();
    let published = scene.testbed.zone("example.net").cloned().unwrap();
    let right = published.without(&name).record(&name, tlsa(&certificate));
    scene.testbed.publish(right.clone()).unwrap();
    scene.pause(1_500).await;
    scene.drained().await;
    assert!(took_mail(&host));

    // The same record with another signature than its zone's.
    let knot = scene.testbed.knot.as_mut().unwrap();
    knot.spoil("example.net", "3 0 1 ", "2 0 1 ").unwrap();
    scene.pause(1_500).await;
    scene.submit_to("pat@example.net").await;
    let why = scene.waits().await.reply;
    assert!(why.starts_with(&format!("looking up {name}: ")), "{why}");
    assert!(why.contains("DNSSEC"), "{why}");
    scene.testbed.publish(right).unwrap();
    scene.drained().await;

    // The host moves to a hoster, whose zone has its records (spec §12.2.5).
    let there = scene.testbed.network.host(ORDINARY);
    let hoster = Zone::new("hoster.net").signed();
    let hoster = hoster.address("mx.hoster.net", there);
    let name = format!("_{MX_PORT}._tcp.mx.hoster.net");
    let wrong = hoster.clone().record(&name, tlsa(b"another certificate"));
    let moved = Zone::new("example.net").signed();
    let moved = moved.mx("example.net", 10, "mail.example.net").unwrap();
    let moved = moved.alias("mail.example.net", "mx.hoster.net").unwrap();
    let knot = scene.testbed.knot.as_mut().unwrap();
    knot.publish(vec![wrong, moved]).unwrap();
    scene.pause(1_500).await;
    scene.submit_to("pat@example.net").await;
    let why = scene.waits().await.reply;
    assert!(why.starts_with(said), "{why}");
    let right = hoster.record(&name, tlsa(&certificate));
    scene.testbed.publish(right).unwrap();
    scene.pause(1_500).await;
    scene.drained().await;
    let mails = host.heard();
    let mails = mails.iter().filter(|line| line.starts_with("MAIL"));
    assert_eq!(mails.count(), 3);
    scene.testbed.stop().await;
}

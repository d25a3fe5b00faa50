//! Hosts of ordinary mail: what MTA-STS and DANE demand of them.

use std::sync::Arc;

use email2_testbed::authority::Fault;
use email2_testbed::certification::HostFiles;
use email2_testbed::domain::Plan;
use email2_testbed::loopback::{HTTPS_PORT, MX_PORT};
use email2_testbed::rogue::{Act, Rogue, Script};
use email2_testbed::zone::Zone;
use hickory_proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_proto::rr::rdata::{MX, TLSA};
use hickory_proto::rr::{RData, RecordType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::scene::{Scene, THIEF_NAME, says_nothing_of_email2, thief_name, took_mail};

/// An ordinary host, and the one that serves its domain's policy.
pub(crate) const ORDINARY: u8 = 210;
const POLICY: u8 = 214;

/// An ordinary domain whose host takes what comes.
pub(crate) async fn ordinary_host(scene: &mut Scene, zone: Zone) -> (Rogue, HostFiles) {
    let testbed = &mut scene.testbed;
    let host = testbed.network.host(ORDINARY);
    let zone = zone.address("mail.example.net", host);
    let zone = zone.mx("example.net", 10, "mail.example.net").unwrap();
    testbed.publish(zone).unwrap();
    let names = ["mail.example.net"];
    let files = testbed.certification.issue("mail.example.net", &names);
    let files = files.unwrap();
    let at = testbed.network.port(ORDINARY, MX_PORT);
    let rogue = Rogue::start(&testbed.world, at, &files, says_nothing_of_email2()).await;
    (rogue.unwrap(), files)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enforced_policy_keeps_mail_from_a_host_that_it_does_not_name() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let thief = scene.thief().await;
    let policy_host = scene.testbed.network.host(POLICY);
    let zone = Zone::new("example.net")
        .text("_mta-sts.example.net", "v=STSv1; id=1")
        .address("mta-sts.example.net", policy_host);
    let (host, _) = ordinary_host(&mut scene, zone).await;
    let page = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.net\r\nmax_age: 86400\r\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    );
    let web: Script = Arc::new(move |said| match said.is("GET /.well-known/mta-sts.txt ") {
        true => Act::SayAndClose(answer.clone().into_bytes()),
        false => Act::Say(Vec::new()),
    });
    let testbed = &scene.testbed;
    let names = ["mta-sts.example.net"];
    let files = testbed.certification.issue("mta-sts", &names).unwrap();
    let at = testbed.network.port(POLICY, HTTPS_PORT);
    let _web = Rogue::start_secured(&testbed.world, at, &files, web).await;
    let _web = _web.unwrap();

    let forged = RData::MX(MX::new(1, thief_name()));
    let lie = Fault::Forged(vec![forged]);
    let authority = &scene.testbed.authority;
    authority
        .fault("example.net", Some(RecordType::MX), lie)
        .unwrap();
    scene.submit_to("pat@example.net").await;
    let why = scene.waits().await.reply;
    assert!(
        why.contains("the MTA-STS policy of example.net names"),
        "{why}"
    );
    assert!(why.contains(THIEF_NAME), "{why}");
    assert!(!took_mail(&thief));
    scene.testbed.authority.heal();
    scene.pause(1_500).await;
    scene.drained().await;
    assert!(took_mail(&host));
    assert!(!took_mail(&thief));
    scene.testbed.stop().await;
}

/// The record that names a certificate (RFC 6698: 3 0 1).
pub(crate) fn tlsa(certificate: &[u8]) -> RData {
    let digest = Sha256::digest(certificate).to_vec();
    let (usage, selector) = (CertUsage::from(3), Selector::from(0));
    RData::TLSA(TLSA::new(usage, selector, Matching::from(1), digest))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_dane_does_not_name_gets_nothing() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let name = format!("_{MX_PORT}._tcp.mail.example.net");
    let zone = Zone::new("example.net").signed();
    let wrong = zone.clone().record(&name, tlsa(b"another certificate"));
    let (host, files) = ordinary_host(&mut scene, wrong).await;
    scene.submit_to("pat@example.net").await;
    let why = scene.waits().await.reply;
    assert!(why.contains("none that its TLSA records name"), "{why}");
    assert!(!took_mail(&host));
    // The administrator publishes the right one.
    let certificate = CertificateDer::from_pem_file(&files.certificate).unwrap();
    let testbed = &mut scene.testbed;
    let right = zone
        .record(&name, tlsa(&certificate))
        .address("mail.example.net", testbed.network.host(ORDINARY))
        .mx("example.net", 10, "mail.example.net");
    testbed.authority.publish(right.unwrap()).unwrap();
    scene.pause(1_500).await;
    scene.drained().await;
    assert!(took_mail(&host));
    scene.testbed.stop().await;
}

//! Aliases that lead in a circle (RFC 1034 §3.6.2), wherever a sender looks: no such name is
//! absent (spec §2.3.3), so that mail waits, in bounded time, with the name in the queue.

use std::time::Duration;

use email2_testbed::domain::Plan;
use email2_testbed::loopback::MX_PORT;
use email2_testbed::rogue::Rogue;
use email2_testbed::zone::Zone;

use crate::scene::{Scene, says_nothing_of_email2, took_mail};

/// The host of all these domains.
const HOST: u8 = 232;

/// A domain and the name in it that is part of a circle.
struct Round {
    domain: &'static str,
    name: String,
    /// Where TLSA records are looked for DNSSEC must secure them.
    signed: bool,
}

fn rounds() -> Vec<Round> {
    let round = |domain: &'static str, label: &str, signed| Round {
        domain,
        name: format!("{label}{domain}"),
        signed,
    };
    vec![
        round("shop.mx.net", "", false),
        round("host.net", "mail.", false),
        round("record.net", "_email2.", false),
        round("direct.net", "_email2._tcp.", false),
        round("policy.net", "_mta-sts.", false),
        round("pinned.net", &format!("_{MX_PORT}._tcp.mail."), true),
    ]
}

/// The zone that holds the domain, without and with its circle.
fn zone(round: &Round, scene: &Scene, in_circles: bool) -> Zone {
    let domain = round.domain;
    let origin = domain.trim_start_matches("shop.");
    let host = format!("mail.{domain}");
    let mut zone = Zone::new(origin);
    if round.signed {
        zone = zone.signed();
    }
    zone = zone.address(&host, scene.testbed.network.host(HOST));
    zone = zone.mx(domain, 10, &host).unwrap();
    if in_circles {
        let (there, back) = (format!("there.{origin}"), format!("back.{origin}"));
        zone = zone
            .without(&round.name)
            .alias(&round.name, &there)
            .unwrap();
        zone = zone.alias(&there, &back).unwrap();
        zone = zone.alias(&back, &there).unwrap();
    }
    zone
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_in_a_circle_hold_mail_wherever_they_are_met() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let testbed = &scene.testbed;
    let names: Vec<String> = rounds()
        .iter()
        .map(|round| format!("mail.{}", round.domain))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files = testbed.certification.issue("rounds", &names).unwrap();
    let at = testbed.network.port(HOST, MX_PORT);
    let script = says_nothing_of_email2();
    let host = Rogue::start(&testbed.world, at, &files, script).await;
    let host = host.unwrap();
    for round in rounds() {
        let zone = zone(&round, &scene, true);
        scene.testbed.publish(zone).unwrap();
        scene.submit_to(&format!("pat@{}", round.domain)).await;
    }
    let began = scene.testbed.world.clock.monotonic();
    let reasons = scene.reasons(rounds().len()).await;
    let took = scene.testbed.world.clock.monotonic() - began;
    assert!(took < Duration::from_secs(60), "{took:?}");
    for round in rounds() {
        let why = &reasons[round.domain];
        let said = format!("{}: DNS fails", round.name);
        assert!(why.contains(&said), "{}: {why}", round.domain);
    }
    assert!(!took_mail(&host));
    for round in rounds() {
        let zone = zone(&round, &scene, false);
        scene.testbed.publish(zone).unwrap();
    }
    scene.drained().await;
    let heard = host.heard();
    let mails = heard.iter().filter(|line| line.starts_with("MAIL"));
    assert_eq!(mails.count(), rounds().len());
    scene.testbed.stop().await;
}

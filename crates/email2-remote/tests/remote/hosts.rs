//! Hosts and their addresses: aliases, IPv6, addresses that nobody answers at.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use email2::Domain;
use email2_remote::connect::OpenError;
use email2_remote::{Session, TlsPolicy};

use crate::old::Habit;
use crate::roads::{Road, Roads};
use crate::stage::Stage;

fn domain() -> Domain {
    Domain::parse("example.com").unwrap()
}

fn six(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn open(stage: &Stage) -> Result<Session, OpenError> {
    let hosts = stage.remote.exchangers(&domain()).await.unwrap();
    let policy = TlsPolicy::Opportunistic;
    stage
        .remote
        .open_ordinary(&domain(), &hosts[0], &policy)
        .await
}

/// R02: the alias is followed for addresses; the name that the certificate must carry is that in
/// the MX record (spec §2.1, RFC 8461 §4.1).
#[tokio::test]
async fn a_mail_host_that_is_an_alias_is_reached_and_keeps_its_name() {
    for (names, accepted) in [("mail.example.com", true), ("mx7.hoster.example", false)] {
        let mut stage = Stage::set().await;
        stage.zone.mx("example.com", &["mail.example.com"], false);
        stage
            .old_host("mx7.hoster.example", &[names], Habit::Tls)
            .await;
        // What a resolver answers that follows the alias.
        stage.zone.host("mail.example.com", stage.address());
        let web = stage
            .web("mta-sts.example.com", &["mta-sts.example.com"])
            .await;
        let text = b"version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 86400\n";
        let page = crate::web::Page::Is("text/plain", text.to_vec());
        web.put("/.well-known/mta-sts.txt", page);
        stage.zone.policy("example.com", "1");
        let host = stage.remote.exchangers(&domain()).await.unwrap()[0].clone();
        let policy = stage.remote.tls_policy(&domain(), &host).await.unwrap();
        let opened = stage.remote.open_ordinary(&domain(), &host, &policy).await;
        assert_eq!(opened.is_ok(), accepted, "{names}: {opened:?}");
    }
}

/// R03: a host with IPv6 only is reached by it.
#[tokio::test]
async fn a_host_with_ipv6_only_is_reached_by_it() {
    let address = six("2001:db8::25");
    let real = Stage::free_address(1);
    let roads = Roads(HashMap::from([(address, Road::To(real))]));
    let stage = Stage::on(roads).await;
    stage.zone.mx("example.com", &["mx.example.com"], false);
    stage.old_host_at(real, Habit::Clear).await;
    stage.zone.host("mx.example.com", address);
    assert!(open(&stage).await.is_ok());
}

/// R03: where there is no IPv6, the reason says so, and it is for now only.
#[tokio::test]
async fn without_ipv6_the_reason_names_the_address() {
    let address = six("2001:db8::25");
    let stage = Stage::on(Roads(HashMap::from([(address, Road::Missing)]))).await;
    stage.zone.mx("example.com", &["mx.example.com"], false);
    stage.zone.host("mx.example.com", address);
    let why = open(&stage).await.unwrap_err().to_string();
    assert!(why.contains("[2001:db8::25]"), "{why}");
    assert!(why.contains("no route to the address"), "{why}");
}

/// R03: an address that nobody answers at does not eat the budget (RFC 8305).
#[tokio::test]
async fn a_dead_address_leaves_time_for_the_others() {
    let address = six("2001:db8::25");
    let mut stage = Stage::on(Roads(HashMap::from([(address, Road::Nowhere)]))).await;
    stage.zone.mx("example.com", &["mx.example.com"], false);
    stage
        .old_host("mx.example.com", &["mx.example.com"], Habit::Tls)
        .await;
    stage
        .zone
        .hosts("mx.example.com", &[address, stage.address()], false);
    let began = Instant::now();
    assert!(open(&stage).await.unwrap().is_secured());
    assert!(began.elapsed() < Duration::from_secs(3));
}

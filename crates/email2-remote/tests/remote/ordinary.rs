//! TLS to hosts of ordinary mail (spec §12.2): what they offer, what MTA-STS and DANE demand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use email2::Domain;
use email2_io::DnsError;
use email2_io::dns::Tlsa;
use email2_remote::connect::OpenError;
use email2_remote::resolve::Host;
use email2_remote::{Session, TlsPolicy, WayError};

use crate::old::Habit;
use crate::stage::Stage;
use crate::web::{Page, Web};

const PATH: &str = "/.well-known/mta-sts.txt";

fn domain() -> Domain {
    Domain::parse("example.com").unwrap()
}

async fn first_host(stage: &Stage) -> Host {
    stage.remote.exchangers(&domain()).await.unwrap()[0].clone()
}

/// Opens the first host as the domain's policy demands.
async fn open(stage: &Stage) -> Result<Session, OpenError> {
    let host = first_host(stage).await;
    let policy = stage.remote.tls_policy(&domain(), &host).await.unwrap();
    stage.remote.open_ordinary(&domain(), &host, &policy).await
}

fn policy(mode: &str, hosts: &[&str]) -> Page {
    let mx: String = hosts.iter().map(|host| format!("mx: {host}\n")).collect();
    let text = format!("version: STSv1\nmode: {mode}\n{mx}max_age: 86400\n");
    Page::Is("text/plain", text.into_bytes())
}

/// A domain with a mail host and a policy.
async fn with_policy(mode: &str, named: &[&str]) -> (Stage, Arc<Web>) {
    let mut stage = Stage::set().await;
    stage.zone.mx("example.com", &["mail.example.com"], false);
    stage
        .old_host("mail.example.com", &["mail.example.com"], Habit::Tls)
        .await;
    stage.zone.policy("example.com", "1");
    let web = stage
        .web("mta-sts.example.com", &["mta-sts.example.com"])
        .await;
    web.put(PATH, policy(mode, named));
    (stage, web)
}

/// spec §12.2.1
#[tokio::test]
async fn whatever_a_host_offers_is_taken_where_nothing_is_demanded() {
    for (habit, secured) in [
        (Habit::Tls, true),
        (Habit::Clear, false),
        (Habit::BrokenTls, false),
        (Habit::RefusedTls, false),
        (Habit::Helo, false),
    ] {
        let mut stage = Stage::set().await;
        stage.zone.mx("example.com", &["mail.example.com"], false);
        stage
            .old_host("mail.example.com", &["other.example"], habit)
            .await;
        let mut session = open(&stage).await.unwrap();
        assert_eq!(session.is_secured(), secured, "{habit:?}");
        assert_eq!(session.assurance(), None);
    }
}

/// R05 a: mail waits, and the text names both sides (spec §12.2.3).
#[tokio::test]
async fn a_host_outside_the_enforced_policy_gets_nothing() {
    let (stage, _web) = with_policy("enforce", &["mx.example.com"]).await;
    let why = open(&stage).await.unwrap_err().to_string();
    assert!(why.contains("names mx.example.com"), "{why}");
    assert!(why.contains("not its mail host mail.example.com"), "{why}");
}

/// R05 b, c
#[tokio::test]
async fn a_policy_names_hosts_label_by_label() {
    let (stage, _web) = with_policy("enforce", &["*.example.com"]).await;
    assert!(open(&stage).await.unwrap().is_secured());
    stage.zone.mx(
        "example.com",
        &["a.b.example.com", "mail.example.com"],
        false,
    );
    let refused = open(&stage).await;
    assert!(matches!(refused, Err(OpenError::NotNamed(_))));
    let hosts = stage.remote.exchangers(&domain()).await.unwrap();
    let policy = stage.remote.tls_policy(&domain(), &hosts[1]).await.unwrap();
    let named = stage
        .remote
        .open_ordinary(&domain(), &hosts[1], &policy)
        .await;
    assert!(named.unwrap().is_secured());
}

#[tokio::test]
async fn a_host_that_the_policy_names_must_have_tls_and_its_name() {
    for (habit, names) in [
        (Habit::Clear, "mail.example.com"),
        (Habit::Tls, "other.example"),
    ] {
        let mut stage = Stage::set().await;
        stage.zone.mx("example.com", &["mail.example.com"], false);
        stage.old_host("mail.example.com", &[names], habit).await;
        stage.zone.policy("example.com", "1");
        let web = stage
            .web("mta-sts.example.com", &["mta-sts.example.com"])
            .await;
        web.put(PATH, policy("enforce", &["mail.example.com"]));
        let why = open(&stage).await.unwrap_err().to_string();
        let told = why.contains("STARTTLS")
            || why.contains("454 not now")
            || why.contains("for other.example, not for mail");
        assert!(told, "{habit:?}: {why}");
    }
}

#[tokio::test]
async fn a_policy_that_tests_hinders_nothing() {
    let (stage, _web) = with_policy("testing", &["mx.example.com"]).await;
    assert!(open(&stage).await.unwrap().is_secured());
}

/// R05 d: what fails leaves the policy in force until its time is over (spec §12.2.4).
#[tokio::test]
async fn a_policy_stays_in_force_while_it_cannot_be_fetched() {
    let (stage, web) = with_policy("enforce", &["mx.example.com"]).await;
    assert!(open(&stage).await.is_err());
    assert_eq!(web.count(), 1);
    assert!(open(&stage).await.is_err());
    assert_eq!(web.count(), 1, "the same id is not fetched again");
    web.put(PATH, Page::Broken);
    stage.zone.policy("example.com", "2");
    assert!(open(&stage).await.is_err());
    stage.zone.policy_fails("example.com", DnsError::ServFail);
    assert!(open(&stage).await.is_err(), "nor is it without the record");
    stage.later(86_401);
    stage
        .zone
        .policy_fails("example.com", DnsError::NxDomain { secure: false });
    assert!(open(&stage).await.is_ok());
}

/// R05 e
#[tokio::test]
async fn another_policy_counts_with_another_id() {
    let (stage, web) = with_policy("enforce", &["mx.example.com"]).await;
    assert!(open(&stage).await.is_err());
    web.put(PATH, policy("none", &[]));
    assert!(open(&stage).await.is_err(), "the id is the same");
    stage.zone.policy("example.com", "2");
    assert!(open(&stage).await.is_ok());
}

#[tokio::test]
async fn a_policy_is_remembered_over_a_restart() {
    let (stage, web) = with_policy("enforce", &["mx.example.com"]).await;
    assert!(open(&stage).await.is_err());
    web.put(PATH, Page::Broken);
    let host = first_host(&stage).await;
    let found = stage.restarted().tls_policy(&domain(), &host).await;
    assert!(matches!(found, Ok(TlsPolicy::MtaSts(_))), "{found:?}");
}

/// R05 g, and bad input: each is a failure to fetch, in bounded time and memory.
#[tokio::test]
async fn what_is_no_policy_counts_as_none_fetched() {
    let elsewhere = Page::At("https://127.0.0.1/".to_owned());
    let pages = [
        elsewhere,
        Page::Huge("text/plain"),
        Page::Is("text/html", b"<html>".to_vec()),
        Page::Is("text/plain", b"version: STSv2\n".to_vec()),
        Page::Broken,
    ];
    for page in pages {
        let (stage, web) = with_policy("enforce", &["mx.example.com"]).await;
        web.put(PATH, page.clone());
        let began = Instant::now();
        assert!(open(&stage).await.is_ok(), "{page:?}");
        assert!(open(&stage).await.is_ok(), "{page:?}");
        assert!(began.elapsed() < Duration::from_secs(8), "{page:?}");
        assert_eq!(web.count(), 1, "{page:?}: not fetched again at once");
    }
}

/// Bad input: MTA-STS over a bad certificate (spec §12.2.4).
#[tokio::test]
async fn a_policy_is_taken_from_a_host_of_exactly_that_name_only() {
    for names in [["*.example.com"], ["example.com"]] {
        let mut stage = Stage::set().await;
        stage.zone.mx("example.com", &["mail.example.com"], false);
        stage
            .old_host("mail.example.com", &["mail.example.com"], Habit::Tls)
            .await;
        stage.zone.policy("example.com", "1");
        let web = stage.web("mta-sts.example.com", &names).await;
        web.put(PATH, policy("enforce", &["mx.example.com"]));
        assert!(open(&stage).await.is_ok());
        assert_eq!(web.count(), 0, "{names:?}");
    }
    let mut stage = Stage::set().await;
    stage.zone.mx("example.com", &["mail.example.com"], false);
    stage
        .old_host("mail.example.com", &["mail.example.com"], Habit::Tls)
        .await;
    stage.zone.policy("example.com", "1");
    let web = stage.self_made_web("mta-sts.example.com").await;
    assert!(open(&stage).await.is_ok());
    assert_eq!(web.count(), 0);
}

#[tokio::test]
async fn a_policy_record_that_cannot_be_asked_for_holds_the_mail() {
    let stage = Stage::set().await;
    stage.zone.mx("example.com", &["mail.example.com"], false);
    stage.zone.policy_fails("example.com", DnsError::ServFail);
    let host = first_host(&stage).await;
    let failed = stage.remote.tls_policy(&domain(), &host).await.unwrap_err();
    assert!(matches!(&failed, WayError::Temporary(why) if why.contains("_mta-sts.example.com")));
}

/// A domain whose MX and host are secured by DNSSEC; the name of its TLSA records.
async fn secured(names: &[&str]) -> (Stage, String) {
    let mut stage = Stage::set().await;
    stage.zone.mx("example.com", &["mail.example.com"], true);
    stage.old_host("mail.example.com", names, Habit::Tls).await;
    stage
        .zone
        .hosts("mail.example.com", &[stage.address()], true);
    let host = first_host(&stage).await;
    (stage, format!("_{}._tcp.mail.example.com", host.port))
}

fn whole(certificate: &[u8]) -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 0,
        matching: 0,
        data: certificate.to_vec(),
    }
}

/// spec §12.2.2
#[tokio::test]
async fn a_certificate_that_dns_names_needs_no_authority_and_no_name() {
    let (stage, name) = secured(&["other.example"]).await;
    stage
        .zone
        .tlsa(&name, vec![whole(&stage.certificate())], true);
    let mut session = open(&stage).await.unwrap();
    assert!(session.is_secured());
}

/// R05 f: DANE decides, and MTA-STS does not rescue it.
#[tokio::test]
async fn dane_wins_where_it_applies() {
    let (mut stage, name) = secured(&["mail.example.com"]).await;
    stage
        .zone
        .tlsa(&name, vec![whole(b"another certificate")], true);
    stage.zone.policy("example.com", "1");
    let web = stage
        .web("mta-sts.example.com", &["mta-sts.example.com"])
        .await;
    web.put(PATH, policy("enforce", &["mail.example.com"]));
    let why = open(&stage).await.unwrap_err().to_string();
    assert!(why.contains("DNS has 3 0 0 616e6f74"), "{why}");
    assert!(why.contains("it presented 3 0 1 "), "{why}");
    assert_eq!(web.count(), 0);
}

#[tokio::test]
async fn tlsa_records_count_only_where_dnssec_secures_them_and_the_host() {
    let (stage, name) = secured(&["mail.example.com"]).await;
    stage
        .zone
        .tlsa(&name, vec![whole(b"another certificate")], false);
    assert!(open(&stage).await.is_ok());
    stage
        .zone
        .tlsa(&name, vec![whole(b"another certificate")], true);
    assert!(open(&stage).await.is_err());
    stage
        .zone
        .hosts("mail.example.com", &[stage.address()], false);
    assert!(open(&stage).await.is_ok());
}

/// Whoever spoils the lookup of a host's addresses once has not got rid of its records
/// (RFC 7672 §2.1.1).
#[tokio::test]
async fn addresses_that_fail_hold_the_mail_of_a_host_that_dnssec_secures() {
    let (stage, name) = secured(&["mail.example.com"]).await;
    let records = vec![whole(b"another certificate")];
    stage.zone.tlsa(&name, records, true);
    let host = first_host(&stage).await;
    for error in [DnsError::ServFail, DnsError::Bogus] {
        stage.zone.host_fails("mail.example.com", error);
        let failed = stage.remote.tls_policy(&domain(), &host).await;
        assert!(matches!(failed, Err(WayError::Temporary(_))), "{failed:?}");
    }
    let absent = DnsError::NxDomain { secure: true };
    stage.zone.host_fails("mail.example.com", absent);
    let none = stage.remote.tls_policy(&domain(), &host).await;
    assert_eq!(none.unwrap(), TlsPolicy::Opportunistic);
}

#[tokio::test]
async fn records_that_fail_hold_the_mail_and_those_of_no_use_demand_tls() {
    let (stage, name) = secured(&["other.example"]).await;
    stage.zone.tlsa_fails(&name, DnsError::Bogus);
    let host = first_host(&stage).await;
    let failed = stage.remote.tls_policy(&domain(), &host).await;
    assert!(matches!(failed, Err(WayError::Temporary(_))));
    let unusable = Tlsa {
        usage: 1,
        ..whole(b"something")
    };
    stage.zone.tlsa(&name, vec![unusable.clone()], true);
    assert!(open(&stage).await.unwrap().is_secured());

    let mut stage = Stage::set().await;
    stage.zone.mx("example.com", &["mail.example.com"], true);
    stage
        .old_host("mail.example.com", &["mail.example.com"], Habit::Clear)
        .await;
    stage
        .zone
        .hosts("mail.example.com", &[stage.address()], true);
    let host = first_host(&stage).await;
    let name = format!("_{}._tcp.mail.example.com", host.port);
    stage.zone.tlsa(&name, vec![unusable], true);
    let why = open(&stage).await.unwrap_err().to_string();
    assert!(why.contains("STARTTLS"), "{why}");
}

//! DANE for a mail host whose name is an alias (RFC 7672 §2.2.2, §3.2.2; spec §12.2.5).

use email2::Domain;
use email2_io::DnsError;
use email2_io::dns::Tlsa;
use email2_remote::connect::OpenError;
use email2_remote::dane::Named;
use email2_remote::resolve::Host;
use email2_remote::{Session, TlsPolicy, WayError};

use crate::old::Habit;
use crate::stage::Stage;

/// What the MX names, and what that stands for.
const MX: &str = "mail.example.com";
const TARGET: &str = "mx.hoster.example";

/// (the alias, all of it) are secured by DNSSEC.
const SECURE: (bool, bool) = (true, true);

fn domain() -> Domain {
    Domain::parse("example.com").unwrap()
}

/// A mail host with a certificate for `names`.
async fn hoster(names: &[&str], secure: (bool, bool)) -> Stage {
    let mut stage = Stage::set().await;
    stage.zone.mx("example.com", &[MX], true);
    stage.old_host(MX, names, Habit::Tls).await;
    stage.zone.alias(MX, TARGET, &[stage.address()], secure);
    stage
}

async fn host(stage: &Stage) -> Host {
    stage.remote.exchangers(&domain()).await.unwrap()[0].clone()
}

async fn policy(stage: &Stage) -> Result<TlsPolicy, WayError> {
    let host = host(stage).await;
    stage.remote.tls_policy(&domain(), &host).await
}

async fn open(stage: &Stage) -> Result<Session, OpenError> {
    let (host, policy) = (host(stage).await, policy(stage).await.unwrap());
    stage.remote.open_ordinary(&domain(), &host, &policy).await
}

async fn publish(stage: &Stage, base: &str, record: &Tlsa) {
    let name = format!("_{}._tcp.{base}", host(stage).await.port);
    stage.zone.tlsa(&name, vec![record.clone()], true);
}

fn whole(usage: u8, certificate: &[u8]) -> Tlsa {
    Tlsa {
        usage,
        selector: 0,
        matching: 0,
        data: certificate.to_vec(),
    }
}

fn dane(base: &str, record: &Tlsa) -> TlsPolicy {
    TlsPolicy::Dane(Named {
        base: base.to_owned(),
        records: vec![record.clone()],
    })
}

#[tokio::test]
async fn what_a_secure_alias_stands_for_has_the_first_word() {
    let stage = hoster(&["other.example"], SECURE).await;
    let (right, wrong) = (whole(3, &stage.certificate()), whole(3, b"another"));
    publish(&stage, MX, &right).await;
    assert_eq!(policy(&stage).await.unwrap(), dane(MX, &right));
    assert!(open(&stage).await.unwrap().is_secured());
    publish(&stage, TARGET, &wrong).await;
    assert_eq!(policy(&stage).await.unwrap(), dane(TARGET, &wrong));
    let why = open(&stage).await.unwrap_err().to_string();
    assert!(why.contains("none that its TLSA records name"), "{why}");
    publish(&stage, TARGET, &right).await;
    publish(&stage, MX, &wrong).await;
    assert!(open(&stage).await.unwrap().is_secured());
}

#[tokio::test]
async fn a_lookup_that_fails_at_either_name_holds_the_mail() {
    let stage = hoster(&["other.example"], SECURE).await;
    let port = host(&stage).await.port;
    for base in [TARGET, MX] {
        let name = format!("_{port}._tcp.{base}");
        stage.zone.tlsa_fails(&name, DnsError::Bogus);
        let failed = policy(&stage).await.unwrap_err();
        assert!(failed.to_string().contains(&name), "{failed}");
        assert!(failed.is_temporary());
        stage
            .zone
            .tlsa_fails(&name, DnsError::NxDomain { secure: true });
    }
    assert_eq!(policy(&stage).await.unwrap(), TlsPolicy::Opportunistic);
}

#[tokio::test]
async fn a_secure_alias_of_an_insecure_name_speaks_for_itself() {
    let stage = hoster(&["other.example"], (true, false)).await;
    let (right, wrong) = (whole(3, &stage.certificate()), whole(3, b"another"));
    publish(&stage, TARGET, &wrong).await;
    assert_eq!(policy(&stage).await.unwrap(), TlsPolicy::Opportunistic);
    publish(&stage, MX, &right).await;
    assert_eq!(policy(&stage).await.unwrap(), dane(MX, &right));
    assert!(open(&stage).await.unwrap().is_secured());
}

#[tokio::test]
async fn an_insecure_alias_has_no_records_at_all() {
    let stage = hoster(&[MX], (false, false)).await;
    let wrong = whole(3, b"another");
    publish(&stage, MX, &wrong).await;
    publish(&stage, TARGET, &wrong).await;
    assert_eq!(policy(&stage).await.unwrap(), TlsPolicy::Opportunistic);
    assert!(open(&stage).await.unwrap().is_secured());
}

/// The name that has the records, or the domain, and no other (RFC 7672 §3.2.2).
#[tokio::test]
async fn an_authority_vouches_for_the_name_that_has_the_records() {
    for (names, base, passes) in [
        ([TARGET], TARGET, true),
        ([MX], TARGET, false),
        ([MX], MX, true),
        ([TARGET], MX, false),
        (["example.com"], TARGET, true),
    ] {
        let stage = hoster(&names, SECURE).await;
        publish(&stage, base, &whole(2, &stage.authority())).await;
        let opened = open(&stage).await;
        assert_eq!(opened.is_ok(), passes, "{names:?} {base}: {opened:?}");
    }
}

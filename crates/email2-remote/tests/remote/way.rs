//! Which mail a domain takes (spec §12.1), and how its ordinary hosts are met.

use email2::Domain;
use email2::known::KnownDomain;
use email2_io::DnsError;
use email2_remote::{Memory, Spoken, TlsPolicy, WayError};

use crate::neighbour::Manners;
use crate::stage::{Stage, answering};

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

async fn remembered(stage: &Stage, seconds: u64) {
    let known = KnownDomain {
        speaks_until: stage.world.now() + seconds,
        ..KnownDomain::default()
    };
    stage.memory.keep_domain(&domain(), known).await.unwrap();
}

#[tokio::test]
async fn a_domain_without_record_and_srv_takes_ordinary_mail() {
    let stage = Stage::set().await;
    stage.zone.mx("example.org", &["mx.example.org"], false);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Ordinary));
    stage.zone.direct("example.org", "", 0);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Ordinary));
    stage.zone.direct("example.org", "direct.example.org", 443);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
}

/// spec §12.1.1, §12.1.2
#[tokio::test]
async fn a_record_says_that_a_domain_speaks_and_only_a_secure_one_withdraws() {
    let stage = Stage::set().await;
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.zone.record("example.org", "v=EMAIL2; p=open", false);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
    stage.zone.record("example.org", "v=EMAIL2; ma=0", false);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
    remembered(&stage, 1000).await;
    stage.zone.record("example.org", "v=EMAIL2; ma=0", true);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Ordinary));
}

/// spec §2.4.1
#[tokio::test]
async fn a_domain_known_to_speak_is_never_taken_for_an_ordinary_one() {
    let stage = Stage::set().await;
    remembered(&stage, 1000).await;
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
    stage.zone.mx_is_null("example.org");
    stage.zone.record_fails("example.org", DnsError::Timeout);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
    stage.later(1001);
    stage
        .zone
        .record_fails("example.org", DnsError::NxDomain { secure: false });
    let refused = stage.remote.way_to(&domain()).await;
    assert_eq!(refused, Err(WayError::NullMx(domain())));
}

#[tokio::test]
async fn a_domain_that_does_not_exist_is_refused_at_once() {
    let stage = Stage::set().await;
    let refused = stage.remote.way_to(&domain()).await.unwrap_err();
    assert_eq!(refused, WayError::NoDomain(domain()));
    assert!(!refused.is_temporary());
}

/// spec §12.1.4
#[tokio::test]
async fn a_lookup_that_fails_is_no_absence() {
    for error in [DnsError::Timeout, DnsError::ServFail, DnsError::Bogus] {
        let stage = Stage::set().await;
        stage.zone.mx("example.org", &["mx.example.org"], false);
        stage.zone.record_fails("example.org", error);
        let unanswered = stage.remote.way_to(&domain()).await.unwrap_err();
        assert!(
            matches!(&unanswered, WayError::Unanswered(why) if why.contains("_email2.example.org"))
        );
        stage
            .zone
            .record_fails("example.org", DnsError::NoData { secure: false });
        stage.zone.direct_fails("example.org", error);
        let unanswered = stage.remote.way_to(&domain()).await.unwrap_err();
        assert!(matches!(&unanswered, WayError::Unanswered(why) if why.contains("_email2._tcp")));
        assert!(unanswered.is_temporary());
        stage.zone.mx_fails("example.org", error);
        let failed = stage.remote.way_to(&domain()).await.unwrap_err();
        assert!(matches!(failed, WayError::Temporary(_)), "{failed:?}");
    }
}

/// spec §12.1.3
#[tokio::test]
async fn a_host_met_for_ordinary_mail_that_speaks_email2_changes_the_way() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], true);
    stage
        .host("mx.example.org", &["mx.example.org"], manners)
        .await;
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Ordinary));
    let hosts = stage.remote.exchangers(&domain()).await.unwrap();
    let policy = TlsPolicy::Opportunistic;
    let met = stage
        .remote
        .open_ordinary(&domain(), &hosts[0], &policy)
        .await;
    let why = met.unwrap_err().to_string();
    assert!(why.contains("mx.example.org speaks Email 2.0"), "{why}");
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Email2));
}

#[tokio::test]
async fn a_forged_host_that_speaks_email2_changes_nothing() {
    let mut stage = Stage::set().await;
    stage.zone.mx("example.org", &["mx.mallory.example"], false);
    let names = ["mx.mallory.example"];
    stage
        .host("mx.mallory.example", &names, Manners::default())
        .await;
    let hosts = stage.remote.exchangers(&domain()).await.unwrap();
    let policy = TlsPolicy::Opportunistic;
    let met = stage
        .remote
        .open_ordinary(&domain(), &hosts[0], &policy)
        .await;
    assert_eq!(met.unwrap().assurance(), None);
    assert_eq!(stage.remote.way_to(&domain()).await, Ok(Spoken::Ordinary));
}

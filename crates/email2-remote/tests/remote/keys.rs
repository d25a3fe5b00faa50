//! Keys are asked of authenticated hosts, believed as far as these are, and kept (spec §2, §3.4,
//! §3.8, §7.2).

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::neighbour::Manners;
use crate::stage::{Stage, answering, served};
use email2::evidence::SignerEvidence;
use email2::secret::SecretKey;
use email2::{
    Address, Assurance, Domain, Fingerprint, Identity, KeyAnswer, KeyFlags, Rejection, limits,
};
use email2_io::DnsError;
use email2_io::dns::Tlsa;
use email2_remote::{KeyError, Remote};

const DAY: i64 = 86_400;
const NAMES: &[&str] = &["email2.example.org", "mx.example.org"];

fn bob() -> Identity {
    Identity::parse("bob@example.org").unwrap()
}

fn bobs_address() -> Address {
    Address::parse("bob@example.org").unwrap()
}

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

fn stranger() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn signing_key(key: &SecretKey) -> Fingerprint {
    key.certificate().signing_keys()[0].clone()
}

async fn ask(remote: &Remote, key: &SecretKey) -> SignerEvidence {
    remote.signer(stranger(), &bob(), &signing_key(key)).await
}

fn assurance(evidence: &SignerEvidence) -> Option<Assurance> {
    match evidence {
        SignerEvidence::Known(known) => known.assurance,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_certificate_for_the_domain_authenticates_and_the_answer_is_kept() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let first = ask(&stage.remote, &key).await;
    assert_eq!(assurance(&first), Some(Assurance::DomainCertificate));
    ask(&stage.remote, &key).await;
    let restarted = stage.restarted();
    assert_eq!(
        assurance(&ask(&restarted, &key).await),
        Some(Assurance::DomainCertificate)
    );
    assert_eq!(host.count("bob@example.org"), 1);
    let facts = stage.remote.domain(&domain()).await.unwrap();
    assert!(facts.speaks(stage.world.now()), "its word was kept");
    let kept = restarted.cached_signer(&bob(), &signing_key(&key)).await;
    assert!(matches!(kept, SignerEvidence::Known(_)));
}

#[tokio::test]
async fn dnssec_authenticates_a_host_under_its_own_name() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.hoster.example"], true);
    stage
        .host("mx.hoster.example", &["*.hoster.example"], manners)
        .await;
    let evidence = ask(&stage.remote, &key).await;
    assert_eq!(assurance(&evidence), Some(Assurance::Dnssec));
}

/// spec §2.1.6: for the host's own name DNS may vouch as well as an authority.
#[tokio::test]
async fn dane_vouches_for_a_host_that_dnssec_leads_to() {
    for (named, known) in [(true, true), (false, false)] {
        let mut stage = Stage::set().await;
        let (manners, key) = answering(&stage, 3600);
        stage.zone.mx("example.org", &["mx.hoster.example"], true);
        let names = &["other.example"];
        stage.host("mx.hoster.example", names, manners).await;
        stage
            .zone
            .hosts("mx.hoster.example", &[stage.address()], true);
        let hosts = stage.remote.hosts(&domain()).await.unwrap();
        let data = match named {
            true => stage.certificate(),
            false => b"another".to_vec(),
        };
        let record = Tlsa {
            usage: 3,
            selector: 0,
            matching: 0,
            data,
        };
        let name = format!("_{}._tcp.mx.hoster.example", hosts[0].port);
        stage.zone.tlsa(&name, vec![record], true);
        let evidence = ask(&stage.remote, &key).await;
        let is_known = matches!(evidence, SignerEvidence::Known(_));
        assert_eq!(is_known, known, "{evidence:?}");
        if known {
            assert_eq!(assurance(&evidence), Some(Assurance::Dnssec));
        }
    }
}

#[tokio::test]
async fn a_forged_mx_with_a_valid_certificate_of_its_own_convinces_nobody() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.mallory.example"], false);
    let names = &["mx.mallory.example", "example.org", "*.example.org"];
    let host = stage.host("mx.mallory.example", names, manners).await;
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(
            evidence,
            SignerEvidence::Unauthenticated { definite: true, .. }
        ),
        "{evidence:?}"
    );
    assert_eq!(host.count("bob@example.org"), 0, "nothing is asked of it");
}

#[tokio::test]
async fn a_domain_that_had_assurance_is_not_given_up_for_a_forged_mx() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 30 * 86_400);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    ask(&stage.remote, &key).await;
    let (forged, other) = answering(&stage, 0);
    stage.zone.mx("example.org", &["mx.mallory.example"], false);
    stage
        .host("mx.mallory.example", &["mx.mallory.example"], forged)
        .await;
    let evidence = ask(&stage.restarted(), &other).await;
    assert!(
        matches!(
            evidence,
            SignerEvidence::Unauthenticated {
                definite: false,
                ..
            }
        ),
        "{evidence:?}"
    );
}

#[tokio::test]
async fn dns_that_fails_is_never_an_absence() {
    let stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    for error in [DnsError::Timeout, DnsError::ServFail, DnsError::Bogus] {
        stage.zone.mx_fails("example.org", error);
        let evidence = ask(&stage.remote, &key).await;
        assert!(
            matches!(evidence, SignerEvidence::DnsFailure { .. }),
            "{evidence:?}"
        );
    }
    stage
        .zone
        .mx_fails("example.org", DnsError::NxDomain { secure: false });
    let evidence = ask(&stage.remote, &key).await;
    assert!(matches!(evidence, SignerEvidence::NoDomain), "{evidence:?}");
}

#[tokio::test]
async fn a_known_domain_that_vanishes_is_an_alarm() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 30 * 86_400);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    ask(&stage.remote, &key).await;
    stage
        .zone
        .mx_fails("example.org", DnsError::NxDomain { secure: false });
    let other = stage.key("bob@example.org");
    let evidence = ask(&stage.restarted(), &other).await;
    assert!(
        matches!(evidence, SignerEvidence::Unreachable { known: true, .. }),
        "{evidence:?}"
    );
    let error = stage.restarted().fetch_for_writing(&bobs_address()).await;
    assert!(
        matches!(error, Err(KeyError::Later { alarm: true, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn hosts_without_email2_mean_no_unless_a_record_says_otherwise() {
    let mut stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    let plain = Manners {
        plain: true,
        ..Manners::default()
    };
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, plain).await;
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(evidence, SignerEvidence::NotSpeaking { known: false }),
        "{evidence:?}"
    );
    let writing = stage.remote.key_for_writing(&bobs_address()).await;
    assert!(matches!(writing, Err(KeyError::NoEmail2(_))), "{writing:?}");
    stage.zone.record("example.org", "v=EMAIL2; p=open", false);
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(evidence, SignerEvidence::Unreachable { known: true, .. }),
        "{evidence:?}"
    );
    stage.zone.record_fails("example.org", DnsError::ServFail);
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(evidence, SignerEvidence::DnsFailure { .. }),
        "{evidence:?}"
    );
}

#[tokio::test]
async fn hosts_without_email2_are_skipped_while_others_speak_it() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    let plain = Manners {
        plain: true,
        ..Manners::default()
    };
    let hosts = &["old.example.org", "dead.example.org", "mx.example.org"];
    stage.zone.mx("example.org", hosts, false);
    stage
        .host("old.example.org", &["old.example.org"], plain)
        .await;
    stage
        .zone
        .host("dead.example.org", "127.77.0.255".parse().unwrap());
    stage.host("mx.example.org", NAMES, manners).await;
    assert!(assurance(&ask(&stage.remote, &key).await).is_some());
}

#[tokio::test]
async fn direct_hosts_come_first_and_a_foreign_port_is_not_used() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    let names = &["email2.example.org", "direct.example.org"];
    let (port, direct) = stage
        .direct_host("direct.example.org", names, manners)
        .await;
    stage.zone.direct("example.org", "direct.example.org", port);
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let mx = stage.host("mx.example.org", NAMES, manners).await;
    assert!(assurance(&ask(&stage.remote, &key).await).is_some());
    assert_eq!(
        (direct.count("bob@example.org"), mx.count("bob@example.org")),
        (1, 0)
    );
    stage.zone.direct("example.org", "direct.example.org", 22);
    let hosts = stage.remote.hosts(&domain()).await.unwrap();
    assert_eq!(hosts.len(), 1);
    stage.zone.direct("example.org", "", port);
    assert_eq!(stage.remote.hosts(&domain()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_kept_verifies_for_a_week_while_nobody_answers() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 0);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    ask(&stage.remote, &key).await;
    stage.zone.mx_fails("example.org", DnsError::Timeout);
    let restarted = stage.restarted();
    stage.later(6 * DAY);
    assert!(assurance(&ask(&restarted, &key).await).is_some());
    stage.later(8 * DAY);
    let evidence = ask(&restarted, &key).await;
    assert!(
        matches!(evidence, SignerEvidence::DnsFailure { .. }),
        "{evidence:?}"
    );
}

#[tokio::test]
async fn an_unchanged_certificate_is_not_sent_again() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    ask(&stage.remote, &key).await;
    stage.later(2 * 3600);
    let SignerEvidence::Known(known) = ask(&stage.remote, &key).await else {
        panic!("the key is known");
    };
    assert!(known.fetched >= stage.world.now() - 60, "confirmed now");
    let asked = host.asked.lock().unwrap();
    let etags: Vec<bool> = asked
        .iter()
        .filter(|query| query.subject == bob())
        .map(|query| query.etag.is_some())
        .collect();
    assert_eq!(etags, [false, true]);
}

#[tokio::test]
async fn a_definite_no_is_kept_for_five_minutes() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    let none = Rejection::NoKey { subject: bob() };
    manners.answer("bob@example.org", Err(none));
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let key = stage.key("bob@example.org");
    for _ in 0..3 {
        let evidence = ask(&stage.remote, &key).await;
        assert!(
            matches!(evidence, SignerEvidence::NoSuchKey),
            "{evidence:?}"
        );
    }
    assert_eq!(host.count("bob@example.org"), 1);
    stage.later(301);
    ask(&stage.remote, &key).await;
    assert_eq!(host.count("bob@example.org"), 2);
    let writing = stage.remote.key_for_writing(&bobs_address()).await;
    assert_eq!(writing.err(), Some(KeyError::NoKey(bobs_address())));
}

#[tokio::test]
async fn a_certificate_without_the_key_asked_for_is_no_answer() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    let another = stage.key("bob@example.org");
    let evidence = ask(&stage.remote, &another).await;
    assert!(
        matches!(evidence, SignerEvidence::NoSuchKey),
        "{evidence:?}"
    );
}

#[tokio::test]
async fn those_who_ask_at_once_ask_once() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    stage.remote.expect(stranger(), &bob());
    let questions = (0..20).map(|_| ask(&stage.remote, &key));
    let answers = futures::future::join_all(questions).await;
    assert!(answers.iter().all(|answer| assurance(answer).is_some()));
    assert_eq!(host.count("bob@example.org"), 1);
    assert_eq!(*host.connections.lock().unwrap(), 1, "the one opened ahead");
}

#[tokio::test]
async fn the_fence_lets_no_stranger_make_us_talk_to_ourselves() {
    let mut stage = Stage::with(|_| {}).await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(&evidence, SignerEvidence::Unreachable { known: false, why } if why.contains("not a public address")),
        "{evidence:?}"
    );
    assert_eq!(*host.connections.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_mute_host_costs_seconds_and_others_are_asked() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    let mute = Manners {
        mute: true,
        ..Manners::default()
    };
    stage.zone.mx(
        "example.org",
        &["mute.example.org", "mx.example.org"],
        false,
    );
    stage
        .host("mute.example.org", &["mute.example.org"], mute)
        .await;
    stage.host("mx.example.org", NAMES, manners).await;
    let started = Instant::now();
    assert!(assurance(&ask(&stage.remote, &key).await).is_some());
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn strangers_cannot_make_us_ask_an_unknown_domain_without_end() {
    let mut stage = Stage::set().await;
    let mute = Manners {
        mute: true,
        ..Manners::default()
    };
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, mute).await;
    let keys: Vec<SecretKey> = (0..6).map(|_| stage.key("bob@example.org")).collect();
    let asking = keys.iter().map(|key| ask(&stage.remote, key));
    let answers = futures::future::join_all(asking).await;
    let busy = |answer: &&SignerEvidence| matches!(answer, SignerEvidence::Unreachable { why, .. } if why.contains("too many"));
    assert_eq!(answers.iter().filter(busy).count(), 4);
    assert_eq!(*host.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_writer_gets_key_etag_and_assurance() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let found = stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    assert_eq!(found.certificate.primary(), key.certificate().primary());
    assert_eq!(found.assurance, Some(Assurance::DomainCertificate));
    let changed = stage.key("bob@example.org");
    host.answer("bob@example.org", Ok(served(&changed, KeyFlags::default())));
    let kept = stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    assert_eq!(kept.etag, found.etag);
    let anew = stage
        .remote
        .fetch_for_writing(&bobs_address())
        .await
        .unwrap();
    assert_eq!(anew.certificate.primary(), changed.certificate().primary());
}

#[tokio::test]
async fn a_writer_is_told_when_nothing_authenticates_the_host() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.hoster.example"], false);
    stage
        .host("mx.hoster.example", &["mx.hoster.example"], manners)
        .await;
    let found = stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    assert_eq!(found.assurance, None);
    let nobody = Address::parse("nobody@example.org").unwrap();
    let error = stage.remote.key_for_writing(&nobody).await.err().unwrap();
    assert_eq!(error, KeyError::Unauthenticated(nobody));
    assert!(!error.is_definite());
}

#[tokio::test]
async fn unchanged_from_the_true_host_does_not_vouch_for_a_forged_key() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    let (forged, mallorys) = answering(&stage, 3600);
    let true_etag = key.certificate().etag_with(&KeyFlags::default());
    let answer = KeyAnswer::Certificate {
        etag: true_etag,
        ttl: 1,
        flags: KeyFlags::default(),
        octets: mallorys.certificate().octets().to_vec(),
    };
    forged.answer("bob@example.org", Ok(answer));
    stage.zone.mx("example.org", &["mx.evil.example"], false);
    stage
        .host("mx.evil.example", &["mx.evil.example"], forged)
        .await;
    let first = stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    assert_eq!(first.assurance, None);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    stage.later(2 * DAY);
    let found = stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    assert_eq!(found.assurance, Some(Assurance::DomainCertificate));
    assert_eq!(found.certificate.primary(), key.certificate().primary());
}

#[tokio::test]
async fn no_dialogue_is_opened_ahead_for_a_signer_whose_key_is_kept() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    ask(&stage.remote, &key).await;
    let restarted = stage.restarted();
    ask(&restarted, &key).await;
    restarted.expect(stranger(), &bob());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(*host.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_writer_is_not_sent_to_a_forged_host_of_a_domain_that_had_assurance() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 30 * 86_400);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    stage.host("mx.example.org", NAMES, manners).await;
    stage.remote.key_for_writing(&bobs_address()).await.unwrap();
    let (forged, _) = answering(&stage, 0);
    stage.zone.mx("example.org", &["mx.mallory.example"], false);
    let names = &["mx.mallory.example"];
    let host = stage.host("mx.mallory.example", names, forged).await;
    let error = stage.restarted().fetch_for_writing(&bobs_address()).await;
    assert!(
        matches!(error, Err(KeyError::Later { alarm: true, .. })),
        "{error:?}"
    );
    assert_eq!(host.count("bob@example.org"), 0);
}

#[tokio::test]
async fn hosts_that_do_not_exist_speak_nothing() {
    let stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    stage.zone.mx("example.org", &["gone.example.org"], false);
    let evidence = ask(&stage.remote, &key).await;
    assert!(
        matches!(evidence, SignerEvidence::NotSpeaking { known: false }),
        "{evidence:?}"
    );
}

/// A host that has the mail of many domains allows a source so many connections (spec §8.1):
/// their senders wait for a place, and nobody is told to try again.
#[tokio::test]
async fn who_asks_one_host_about_many_domains_waits_for_a_place() {
    const DOMAINS: u8 = 60;
    let mut stage = Stage::set().await;
    let manners = Manners::default();
    let mut names = vec!["mx.hoster.example".to_owned()];
    let mut senders = Vec::new();
    for number in 0..DOMAINS {
        let domain = format!("d{number}.example");
        stage.zone.mx(&domain, &["mx.hoster.example"], false);
        names.push(format!("email2.{domain}"));
        let bob = format!("bob@{domain}");
        let key = stage.key(&bob);
        manners.answer(&bob, Ok(served(&key, KeyFlags::default())));
        senders.push((IpAddr::from([192, 0, 2, number]), bob, key));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let host = stage.host("mx.hoster.example", &names, manners).await;
    let asked = senders.iter().map(|(source, bob, key)| {
        let (bob, remote) = (Identity::parse(bob).unwrap(), &stage.remote);
        // As the server does it: at RCPT, and when the seal has come.
        remote.expect(*source, &bob);
        async move { remote.signer(*source, &bob, &signing_key(key)).await }
    });
    for evidence in futures::future::join_all(asked).await {
        assert_eq!(assurance(&evidence), Some(Assurance::DomainCertificate));
    }
    // What is closed here may be open there for a moment.
    let most = host.most_open.load(Ordering::Relaxed);
    assert!(most <= limits::CONNECTIONS_TO_HOST + 4, "{most}");
}

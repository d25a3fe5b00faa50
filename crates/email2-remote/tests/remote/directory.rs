//! The Web Key Directory and DNS as places of keys (spec §12.3), and as the fourth way to
//! authenticate one key (spec §2.2, way d).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::certificate::CertificateError;
use email2::evidence::SignerEvidence;
use email2::secret::SecretKey;
use email2::{Address, Assurance, Identity, KeyFlags, ReversePath, Strictness};
use email2_io::DnsError;
use email2_remote::{DeliveryRequest, KeyError, KeySource, Outcome};
use email2_smtp::{Envelope, Mail, Recipient};

use crate::neighbour::Manners;
use crate::stage::{Stage, answering, served};
use crate::web::{Page, Web};

/// `bob`, hashed and written as the draft says.
const BOB: &str = "jycbiujnsxs47xrkethgtj69xuunurok";

const OCTETS: &str = "application/octet-stream";

fn bob() -> Address {
    Address::parse("bob@example.org").unwrap()
}

fn advanced(hash: &str) -> String {
    format!("/.well-known/openpgpkey/example.org/hu/{hash}")
}

fn direct(hash: &str) -> String {
    format!("/.well-known/openpgpkey/hu/{hash}")
}

fn page(key: &SecretKey) -> Page {
    Page::Is(OCTETS, key.certificate().octets().to_vec())
}

/// A domain with an advanced directory that has `key` for bob.
async fn directory(stage: &mut Stage, key: &SecretKey) -> Arc<Web> {
    let name = "openpgpkey.example.org";
    let web = stage.web(name, &[name]).await;
    web.put(&advanced(BOB), page(key));
    web
}

#[tokio::test]
async fn a_key_is_found_by_the_advanced_method_and_kept() {
    let mut stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    let web = directory(&mut stage, &key).await;
    let found = stage.remote.ordinary_key(&bob()).await.unwrap().unwrap();
    assert_eq!(found.certificate.primary(), key.certificate().primary());
    assert_eq!(found.source, KeySource::Directory);
    stage.remote.ordinary_key(&bob()).await.unwrap().unwrap();
    let asked = web.asked.lock().unwrap().clone();
    assert_eq!(asked, [format!("{}?l=bob", advanced(BOB))]);
}

/// K10 a: the direct method only where the advanced host does not exist (spec §12.3.2).
#[tokio::test]
async fn the_direct_method_is_for_domains_without_an_advanced_host() {
    let mut stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    let web = stage.web("example.org", &["example.org"]).await;
    web.put(&direct(BOB), page(&key));
    let found = stage.remote.ordinary_key(&bob()).await.unwrap();
    assert!(found.is_some());

    let mut stage = Stage::set().await;
    let web = stage.web("example.org", &["example.org"]).await;
    web.put(&direct(BOB), page(&key));
    stage
        .web("openpgpkey.example.org", &["openpgpkey.example.org"])
        .await;
    // K10 c: no such page means no key.
    assert!(stage.remote.ordinary_key(&bob()).await.unwrap().is_none());
    assert_eq!(web.count(), 0);
}

/// What a directory answers.
type Body = fn(&Stage) -> Page;

/// K10 b, d, f, g and bad input: each is temporary, in bounded time and memory, with its reason.
#[tokio::test]
async fn a_directory_that_answers_what_is_none_is_a_temporary_failure() {
    let of_another = |stage: &Stage| page(&stage.key("carol@example.org"));
    let bodies: [(Body, &str); 6] = [
        (|_| Page::Is("text/html", b"<html>".to_vec()), "web page"),
        (|_| Page::At("https://10.0.0.1/".to_owned()), "redirects"),
        (|_| Page::Huge(OCTETS), "larger than 65536 octets"),
        (
            |_| Page::Is(OCTETS, b"nonsense".to_vec()),
            "openpgpkey.example.org",
        ),
        (|_| Page::Broken, "500"),
        (of_another, "not one of bob@example.org"),
    ];
    for (body, told) in bodies {
        let mut stage = Stage::set().await;
        let name = "openpgpkey.example.org";
        let web = stage.web(name, &[name]).await;
        web.put(&advanced(BOB), body(&stage));
        let began = Instant::now();
        let failed = stage.remote.ordinary_key(&bob()).await.unwrap_err();
        assert!(failed.to_string().contains(told), "{told}: {failed}");
        stage.remote.ordinary_key(&bob()).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5), "{told}");
        assert_eq!(web.count(), 1, "{told}: cached shortly");
    }
}

/// K10 b, g
#[tokio::test]
async fn a_directory_of_another_name_or_within_is_not_believed() {
    let mut stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    let web = stage
        .web("openpgpkey.example.org", &["*.example.org"])
        .await;
    web.put(&advanced(BOB), page(&key));
    let failed = stage.remote.ordinary_key(&bob()).await.unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("certificate is for *.example.org"),
        "{failed}"
    );
    assert_eq!(web.count(), 0);

    let stage = Stage::with(|network| network.allow_addresses.clear()).await;
    for within in ["127.0.0.1", "10.0.0.1", "fd00::1"] {
        let address: IpAddr = within.parse().unwrap();
        stage.zone.host("openpgpkey.example.org", address);
        let carol = Address::parse(&format!("c{}@example.org", within.len())).unwrap();
        let failed = stage.remote.ordinary_key(&carol).await.unwrap_err();
        assert!(
            failed.to_string().contains("not a public address"),
            "{failed}"
        );
    }
}

/// K10 e: within the budget of one request, and it is the only one.
#[tokio::test]
async fn a_directory_that_hangs_costs_its_budget_once() {
    let mut stage = Stage::set().await;
    let name = "openpgpkey.example.org";
    let web = stage.web(name, &[name]).await;
    web.put(&advanced(BOB), Page::Silence);
    let began = Instant::now();
    let failed = stage.remote.ordinary_key(&bob()).await.unwrap_err();
    assert!(failed.to_string().contains("no answer within"), "{failed}");
    stage.remote.ordinary_key(&bob()).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(12));
    assert_eq!(web.count(), 1);
}

/// K10: hashed in lower case, `l=` as typed; the domain's own case does not matter.
#[tokio::test]
async fn a_mixed_case_local_part_is_asked_for_as_typed() {
    let mut stage = Stage::set().await;
    let name = "openpgpkey.example.org";
    let web = stage.web(name, &[name]).await;
    for typed in ["Bob.Smith", "bob+tag"] {
        let address = Address::parse(&format!("{typed}@Example.ORG")).unwrap();
        assert!(stage.remote.ordinary_key(&address).await.unwrap().is_none());
    }
    let asked = web.asked.lock().unwrap().clone();
    assert!(
        asked[0].ends_with("/hu/osqn644naf5sooko49x4d18mhf97iuk9?l=Bob.Smith"),
        "{asked:?}"
    );
    assert!(asked[1].ends_with("?l=bob%2Btag"), "{asked:?}");
}

/// K12: a directory that has the revoked one beside the new.
#[tokio::test]
async fn of_several_certificates_the_one_that_can_be_encrypted_to_is_taken() {
    let mut stage = Stage::set().await;
    let (key, carol) = (stage.key("bob@example.org"), stage.key("carol@example.org"));
    let web = directory(&mut stage, &key).await;
    let both = [carol.certificate().octets(), key.certificate().octets()].concat();
    web.put(&advanced(BOB), Page::Is(OCTETS, both));
    let found = stage.remote.ordinary_key(&bob()).await.unwrap().unwrap();
    assert_eq!(found.certificate.primary(), key.certificate().primary());
}

/// A case's certificate in the directory of example.org, for the local part with this hash.
async fn case_in_directory(stage: &mut Stage, hash: &str, case: &str) -> Arc<Web> {
    let name = "openpgpkey.example.org";
    let web = stage.web(name, &[name]).await;
    web.put(&advanced(hash), binary(case));
    web
}

/// The binary form of an armored certificate.
fn binary(armored: &str) -> Page {
    let lines = armored.lines().skip_while(|line| !line.is_empty());
    let base64: String = lines
        .take_while(|line| !line.starts_with(['=', '-']))
        .collect();
    Page::Is(OCTETS, STANDARD.decode(base64).unwrap())
}

/// K07: what strangers hung on the key is stripped, and the rest is small and good.
#[tokio::test]
async fn k07_a_flooded_key_in_a_directory_is_stripped() {
    let mut stage = Stage::set().await;
    let flooded = include_str!("../../../email2-testbed/cases/K07-flooded.txt");
    let hash = "o4wcfswfr6ohpfhm51upxgdxhffqnt96";
    case_in_directory(&mut stage, hash, flooded).await;
    let frank = Address::parse("frank@example.org").unwrap();
    let found = stage.remote.ordinary_key(&frank).await.unwrap().unwrap();
    let size = found.certificate.octets().len();
    assert!(size < 1_000, "{size}");
    assert_eq!(found.certificate.can_encrypt(found.fetched), Ok(()));
}

/// K07: a page longer than any answer is not read to its end.
#[tokio::test]
async fn k07_a_page_over_the_bound_is_none() {
    let mut stage = Stage::set().await;
    let flooded = include_str!("../../../email2-testbed/cases/K07-flooded.txt");
    let hash = "o4wcfswfr6ohpfhm51upxgdxhffqnt96";
    let web = case_in_directory(&mut stage, hash, flooded).await;
    web.put(
        &advanced(hash),
        Page::Is(OCTETS, flooded.as_bytes().to_vec()),
    );
    let frank = Address::parse("frank@example.org").unwrap();
    let why = stage.remote.ordinary_key(&frank).await.unwrap_err();
    assert!(why.to_string().contains("cannot ask"), "{why}");
}

/// K08: an expired key is no absence of one, and the extended one takes its place.
#[tokio::test]
async fn k08_an_expired_key_in_a_directory_is_told_as_one() {
    let mut stage = Stage::set().await;
    let hash = "9wqxmaut9i6f96zxs8riim53138bsmuf";
    let expired = include_str!("../../../email2-testbed/cases/K08-expired.txt");
    let web = case_in_directory(&mut stage, hash, expired).await;
    let grace = Address::parse("grace@example.org").unwrap();
    let found = stage.remote.ordinary_key(&grace).await.unwrap().unwrap();
    let why = found.certificate.can_encrypt(found.fetched);
    assert!(matches!(why, Err(CertificateError::Expired(_))), "{why:?}");
    let extended = include_str!("../../../email2-testbed/cases/K08-extended.txt");
    web.put(&advanced(hash), binary(extended));
    stage.later(2 * 24 * 60 * 60);
    let next = stage.remote.ordinary_key(&grace).await.unwrap().unwrap();
    assert_eq!(next.certificate.primary(), found.certificate.primary());
    // It holds until 2028.
    let renewed_at = 1_795_700_000;
    assert_eq!(next.certificate.can_encrypt(renewed_at), Ok(()));
}

/// K12: the revoked certificate stands before the new one.
#[tokio::test]
async fn k12_of_the_revoked_and_the_new_key_in_a_directory_the_new_one_is_taken() {
    let mut stage = Stage::set().await;
    let hash = "b9ihga7sm5jmxbqa3miidyuedgoc7xsx";
    let both = include_str!("../../../email2-testbed/cases/K12-revoked-and-new.txt");
    case_in_directory(&mut stage, hash, both).await;
    let heidi = Address::parse("heidi@example.org").unwrap();
    let found = stage.remote.ordinary_key(&heidi).await.unwrap().unwrap();
    assert_eq!(found.certificate.revocation(), None);
    let new = "c619880008cfaa0ebbceaffca924a3ece3e0763b";
    assert_eq!(found.certificate.primary().to_string(), new);
}

/// spec §12.3.3
#[tokio::test]
async fn a_key_in_dns_counts_only_where_dnssec_secures_it() {
    // The digest of "bob", its first 28 octets.
    let label = "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd";
    let name = format!("{label}._openpgpkey.example.org");
    let stage = Stage::set().await;
    let key = stage.key("bob@example.org");
    let octets = key.certificate().octets().to_vec();
    stage.zone.openpgpkey(&name, octets.clone(), false);
    assert!(stage.remote.ordinary_key(&bob()).await.unwrap().is_none());
    stage.later(600);
    stage.zone.openpgpkey(&name, octets, true);
    let found = stage.remote.ordinary_key(&bob()).await.unwrap().unwrap();
    assert_eq!(found.source, KeySource::Dns);
    assert_eq!(found.certificate.primary(), key.certificate().primary());
}

/// A host of example.org that nothing authenticates, and bob's key that it answers.
async fn bare_host(stage: &mut Stage) -> (Arc<Manners>, SecretKey) {
    let key = stage.key("bob@example.org");
    let manners = Manners::default();
    let flags = KeyFlags {
        strict: true,
        since: Some(stage.world.now()),
        ..KeyFlags::default()
    };
    manners.answer("bob@example.org", Ok(served(&key, flags)));
    let word = KeyFlags {
        ma: Some(3600),
        p: Some(Strictness::Strict),
        ..KeyFlags::default()
    };
    let service = stage.key("@example.org");
    manners.answer("@example.org", Ok(served(&service, word)));
    stage.zone.mx("example.org", &["mx.hoster.example"], false);
    let names = ["mx.hoster.example"];
    let host = stage.host("mx.hoster.example", &names, manners).await;
    (host, key)
}

async fn verify(stage: &Stage, key: &SecretKey) -> SignerEvidence {
    let signing = key.certificate().signing_keys()[0].clone();
    let stranger = "192.0.2.7".parse().unwrap();
    let signer = Identity::Address(bob());
    stage.remote.signer(stranger, &signer, &signing).await
}

/// spec §2.2.6
#[tokio::test]
async fn a_directory_that_agrees_authenticates_one_key_and_nothing_else() {
    let mut stage = Stage::set().await;
    let (host, key) = bare_host(&mut stage).await;
    directory(&mut stage, &key).await;
    let SignerEvidence::Known(known) = verify(&stage, &key).await else {
        panic!("the directory agrees");
    };
    assert_eq!(known.assurance, Some(Assurance::Wkd));
    assert_eq!(known.flags, KeyFlags::default(), "no flag is learnt");
    assert_eq!(host.count("@example.org"), 0, "nor a word of the domain");
    let facts = stage.remote.domain(bob().domain()).await.unwrap();
    assert!(!facts.speaks(stage.world.now()));
    let found = stage.remote.key_for_writing(&bob()).await.unwrap();
    assert_eq!(found.assurance, Some(Assurance::Wkd));
    assert!(!found.flags.strict);
}

/// Mail to the key that a directory confirms is carried by the host that nothing else
/// authenticates, and mail to any other is not.
#[tokio::test]
async fn mail_goes_to_confirmed_keys_only() {
    let mut stage = Stage::set().await;
    let (host, key) = bare_host(&mut stage).await;
    directory(&mut stage, &key).await;
    let carol = Address::parse("carol@example.org").unwrap();
    let request = |recipients: &[&Address]| DeliveryRequest {
        domain: bob().domain().clone(),
        envelope: Envelope {
            mail: Mail::new(ReversePath::parse("alice@example.com").unwrap()),
            recipients: recipients
                .iter()
                .map(|&to| Recipient::new(to.clone()))
                .collect(),
        },
        content: Arc::new(b"Subject: x\r\n\r\nx\r\n".to_vec()),
        assured: true,
    };
    let outcomes = stage.remote.deliver(&request(&[&bob(), &carol])).await;
    let waits = |(_, outcome): &(Address, Outcome)| matches!(outcome, Outcome::Temporary(_));
    assert!(outcomes.iter().all(waits), "{outcomes:?}");
    assert!(host.mail.lock().unwrap().is_empty());
    let outcomes = stage.remote.deliver(&request(&[&bob()])).await;
    assert!(
        matches!(outcomes[0].1, Outcome::Accepted(_)),
        "{outcomes:?}"
    );
}

/// A key and the one that it signed as its successor agree, whichever of them the directory has.
#[tokio::test]
async fn a_signed_transition_links_the_two_answers() {
    for directory_has_the_new in [true, false] {
        let mut stage = Stage::set().await;
        let (host, old) = bare_host(&mut stage).await;
        let new = stage.key("bob@example.org");
        let (now, mut rng) = (stage.world.now(), stage.world.rng());
        let followed = old.transition_to(new.certificate(), now, &mut rng).unwrap();
        let new = new.with_certificate(followed).unwrap();
        let (answered, there) = match directory_has_the_new {
            true => (&old, &new),
            false => (&new, &old),
        };
        host.answer("bob@example.org", Ok(served(answered, KeyFlags::default())));
        directory(&mut stage, there).await;
        let evidence = verify(&stage, answered).await;
        let SignerEvidence::Known(known) = evidence else {
            panic!("{directory_has_the_new}: {evidence:?}");
        };
        assert_eq!(known.assurance, Some(Assurance::Wkd));
        assert_eq!(
            known.certificate.primary(),
            answered.certificate().primary()
        );
    }
}

#[tokio::test]
async fn a_directory_that_disagrees_is_a_definite_no() {
    let mut stage = Stage::set().await;
    let (_host, key) = bare_host(&mut stage).await;
    let other = stage.key("bob@example.org");
    directory(&mut stage, &other).await;
    let SignerEvidence::Unauthenticated { definite, why } = verify(&stage, &key).await else {
        panic!("the directory has another key");
    };
    assert!(definite, "{why}");
    assert!(
        why.contains("the Web Key Directory has another key"),
        "{why}"
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_asked_leaves_it_undecided() {
    let mut stage = Stage::set().await;
    let (host, key) = bare_host(&mut stage).await;
    let web = directory(&mut stage, &key).await;
    web.put(&advanced(BOB), Page::Broken);
    let evidence = verify(&stage, &key).await;
    let undecided = matches!(
        evidence,
        SignerEvidence::Unauthenticated {
            definite: false,
            ..
        }
    );
    assert!(undecided, "{evidence:?}");
    assert_eq!(
        host.count("bob@example.org"),
        0,
        "nothing is asked of the host"
    );
    stage
        .zone
        .host_fails("openpgpkey.example.org", DnsError::ServFail);
    let evidence = verify(&stage, &key).await;
    let undecided = matches!(
        evidence,
        SignerEvidence::Unauthenticated {
            definite: false,
            ..
        }
    );
    assert!(undecided, "{evidence:?}");
}

#[tokio::test]
async fn the_direct_method_and_a_wildcard_authenticate_nothing() {
    let mut stage = Stage::set().await;
    let (_host, key) = bare_host(&mut stage).await;
    let web = stage.web("example.org", &["example.org"]).await;
    web.put(&direct(BOB), page(&key));
    let wild = stage
        .web("openpgpkey.example.org", &["*.example.org"])
        .await;
    wild.put(&advanced(BOB), page(&key));
    let evidence = verify(&stage, &key).await;
    let refused = matches!(
        evidence,
        SignerEvidence::Unauthenticated { definite: true, .. }
    );
    assert!(refused, "{evidence:?}");
    assert_eq!((web.count(), wild.count()), (0, 0));
}

#[tokio::test]
async fn a_directory_does_not_speak_for_a_service() {
    let mut stage = Stage::set().await;
    let (host, _) = bare_host(&mut stage).await;
    let service = stage.key("@example.org");
    let key = stage.key("bob@example.org");
    directory(&mut stage, &key).await;
    let signing = service.certificate().signing_keys()[0].clone();
    let stranger = "192.0.2.7".parse().unwrap();
    let signer = Identity::parse("@example.org").unwrap();
    let evidence = stage.remote.signer(stranger, &signer, &signing).await;
    let refused = matches!(
        evidence,
        SignerEvidence::Unauthenticated { definite: true, .. }
    );
    assert!(refused, "{evidence:?}");
    assert_eq!(host.count("@example.org"), 0);
}

/// The policy of example.org, enforced, names `hosts`.
async fn enforced(stage: &mut Stage, hosts: &str) -> Arc<Web> {
    stage.zone.policy("example.org", "7");
    let web = stage
        .web("mta-sts.example.org", &["mta-sts.example.org"])
        .await;
    let text = format!("version: STSv1\nmode: enforce\nmx: {hosts}\nmax_age: 86400\n");
    web.put(
        "/.well-known/mta-sts.txt",
        Page::Is("text/plain", text.into_bytes()),
    );
    web
}

/// spec §2.2.7
#[tokio::test]
async fn a_host_that_the_enforced_policy_names_is_authenticated_for_the_domain() {
    let mut stage = Stage::set().await;
    let (host, key) = bare_host(&mut stage).await;
    enforced(&mut stage, "*.hoster.example").await;
    let SignerEvidence::Known(known) = verify(&stage, &key).await else {
        panic!("the policy names the host");
    };
    assert_eq!(known.assurance, Some(Assurance::MtaSts));
    assert!(known.flags.since.is_some(), "flags are learnt");
    assert_eq!(host.count("@example.org"), 1, "and the word of the domain");
    let facts = stage.remote.domain(bob().domain()).await.unwrap();
    assert!(facts.speaks(stage.world.now()));
}

#[tokio::test]
async fn of_several_hosts_the_one_that_the_policy_names_is_asked() {
    let mut stage = Stage::set().await;
    let (manners, key) = answering(&stage, 3600);
    stage.zone.mx(
        "example.org",
        &["old.hoster.example", "mx.hoster.example"],
        false,
    );
    let old = ["old.hoster.example"];
    let forged = stage
        .host("old.hoster.example", &old, Manners::default())
        .await;
    stage
        .host("mx.hoster.example", &["mx.hoster.example"], manners)
        .await;
    enforced(&mut stage, "mx.hoster.example").await;
    let SignerEvidence::Known(known) = verify(&stage, &key).await else {
        panic!("one of the hosts is named");
    };
    assert_eq!(known.assurance, Some(Assurance::MtaSts));
    assert_eq!(forged.count("bob@example.org"), 0);
}

#[tokio::test]
async fn a_host_that_the_policy_does_not_name_is_undecided_and_told_with_both_sides() {
    let mut stage = Stage::set().await;
    let (_host, key) = bare_host(&mut stage).await;
    let web = enforced(&mut stage, "mx.example.org").await;
    let SignerEvidence::Unauthenticated { definite, why } = verify(&stage, &key).await else {
        panic!("the policy names another host");
    };
    assert!(!definite, "{why}");
    assert!(why.contains("names mx.example.org"), "{why}");
    assert!(why.contains("not its mail host mx.hoster.example"), "{why}");
    assert_eq!(web.count(), 1);
}

#[tokio::test]
async fn a_policy_that_cannot_be_had_leaves_it_undecided() {
    let mut stage = Stage::set().await;
    let (_host, key) = bare_host(&mut stage).await;
    stage.zone.policy("example.org", "7");
    let evidence = verify(&stage, &key).await;
    let undecided = matches!(
        evidence,
        SignerEvidence::Unauthenticated {
            definite: false,
            ..
        }
    );
    assert!(undecided, "{evidence:?}");
    let asked = stage.remote.key_for_writing(&bob()).await;
    assert_eq!(asked.unwrap().assurance, None, "its person is asked");
    let nobody = Address::parse("nobody@example.org").unwrap();
    let none = stage.remote.key_for_writing(&nobody).await;
    assert!(
        matches!(none, Err(KeyError::Unauthenticated(_))),
        "{none:?}"
    );
}

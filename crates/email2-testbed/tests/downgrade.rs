//! Downgrades, one after the other: who stands in the wire, holds the DNS or a certificate of
//! their own takes away what a domain demands. Each time mail waits in the queue, the reason can
//! be read there, and it goes out, once, when the fault ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::evidence::Announced;
use email2::seal::Role;
use email2_client::home;
use email2_client::send::compose::{Letter, Source};
use email2_client::send::{Encryption, State, Way};
use email2_remote::{DeliveryRequest, Outcome as Delivered};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::QueueEntry;
use email2_testbed::authority::Fault;
use email2_testbed::certification::HostFiles;
use email2_testbed::domain::{Domain, Place, Plan};
use email2_testbed::forger::{Claim, seal_for};
use email2_testbed::loopback::{HTTPS_PORT, MX_PORT};
use email2_testbed::person::Person;
use email2_testbed::rogue::{self, Act, Rogue, Script};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use hickory_proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_proto::rr::rdata::{MX, SRV, TLSA};
use hickory_proto::rr::{Name, RData, RecordType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

/// The host of somebody who would like to have the mail, in the world's network.
const THIEF: u8 = 200;
/// Its name.
const THIEF_NAME: &str = "mx.thief.net";
/// An ordinary host, and the one that serves its domain's policy.
const ORDINARY: u8 = 210;
const POLICY: u8 = 214;

/// bob@example.org, whose server carries his mail on, and alice@example.com.
struct Scene {
    testbed: Testbed,
    bob: Person,
    alice: Person,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set(alice: Plan) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        testbed.add_domain(&alice).await.unwrap();
        testbed.add_domain(&Plan::new("example.org")).await.unwrap();
        let person = async |who: &str| {
            let address = Address::parse(who).unwrap();
            Person::set_up(&testbed, &address).await.unwrap()
        };
        let (bob, alice) = (
            person("bob@example.org").await,
            person("alice@example.com").await,
        );
        let scene = Scene {
            testbed,
            bob,
            alice,
            _folder: folder,
        };
        // Her key is known from here on, and her domain.
        scene.submit("before").await;
        scene.goes_out(1).await;
        scene
    }

    /// Bob's program hands a letter for alice to his server.
    async fn submit(&self, subject: &str) {
        let letter = Letter {
            to: vec![self.alice.address.to_string()],
            subject: subject.to_owned(),
            body: "At noon?\n".to_owned(),
            ..Letter::default()
        };
        let source = Source::Letter(letter);
        let given = self.bob.give_by(Way::Server, source, Encryption::Default);
        let reports = given.await.unwrap();
        assert_eq!(reports[0].state, State::Delivered, "{reports:?}");
    }

    /// Bob hands a message for somebody at an ordinary domain to his server, sealed.
    async fn submit_to(&self, to: &str) {
        let to = Address::parse(to).unwrap();
        let (address, key) = (&self.bob.address, self.bob.key());
        let from = address.to_string();
        let claim = Claim::now(address, &from, key);
        let letter = seal_for(&self.testbed.world, &to, &claim).unwrap();
        let mut mail = Mail::new(ReversePath::Address(address.clone()));
        mail.announced = Some(Announced {
            role: Role::Author,
            signer: Identity::Address(address.clone()),
        });
        let request = DeliveryRequest {
            domain: to.domain().clone(),
            envelope: Envelope {
                mail,
                recipients: vec![Recipient::new(to)],
            },
            content: Arc::new(letter.content),
            assured: true,
        };
        let outcomes = home::submit(&self.bob.client, &request).await;
        assert!(
            matches!(outcomes.as_slice(), [(_, Delivered::Accepted(_))]),
            "{outcomes:?}"
        );
    }

    async fn queue(&self) -> Vec<QueueEntry> {
        let domain = self.testbed.domain("example.org").unwrap();
        let store = self.testbed.store(domain).unwrap();
        store.entries().await.unwrap()
    }

    /// What `email2d queue show` says of the one entry after an attempt: it waits, and why.
    async fn waits(&self) -> String {
        for _ in 0..600 {
            let entries = self.queue().await;
            let first = entries.first().and_then(|entry| entry.recipients.first());
            if let Some(reply) = first.and_then(|to| to.reply.clone()) {
                assert_eq!(entries.len(), 1, "{entries:?}");
                return reply;
            }
            self.pause(100).await;
        }
        panic!("it says no reason: {:?}", self.queue().await);
    }

    /// The queue is made due until it is empty, as `email2d queue retry` does.
    async fn drained(&self) {
        for _ in 0..300 {
            let entries = self.queue().await;
            if entries.is_empty() {
                return;
            }
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            let domain = self.testbed.domain("example.org").unwrap();
            let store = self.testbed.store(domain).unwrap();
            let now = self.testbed.world.now();
            store.retry_now(&ids, now).await.unwrap();
            self.pause(200).await;
        }
        panic!("it does not go out: {:?}", self.queue().await);
    }

    /// It goes out, and so many letters are in alice's inbox.
    async fn goes_out(&self, letters: usize) {
        self.drained().await;
        let listed = email2_client::inbox::list(&self.alice.client, "INBOX", 50).await;
        let listed = listed.unwrap();
        assert_eq!(listed.len(), letters, "{listed:?}");
        assert!(listed.iter().all(|entry| entry.verified), "{listed:?}");
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(milliseconds);
        self.testbed.world.clock.sleep(pause).await;
    }

    /// Alice's server is gone, and somebody answers in its place.
    async fn replaced(&mut self, files: Option<&HostFiles>, script: Script) -> (Place, Rogue) {
        let domain = self.testbed.domains.remove("example.com").unwrap();
        let place = domain.place.clone();
        domain.stop().await;
        let at = self.testbed.network.port(place.number, MX_PORT);
        let files = files.unwrap_or(&place.files);
        let rogue = Rogue::start(&self.testbed.world, at, files, script).await;
        (place, rogue.unwrap())
    }

    /// The fault ends: her server is there again.
    async fn restored(&mut self, place: Place, rogue: Rogue) {
        rogue.stop().await;
        let testbed = &mut self.testbed;
        let name = place.plan.name;
        let domain = Domain::start(place, &testbed.network, &testbed.world).await;
        testbed.domains.insert(name, domain.unwrap());
    }

    /// A host with a valid certificate of its own that would take sealed mail for anybody.
    async fn thief(&mut self) -> Rogue {
        let testbed = &mut self.testbed;
        let address = testbed.network.host(THIEF);
        let zone = Zone::new("thief.net").address(THIEF_NAME, address);
        testbed.authority.publish(zone).unwrap();
        let files = testbed.certification.issue(THIEF_NAME, &[THIEF_NAME]);
        let at = testbed.network.port(THIEF, MX_PORT);
        let started = Rogue::start(&testbed.world, at, &files.unwrap(), speaks_email2()).await;
        started.unwrap()
    }
}

fn thief_name() -> Name {
    Name::from_ascii(format!("{THIEF_NAME}.")).unwrap()
}

/// Has STARTTLS and nothing of Email 2.0.
fn ordinary() -> Script {
    Arc::new(|said| rogue::polite(said, &["STARTTLS"]))
}

fn speaks_email2() -> Script {
    Arc::new(|said| match said.secured {
        true => rogue::polite(said, &["EMAIL2 1", "PIPELINING"]),
        false => rogue::polite(said, &["STARTTLS"]),
    })
}

/// Did anybody hand mail over?
fn took_mail(rogue: &Rogue) -> bool {
    rogue.heard().iter().any(|line| line.starts_with("MAIL"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_starttls_nothing_leaves() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let stripped: Script = Arc::new(|said| rogue::polite(said, &["PIPELINING"]));
    let (place, rogue) = scene.replaced(None, stripped).await;
    scene.submit("stripped").await;
    let why = scene.waits().await;
    assert!(
        why.contains("example.com") || why.contains("Email 2.0"),
        "{why}"
    );
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_email2_nothing_leaves() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let (place, rogue) = scene.replaced(None, ordinary()).await;
    scene.submit("stripped").await;
    let why = scene.waits().await;
    assert!(why.contains("Email 2.0"), "{why}");
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_mx_with_a_valid_certificate_of_its_own_gets_nothing() {
    let mut scene = Scene::set(Plan::new("example.com")).await;
    let thief = scene.thief().await;
    let forged = RData::MX(MX::new(1, thief_name()));
    let lie = Fault::Forged(vec![forged]);
    let authority = &scene.testbed.authority;
    authority
        .fault("example.com", Some(RecordType::MX), lie)
        .unwrap();
    // Answers are kept for a second (the zone's TTL).
    scene.pause(1_500).await;
    scene.submit("redirected").await;
    let why = scene.waits().await;
    assert!(why.contains(THIEF_NAME), "{why}");
    assert!(why.contains("not authenticated for example.com"), "{why}");
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
    let forged = RData::SRV(SRV::new(0, 0, MX_PORT, thief_name()));
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
    let why = scene.waits().await;
    assert!(why.contains("mx.example.com"), "{why}");
    assert!(why.contains("certificate is not valid"), "{why}");
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
    let why = scene.waits().await;
    assert!(why.contains("mx.example.com"), "{why}");
    assert!(why.contains("mx.other.net"), "{why}");
    assert!(!took_mail(&rogue));
    scene.restored(place, rogue).await;
    scene.goes_out(2).await;
    scene.testbed.stop().await;
}

/// An ordinary domain whose host takes what comes.
async fn ordinary_host(scene: &mut Scene, zone: Zone) -> (Rogue, HostFiles) {
    let testbed = &mut scene.testbed;
    let host = testbed.network.host(ORDINARY);
    let zone = zone.address("mail.example.net", host);
    let zone = zone.mx("example.net", 10, "mail.example.net").unwrap();
    testbed.authority.publish(zone).unwrap();
    let names = ["mail.example.net"];
    let files = testbed.certification.issue("mail.example.net", &names);
    let files = files.unwrap();
    let at = testbed.network.port(ORDINARY, MX_PORT);
    let rogue = Rogue::start(&testbed.world, at, &files, ordinary()).await;
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
    let why = scene.waits().await;
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
fn tlsa(certificate: &[u8]) -> RData {
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
    let why = scene.waits().await;
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

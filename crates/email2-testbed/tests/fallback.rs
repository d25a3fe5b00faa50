//! Recipients of both kinds: sealed mail for some, ordinary mail for others (spec §12.6), and a
//! network that reaches nobody but one's own server.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "fallback/asked.rs"]
mod asked;
#[path = "fallback/demand.rs"]
mod demand;
#[path = "fallback/expired.rs"]
mod expired;
#[path = "fallback/told.rs"]
mod told;

use email2::Address;
use email2::autocrypt::Autocrypt;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::secret::SecretKey;
use email2_client::learnt::Teller;
use email2_client::send::compose::{File, Letter, Source};
use email2_client::send::protect::{ProtectError, Protection};
use email2_client::send::report::Unwatched;
use email2_client::send::{Author, Encryption, Mail, Options, Report, SendError, State, Way, send};
use email2_client::{autocrypt, learnt};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::ordinary::{OrdinaryServer, Received};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;

const DORA: &str = "dora@example.net";

struct Scene {
    testbed: Testbed,
    bob: Person,
    alice: Person,
    ordinary: OrdinaryServer,
    _folder: tempfile::TempDir,
}

async fn scene() -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    testbed.add_domain(&Plan::new("example.com")).await?;
    testbed.add_domain(&Plan::new("example.org")).await?;
    let ordinary = OrdinaryServer::start(&mut testbed, "example.net").await?;
    let bob = Person::set_up(&testbed, &address("bob@example.org")?).await?;
    let alice = Person::set_up(&testbed, &address("alice@example.com")?).await?;
    Ok(Scene {
        testbed,
        bob,
        alice,
        ordinary,
        _folder: folder,
    })
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

fn letter(to: &[&str], body: &str) -> Source {
    Source::Letter(Letter {
        to: to.iter().map(|&who| who.to_owned()).collect(),
        subject: "lunch".to_owned(),
        body: body.to_owned(),
        ..Letter::default()
    })
}

impl Scene {
    async fn send(&self, source: Source, options: Options) -> Result<Vec<Report>, SendError> {
        let author = Author {
            key: self.bob.key(),
            address: &self.bob.address,
        };
        send(&self.bob.client, &author, source, &options, &Unwatched).await
    }

    async fn came(&self) -> Received {
        self.ordinary.next().await.unwrap()
    }
}

fn of<'a>(reports: &'a [Report], who: &str) -> &'a Report {
    let found = reports.iter().find(|r| r.recipient.to_string() == who);
    found.unwrap()
}

/// The field of a message, read as its recipient's program reads it.
fn told(came: &Received) -> Autocrypt {
    let (header, _) = came.content.split_once("\r\n\r\n").unwrap();
    let (_, behind) = header.split_once("\r\nAutocrypt:").unwrap();
    let lines = behind.split("\r\n").enumerate();
    let field = lines.take_while(|(at, line)| *at == 0 || line.starts_with(' '));
    let value: Vec<&str> = field.map(|(_, line)| line).collect();
    Autocrypt::parse(value.join("\r\n").as_bytes()).unwrap()
}

/// A key of somebody who reads by a program of today (spec §6.10).
fn classic(scene: &Scene, who: &Address) -> SecretKey {
    let (now, mut rng) = (scene.testbed.world.now(), scene.testbed.world.rng());
    let made = generate(&who.clone().into(), now, &mut rng).unwrap();
    made.for_classic_reader(now, &mut rng).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_recipient_gets_signed_mail_with_the_authors_key() {
    let scene = scene().await.unwrap();
    let reports = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let reports = reports.await.unwrap();
    let manner = of(&reports, DORA).manner.unwrap();
    assert_eq!(of(&reports, DORA).state, State::Delivered, "{reports:?}");
    assert_eq!((manner.mail, manner.by_server), (Mail::Ordinary, true));
    assert_eq!(manner.protection, Protection::Signed);
    let came = scene.came().await;
    assert!(came.content.contains("Content-Type: multipart/signed"));
    assert!(came.content.contains("Noon?"));
    let told = told(&came);
    let key = Certificate::parse(&told.key).unwrap();
    assert_eq!(told.address, scene.bob.address);
    assert_eq!(key.primary(), scene.bob.key().certificate().primary());
    assert!(!key.has_post_quantum(), "today's programs skip it");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_set_is_an_error_until_its_author_splits_it() {
    let scene = scene().await.unwrap();
    let both = ["alice@example.com", DORA];
    let undecided = scene
        .send(letter(&both, "Noon?\n"), Options::default())
        .await;
    let Err(SendError::Protect(ProtectError::Mixed(asked))) = undecided else {
        panic!("{undecided:?}");
    };
    assert_eq!(asked.keyless, [address(DORA).unwrap()]);
    assert_eq!(asked.sentences(), ["there is no key for dora@example.net"]);
    assert_eq!(scene.ordinary.take(), [], "never a silent half");
    let split = Options {
        encryption: Encryption::Split,
        ..Options::default()
    };
    let reports = scene.send(letter(&both, "Noon?\n"), split).await.unwrap();
    let protection = |who| of(&reports, who).protection().unwrap();
    assert_eq!(
        protection("alice@example.com"),
        Protection::EncryptedPostQuantum
    );
    assert_eq!(protection(DORA), Protection::Signed);
    assert_eq!(scene.alice.read_newest().await.unwrap().subject, "lunch");
    scene.came().await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_demands_email2_all_the_way_sends_nothing_ordinary() {
    let scene = scene().await.unwrap();
    let only = Options {
        email2_only: true,
        ..Options::default()
    };
    let both = letter(&["alice@example.com", DORA], "Noon?\n");
    let reports = scene.send(both, only).await.unwrap();
    assert_eq!(of(&reports, "alice@example.com").state, State::Delivered);
    let refused = of(&reports, DORA);
    assert_eq!(refused.state, State::Unavailable);
    assert_eq!(refused.words, "example.net does not speak Email 2.0");
    assert_eq!(scene.ordinary.take(), []);
    scene.testbed.stop().await;
}

/// Dora's program tells her key; from then on she is encrypted to, in a form that it reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_mail_told_is_encrypted_to_and_vouched_for_by_nothing() {
    let scene = scene().await.unwrap();
    let (dora, now) = (address(DORA).unwrap(), scene.testbed.world.now());
    let key = classic(&scene, &dora);
    let field = Autocrypt::of(&dora, key.certificate()).unwrap();
    let message = format!("From: {dora}\r\n{field}Subject: hi\r\n\r\nHello\r\n");
    let store = scene.bob.client.store();
    autocrypt::harvest(store, message.as_bytes(), now)
        .await
        .unwrap();

    let reports = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let reports = reports.await.unwrap();
    let manner = of(&reports, DORA).manner.unwrap();
    assert_eq!(manner.key, Some(Teller::Autocrypt), "{reports:?}");
    let came = scene.came().await;
    assert!(!came.content.contains("Noon?"));
    assert!(came.content.contains("\r\nSubject: [...]\r\n"));
    assert_eq!(told(&came).address, scene.bob.address);
    let nobody = |_: &Address| None;
    let reader = email2::content::Reader {
        keys: &[&key],
        known: &nobody,
        now,
    };
    let reading = email2::content::unprotect(came.content.as_bytes(), &reader).unwrap();
    assert!(reading.encrypted && String::from_utf8_lossy(&reading.body).contains("Noon?"));
    assert!(autocrypt::encrypted_before(store, &dora).await.unwrap());
    scene.testbed.stop().await;
}

/// The directory of dora's domain has her key: it is pinned, and another one is not followed.
#[tokio::test(flavor = "multi_thread")]
async fn k10_a_key_in_the_directory_is_encrypted_to_and_pinned() {
    let mut scene = scene().await.unwrap();
    let dora = address(DORA).unwrap();
    let now = scene.testbed.world.now();
    let (first, other) = (classic(&scene, &dora), classic(&scene, &dora));
    let served = first.certificate().without_post_quantum();
    let octets = served.octets().to_vec();
    let published = scene.ordinary.publish_key(&mut scene.testbed, octets).await;
    published.unwrap();
    let reports = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let reports = reports.await.unwrap();
    let manner = of(&reports, DORA).manner.unwrap();
    assert_eq!(manner.key, Some(Teller::Directory), "{reports:?}");
    assert_eq!(manner.protection, Protection::Encrypted);
    assert!(!scene.came().await.content.contains("Noon?"));
    // Mail in her name tells another key: nothing of it is used.
    let store = scene.bob.client.store();
    let field = Autocrypt::of(&dora, other.certificate()).unwrap();
    let message = format!("From: {dora}\r\n{field}Subject: hi\r\n\r\nHello\r\n");
    autocrypt::harvest(store, message.as_bytes(), now)
        .await
        .unwrap();
    let reports = scene.send(letter(&[DORA], "One?\n"), Options::default());
    let manner = of(&reports.await.unwrap(), DORA).manner.unwrap();
    assert_eq!(manner.key, Some(Teller::Directory));
    let pinned = email2_client::pin::known(store, &dora).await.unwrap();
    assert_eq!(pinned.unwrap().primary(), first.certificate().primary());
    scene.testbed.stop().await;
}

/// Her key in the directory has ended: that is said, and she is not written to in the clear.
#[tokio::test(flavor = "multi_thread")]
async fn k08_an_expired_key_in_the_directory_is_an_error_and_never_cleartext() {
    let mut scene = scene().await.unwrap();
    let dora = address(DORA).unwrap();
    let (now, mut rng) = (scene.testbed.world.now(), scene.testbed.world.rng());
    let key = generate(&dora.into(), now - 3_600, &mut rng).unwrap();
    let ended = key.expiring(Some(now - 60), now - 600, &mut rng).unwrap();
    let octets = ended.certificate().without_post_quantum().octets().to_vec();
    let published = scene.ordinary.publish_key(&mut scene.testbed, octets).await;
    published.unwrap();
    let sent = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let error = sent.await.unwrap_err().to_string();
    assert!(error.contains("expired"), "{error}");
    assert_eq!(scene.ordinary.take(), []);
    // Whoever wants it in the clear says so.
    let clear = Options {
        encryption: Encryption::Refuse,
        ..Options::default()
    };
    let reports = scene.send(letter(&[DORA], "Noon?\n"), clear).await.unwrap();
    assert_eq!(of(&reports, DORA).protection(), Some(Protection::Signed));
    scene.came().await;
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_no_copy_for_ordinary_recipients_names_the_blind_one() {
    let scene = scene().await.unwrap();
    let source = Source::Letter(Letter {
        to: vec![DORA.to_owned()],
        bcc: vec!["erik@example.net".to_owned()],
        subject: "lunch".to_owned(),
        body: "Noon?\n".to_owned(),
        ..Letter::default()
    });
    scene.send(source, Options::default()).await.unwrap();
    let copies = [scene.came().await, scene.came().await];
    for copy in &copies {
        assert_eq!(copy.to.len(), 1, "a transaction of its own: {:?}", copy.to);
        let own = copy.to.concat().contains("erik");
        let (_, seal) = copy.content.split_once("Email2-Seal:").unwrap();
        let seal: String = seal.split_whitespace().collect();
        let (_, behind) = seal.split_once(";r=").unwrap();
        let (r, _) = behind.split_once(';').unwrap();
        assert!(!r.contains(','), "one recipient: {r}");
        assert!(own || !copy.content.contains("erik"), "{}", copy.content);
        assert!(!copy.content.to_ascii_lowercase().contains("\r\nbcc:"));
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01_a_false_end_never_reaches_an_ordinary_server() {
    let scene = scene().await.unwrap();
    for end in ["\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r"] {
        let octets = format!(
            "From: bob@example.org\r\nTo: {DORA}\r\nSubject: x\r\n\r\none{end}MAIL FROM:<x@y>\r\n"
        );
        let file = File {
            octets: octets.into_bytes(),
            ..File::default()
        };
        let sent = scene.send(Source::File(file), Options::default()).await;
        if sent.is_err() {
            continue;
        }
        let came = scene.came().await;
        let lone = came.content.replace("\r\n", "");
        assert!(!lone.contains(['\r', '\n']), "{end:?}: {}", came.content);
        assert_eq!(scene.ordinary.take(), [], "{end:?}: one message");
    }
    scene.testbed.stop().await;
}

/// Port 25 is closed to this network: one's own server tells the key and carries the mail on.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_be_reached_ones_own_server_carries_it_on() {
    let scene = scene().await.unwrap();
    let mut bob = scene.bob;
    bob.wall_off(&scene.testbed).unwrap();
    let author = Author {
        key: bob.key(),
        address: &bob.address,
    };
    let give = |way| {
        let options = Options {
            way,
            ..Options::default()
        };
        let source = letter(&["alice@example.com"], "Noon?\n");
        let (client, author) = (&bob.client, &author);
        async move { send(client, author, source, &options, &Unwatched).await }
    };
    let directly = give(Way::Direct).await.unwrap();
    assert_eq!(of(&directly, "alice@example.com").state, State::Waiting);
    let reports = give(Way::Either).await.unwrap();
    let report = of(&reports, "alice@example.com");
    let manner = report.manner.unwrap();
    assert_eq!(report.state, State::Delivered, "{reports:?}");
    assert_eq!((manner.mail, manner.by_server), (Mail::Sealed, true));
    assert_eq!(manner.key, Some(Teller::OwnServer));
    assert_eq!(manner.protection, Protection::EncryptedPostQuantum);
    let primary = scene.alice.key().certificate().primary().clone();
    let source = learnt::source(bob.client.store(), &scene.alice.address, &primary);
    assert_eq!(source.await.unwrap(), Teller::OwnServer);
    scene.testbed.stop().await;
}

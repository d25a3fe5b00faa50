//! What is not certain of a recipient's domain is asked about, as a mixed set is: a host that
//! nothing authenticates, and records that cannot be looked up for an hour (spec §5.5.4, §12.1.4).

use email2_client::send::outbox::Kind;
use email2_client::send::protect::{ProtectError, Protection, Undecided};
use email2_client::send::queue::{self, Decision};
use email2_client::send::report::Unwatched;
use email2_client::send::{Author, Doubt, Encryption, Mail, Options, Report, SendError, State};
use email2_testbed::authority::Fault;
use email2_testbed::domain::Plan;
use hickory_proto::rr::RecordType;

use super::{DORA, Scene, address, letter, of, scene};

const MALLORY: &str = "mallory@post.example";

fn by(encryption: Encryption) -> Options {
    Options {
        encryption,
        ..Options::default()
    }
}

/// A domain whose server speaks Email 2.0, with nothing that authenticates it: no DNSSEC, no
/// policy, no certificate for the domain, no directory.
async fn with_unauthenticated() -> Scene {
    let mut scene = scene().await.unwrap();
    let plan = Plan {
        certified: false,
        ..Plan::new("post.example")
    };
    scene.testbed.add_domain(&plan).await.unwrap();
    let mallory = address(MALLORY).unwrap();
    scene.testbed.add_account(&mallory).await.unwrap();
    scene
}

impl Scene {
    /// What stands in mallory's inbox.
    async fn inbox_there(&self) -> Vec<String> {
        let domain = self.testbed.domain("post.example").unwrap();
        let store = self.testbed.store(domain).unwrap();
        let account = store.account(&address(MALLORY).unwrap()).await.unwrap();
        let inbox = store.mailbox(account.unwrap().id, "INBOX").await.unwrap();
        let mut found = Vec::new();
        for message in store.messages(inbox.unwrap().id).await.unwrap() {
            let body = store.message_body(message.id).await.unwrap();
            let octets = body.read(0, usize::MAX).await.unwrap();
            found.push(String::from_utf8_lossy(&octets).into_owned());
        }
        found
    }

    async fn retry(&self, id: i64, encryption: Option<Encryption>) -> Report {
        let author = Author {
            key: self.bob.key(),
            address: &self.bob.address,
        };
        let decision = Decision {
            encryption,
            ..Decision::default()
        };
        let reports = queue::retry(&self.bob.client, &author, id, &decision, &Unwatched);
        of(&reports.await.unwrap(), DORA).clone()
    }

    /// How the only entry of bob's outbox is noted.
    async fn noted(&self) -> Option<Kind> {
        let entries = self.bob.client.store().entries().await.unwrap();
        let kinds = entries.iter().filter_map(Kind::of);
        let mut waiting = kinds.filter(|kind| !matches!(kind, Kind::Copy { .. }));
        waiting.next()
    }

    fn breaks(&self, name: &str, kind: RecordType) {
        let authority = &self.testbed.authority;
        authority.fault(name, Some(kind), Fault::ServFail).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_nothing_authenticates_is_asked_about_and_never_encrypted_to() {
    let scene = with_unauthenticated().await;
    let both = || letter(&["alice@example.com", MALLORY], "Noon?\n");
    let asked = scene.send(both(), Options::default()).await;
    let Err(SendError::Protect(ProtectError::Mixed(asked))) = asked else {
        panic!("{asked:?}");
    };
    let expected = Undecided {
        unauthenticated: vec![address(MALLORY).unwrap()],
        ..Undecided::default()
    };
    assert_eq!(asked, expected);
    let error = ProtectError::Mixed(asked).to_string();
    for part in [MALLORY, "--split", "--no-encrypt"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(scene.inbox_there().await.is_empty(), "never a silent half");

    let reports = scene.send(both(), by(Encryption::Split)).await.unwrap();
    let manner = |who| of(&reports, who).manner.unwrap();
    assert_eq!(
        manner("alice@example.com").protection,
        Protection::EncryptedPostQuantum
    );
    let doubtful = manner(MALLORY);
    assert_eq!(of(&reports, MALLORY).state, State::Delivered, "{reports:?}");
    assert_eq!(doubtful.doubt, Some(Doubt::Unauthenticated));
    assert_eq!(doubtful.protection, Protection::Signed);
    assert_eq!((doubtful.mail, doubtful.by_server), (Mail::Sealed, false));
    let came = scene.inbox_there().await;
    assert!(
        came[0].contains("Email2-Seal:") && came[0].contains("Noon?"),
        "{came:?}"
    );
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_it_is_asked_about_too_and_refused_where_email2_is_demanded() {
    let scene = with_unauthenticated().await;
    let alone = || letter(&[MALLORY], "Noon?\n");
    let asked = scene.send(alone(), Options::default()).await;
    assert!(
        matches!(&asked, Err(SendError::Protect(ProtectError::Mixed(_)))),
        "{asked:?}"
    );
    let encrypted = scene.send(alone(), by(Encryption::Demand)).await;
    assert!(
        matches!(&encrypted, Err(SendError::Protect(ProtectError::NoKey(_)))),
        "{encrypted:?}"
    );
    let only = Options {
        email2_only: true,
        ..Options::default()
    };
    let reports = scene.send(alone(), only).await.unwrap();
    assert_eq!(of(&reports, MALLORY).state, State::Refused, "{reports:?}");
    assert!(scene.inbox_there().await.is_empty());
    scene.testbed.stop().await;
}

/// After an hour the author decides, and the outbox remembers it.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_looked_up_for_an_hour_are_asked_about() {
    let mut scene = scene().await.unwrap();
    let clock = scene.bob.take_clock().unwrap();
    scene.breaks("_email2.example.net", RecordType::TXT);
    let reports = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let waiting = of(&reports.await.unwrap(), DORA).clone();
    assert_eq!(waiting.state, State::Waiting, "{waiting:?}");
    let id = waiting.outbox.unwrap();
    let still = scene.retry(id, None).await;
    assert_eq!((still.state, still.undecided), (State::Waiting, false));

    clock.shift(3_700);
    let held = scene.retry(id, None).await;
    assert_eq!(
        (held.state, held.undecided),
        (State::Held, true),
        "{held:?}"
    );
    let why = "DNS has not told for an hour whether the domain of dora@example.net speaks";
    assert!(held.words.contains(why), "{}", held.words);
    let listed = queue::entries(&scene.bob.client).await.unwrap();
    assert!(listed[0].undecided, "{listed:?}");
    assert_eq!(scene.ordinary.take(), [], "nobody asked bob");

    // Meanwhile nothing of the domain can be looked up: what he decides is remembered.
    scene.breaks("example.net", RecordType::MX);
    scene.pause(1_500).await;
    let later = scene.retry(id, Some(Encryption::Split)).await;
    assert_eq!(later.state, State::Waiting, "{later:?}");
    let noted = scene.noted().await;
    assert!(
        matches!(
            noted,
            Some(Kind::Unprepared {
                encryption: Encryption::Split,
                undecided: false,
                ..
            })
        ),
        "{noted:?}"
    );
    scene.testbed.authority.heal();
    scene.breaks("_email2.example.net", RecordType::TXT);
    let mut left = scene.retry(id, None).await;
    for _ in 0..30 {
        if left.state == State::Delivered {
            break;
        }
        // Failing lookups are remembered for moments; his server corrects his clock.
        scene.pause(1_000).await;
        left = scene.retry(id, None).await;
    }
    let manner = left.manner.unwrap();
    assert_eq!(left.state, State::Delivered, "{left:?}");
    assert_eq!(manner.doubt, Some(Doubt::Unanswered));
    assert_eq!((manner.mail, manner.by_server), (Mail::Ordinary, true));
    // His server asks DNS itself, and keeps it until it is told.
    assert_eq!(scene.ordinary.take(), []);
    scene.testbed.authority.heal();
    scene.drained().await;
    assert!(scene.came().await.content.contains("Noon?"));
    scene.testbed.stop().await;
}

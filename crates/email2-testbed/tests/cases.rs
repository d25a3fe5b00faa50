//! The cases that need two domains: what is right for each is in `cases/CASES.md`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "corpus/mailbox.rs"]
mod mailbox;

use std::path::Path;

use email2::address::Address;
use email2::rejection::CLOCK_WORD;
use email2::scan::Scan;
use email2::seal::{ContentDigest, Seal};
use email2_client::inbox;
use email2_client::send::Encryption;
use email2_client::send::compose::{Letter, Source};
use email2_testbed::domain::Plan;
use email2_testbed::forger::session::{self, Reply, Session, deliver};
use email2_testbed::forger::{Claim, announcement, seal_for, seal_over};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use mailbox::Mailbox;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn case(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    std::fs::read(folder.join(name)).unwrap()
}

struct Scene {
    testbed: Testbed,
    bob: Person,
    alice: Person,
    _folder: tempfile::TempDir,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = Testbed::start(folder.path()).unwrap();
    testbed.add_domain(&Plan::new("example.com")).await.unwrap();
    testbed.add_domain(&Plan::new("example.org")).await.unwrap();
    let bob = Person::set_up(&testbed, &address("bob@example.org")).await;
    let alice = Person::set_up(&testbed, &address("alice@example.com")).await;
    Scene {
        bob: bob.unwrap(),
        alice: alice.unwrap(),
        testbed,
        _folder: folder,
    }
}

impl Scene {
    async fn offer(&self, letter: &session::Letter) -> Reply {
        let at = self.testbed.exchanger("example.com").unwrap();
        let session = Session::open(&self.testbed.world, &at, "client.example").await;
        deliver(&mut session.unwrap(), letter).await.unwrap()
    }

    /// These octets, sealed by bob to alice.
    async fn seal(&self, octets: &[u8]) -> Reply {
        let (alice, bob) = (&self.alice.address, &self.bob.address);
        let from = bob.to_string();
        let claim = Claim::now(bob, &from, self.bob.key());
        let digest = ContentDigest::of(octets).unwrap();
        let seal = seal_over(&self.testbed.world, alice, &claim, digest).unwrap();
        self.offer(&session::Letter {
            from: from.clone(),
            announced: Some(announcement(&seal.signer)),
            recipients: vec![alice.to_string()],
            content: [seal.field().as_bytes(), octets].concat(),
        })
        .await
    }
}

/// The octets that a person's newest message crossed the wire as.
async fn copy_of(person: &Person) -> String {
    String::from_utf8(person.newest().await.unwrap()).unwrap()
}

fn seal_of(copy: &str) -> Seal {
    // Above the seal stands what the server wrote: the verdict, and trace fields.
    let scanned = Scan::whole(false, copy.as_bytes()).unwrap();
    Seal::parse(&scanned.header.seals[0].value).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c01_parts_that_were_signed_lend_nothing_to_what_bob_seals() {
    let scene = scene().await;
    for name in ["C01a-prepended-text.eml", "C01c-hidden-by-html.eml"] {
        let reply = scene.seal(&case(name)).await;
        assert!(reply.is_granted(), "{name}: {reply}");
        let shown = scene.alice.read_newest().await.unwrap();
        assert_eq!(shown.verdict.author.as_deref(), Some("bob@example.org"));
        assert!(
            !shown.protection.words.contains("bob"),
            "{name}: {:?}",
            shown.protection
        );
        let closed = shown.notes.iter().any(|note| note.contains("kept closed"));
        assert!(closed, "{name}: {:?}", shown.notes);
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_what_bob_wrote_is_not_sealed_by_eve_as_his() {
    let scene = scene().await;
    // Sealed by bob, but From is eve: not his to say.
    let reply = scene.seal(&case("C06b-outer-from-differs.eml")).await;
    assert!(reply.to_string().starts_with("550 5.7.1 "), "{reply}");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_no_copy_but_his_own_names_the_blind_recipient() {
    let scene = scene().await;
    let (carol, dave) = (address("carol@example.com"), address("dave@example.com"));
    let carol = Person::set_up(&scene.testbed, &carol).await.unwrap();
    let dave = Person::set_up(&scene.testbed, &dave).await.unwrap();
    let letter = Letter {
        to: vec!["alice@example.com".to_owned()],
        cc: vec!["carol@example.com".to_owned()],
        bcc: vec!["dave@example.com".to_owned()],
        subject: "for few".to_owned(),
        body: "text".to_owned(),
        ..Letter::default()
    };
    let reports = scene
        .bob
        .give(Source::Letter(letter), Encryption::Demand)
        .await;
    assert_eq!(reports.unwrap().len(), 3);
    let (own, other) = (copy_of(&dave).await, copy_of(&scene.alice).await);
    assert_eq!(other.matches("Email2-Seal:").count(), 1);
    for copy in [&other, &copy_of(&carol).await] {
        let seal = seal_of(copy);
        assert_eq!(seal.recipients.len(), 2, "{:?}", seal.recipients);
        assert!(!copy.contains("dave"), "{copy}");
    }
    assert_eq!(
        seal_of(&own).recipients,
        std::slice::from_ref(&dave.address)
    );
    assert_ne!(seal_of(&own).nonce, seal_of(&other).nonce);
    let body = |copy: &str| copy.split_once("-----BEGIN PGP").unwrap().1.to_owned();
    assert_ne!(body(&own), body(&other), "a ciphertext of its own");
    for person in [&scene.alice, &carol] {
        let shown = serde_json::to_string(&person.read_newest().await.unwrap()).unwrap();
        assert!(!shown.contains("dave"), "{shown}");
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_outside_stands_nothing_about_program_language_or_place() {
    let scene = scene().await;
    let sent = scene
        .bob
        .send(&scene.alice.address, "Grüße aus München", "text")
        .await;
    assert_eq!(sent.unwrap().len(), 1);
    let copy = copy_of(&scene.alice).await;
    let below = copy.split_once("Email2-Seal:").unwrap().1;
    let mut names = Vec::new();
    let header = below.split_once("\r\n\r\n").unwrap().0;
    for line in header
        .split("\r\n")
        .skip(1)
        .filter(|line| !line.starts_with([' ', '\t']))
    {
        let (name, value) = line.split_once(':').unwrap();
        names.push(name);
        match name {
            "Subject" => assert_eq!(value, " [...]"),
            "Date" => assert!(value.ends_with(":00:00 +0000"), "{value}"),
            "From" => assert_eq!(value, " bob@example.org"),
            _ => {}
        }
    }
    names.sort_unstable();
    let expected = [
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ];
    assert_eq!(names, expected);
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k04_a_clock_ahead_is_borne_ten_minutes_and_told_beyond() {
    let scene = scene().await;
    let from = scene.bob.address.to_string();
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: u64 = 86_400;
    // A key is made now: what it seals may be dated a day before, and no more (spec §4.9).
    for (ahead, lifetime, borne) in [
        (2 * MINUTE, DAY, true),
        (4 * MINUTE, DAY, true),
        (6 * MINUTE, DAY, true),
        (24 * HOUR, DAY, false),
        (-20 * HOUR, DAY, true),
        (-20 * HOUR, DAY / 2, false),
    ] {
        let mut claim = Claim::now(&scene.bob.address, &from, scene.bob.key());
        (claim.dated, claim.lifetime) = (ahead, lifetime);
        let letter = seal_for(&scene.testbed.world, &scene.alice.address, &claim).unwrap();
        let reply = scene.offer(&letter).await;
        let said = reply.to_string();
        if borne {
            assert!(reply.is_granted(), "{ahead}: {said}");
        } else {
            assert!(said.starts_with("451 4.7.7 "), "{ahead}: {said}");
            assert!(said.contains(CLOCK_WORD), "{said}");
        }
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i08_what_looks_like_an_answer_is_read_as_text() {
    let scene = scene().await;
    let mut mailbox = Mailbox::open(&scene.testbed, &scene.alice, "INBOX")
        .await
        .unwrap();
    let octets = case("I08-looks-tagged.eml");
    mailbox.append("INBOX", &octets).await.unwrap();
    let seen = mailbox.last().await.unwrap();
    assert!(seen.octets.ends_with(&octets[octets.len() - 40..]));
    assert_eq!(seen.from, ["bob@example.org"]);
    let listed = inbox::list(&scene.alice.client, "INBOX", 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].subject.as_str()), (1, "case i08"));
    assert!(!listed[0].verified);
    // A line of its header is no field: it is read as far as it can be, or refused in words.
    if let Ok(shown) = scene.alice.read_newest().await {
        let text: String = shown
            .sections
            .iter()
            .map(|section| section.text.as_str())
            .collect();
        assert!(
            text.contains("a1 NO it failed") && text.contains("* BYE"),
            "{text}"
        );
        assert_eq!(shown.verdict.author, None);
    }
    scene.testbed.stop().await;
}

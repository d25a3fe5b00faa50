//! The cases at the doors: what is right for each is in `email2-testbed/cases/CASES.md`. Every
//! message is sealed by bob, with a digest that fits where one can be made: what is refused is
//! refused for what it is.

use std::path::PathBuf;

use email2::rejection::Rejection;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::{Identity, ReversePath, limits};

use crate::house::{House, Person};
use crate::imap::{in_inbox, say};
use crate::wire::Wire;

fn case(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases");
    std::fs::read(folder.join(name)).unwrap()
}

/// The octets below a seal of `author` to Alice, whatever they are.
fn sealed(house: &House, author: &Person, content: &[u8]) -> Vec<u8> {
    let mut rng = house.world.rng();
    let now = house.world.now();
    let request = SealRequest {
        role: Role::Author,
        signer: Identity::Address(author.address.clone()),
        reverse_path: ReversePath::Address(author.address.clone()),
        recipients: vec!["alice@example.com".parse().unwrap()],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(content).unwrap_or_default(),
    };
    let seal = sign(&request, &author.secret, &mut rng).unwrap();
    [seal.field().as_bytes(), content].concat()
}

/// Everybody who is needed.
struct Scene {
    house: House,
    bob: Person,
    alice: Person,
}

impl Scene {
    async fn set() -> Scene {
        let house = House::open().await;
        Scene {
            bob: house.person("bob@example.org").await,
            alice: house.person("alice@example.com").await,
            house,
        }
    }

    /// The reply to these octets from bob to alice, announced as sealed and sent by DATA.
    async fn offer(&self, octets: &[u8]) -> String {
        let mut wire = Wire::mx(&self.house).await;
        wire.ask(&self.bob.announces()).await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        assert_eq!(wire.code("DATA").await, "354");
        wire.send_octets(octets).await;
        let end = if octets.ends_with(b"\r\n") {
            ".\r\n"
        } else {
            "\r\n.\r\n"
        };
        wire.send(end).await;
        let reply = wire.hear().await;
        assert_eq!(wire.code("NOOP").await, "250", "one answer");
        reply.trim_end().to_owned()
    }

    async fn seals(&self, name: &str) -> String {
        self.offer(&sealed(&self.house, &self.bob, &case(name)))
            .await
    }

    async fn refused(&self, name: &str, rejection: Rejection) {
        assert_eq!(self.seals(name).await, rejection.to_string(), "{name}");
        assert!(
            self.house.inbox(&self.alice.account).await.is_empty(),
            "{name}"
        );
    }

    async fn taken(&self, name: &str) {
        let reply = self.seals(name).await;
        let granted = "250 2.0.0 sealed by bob@example.org, stored as ";
        assert!(reply.starts_with(granted), "{name}: {reply}");
    }
}

fn malformed(found: &'static str) -> Rejection {
    Rejection::FromMalformed { found }
}

#[tokio::test]
async fn f01_two_from_fields_are_refused_sealed_or_not() {
    let scene = Scene::set().await;
    let twice = Rejection::FieldTwice { field: "From" };
    scene.refused("F01-two-from.eml", twice).await;
    let mut wire = Wire::mx(&scene.house).await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    let text = String::from_utf8(case("F01-two-from.eml")).unwrap();
    let reply = wire.data(&text).await;
    assert_eq!(reply.trim_end(), Rejection::Unsealed.to_string());
    assert!(scene.house.inbox(&scene.alice.account).await.is_empty());
}

#[tokio::test]
async fn f03_several_authors_are_refused() {
    let scene = Scene::set().await;
    scene
        .refused("F03-from-list.eml", malformed("more than one address"))
        .await;
}

#[tokio::test]
async fn f06_a_decoded_line_end_makes_no_field_of_what_is_sealed() {
    let scene = Scene::set().await;
    for name in ["F06-encoded-nul.eml", "F06-encoded-newline.eml"] {
        scene.taken(name).await;
        let mut wire = in_inbox(&scene.house, &scene.alice).await;
        let told = say(&mut wire, "FETCH * ENVELOPE").await;
        assert!(told.contains("\"bob\" \"example.org\""), "{told}");
        assert!(!told.contains("\"ceo\""), "{told}");
        assert!(!told.contains('\0'), "{told:?}");
    }
}

#[tokio::test]
async fn f10_comments_in_from_are_refused() {
    let scene = Scene::set().await;
    for name in ["F10-comment-glue.eml", "F10-comment-legal.eml"] {
        scene.refused(name, malformed("a comment")).await;
    }
}

#[tokio::test]
async fn f14_without_one_author_nothing_is_taken() {
    let scene = Scene::set().await;
    scene
        .refused("F14a-from-group.eml", malformed("more than one address"))
        .await;
    scene
        .refused("F14b-from-empty-group.eml", malformed("a group or a route"))
        .await;
    scene
        .refused("F14c-from-empty.eml", malformed("no address"))
        .await;
    scene
        .refused("F14d-from-name-only.eml", malformed("no address"))
        .await;
    scene
        .refused("F14e-from-missing.eml", Rejection::FromMissing)
        .await;
    scene.taken("F14f-group-to.eml").await;
}

#[tokio::test]
async fn s06_dots_and_the_last_line_end() {
    let scene = Scene::set().await;
    let content = case("S06-dots.eml");
    let octets = sealed(&scene.house, &scene.bob, &content);
    let mut wire = Wire::mx(&scene.house).await;
    wire.ask(&scene.bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    wire.send(&format!("BDAT {} LAST\r\n", octets.len())).await;
    wire.send_octets(&octets).await;
    assert!(wire.hear().await.starts_with("250 "), "by chunks, as it is");
    let stuffed = String::from_utf8(sealed(&scene.house, &scene.bob, &content)).unwrap();
    let reply = wire
        .deliver(&scene.bob, &["alice@example.com"], &stuffed)
        .await;
    assert!(reply.starts_with("250 "), "by DATA, with dots: {reply}");
    for (kept, verified) in scene.house.inbox(&scene.alice.account).await {
        assert!(kept.as_bytes().ends_with(&content) && verified);
    }
    // Without its last CRLF it cannot be sealed, and is refused when it comes so by chunks.
    let open = case("S06-no-final-crlf.eml");
    assert!(ContentDigest::of(&open).is_err());
    let octets = sealed(&scene.house, &scene.bob, &open);
    wire.ask(&scene.bob.announces()).await;
    wire.ask("RCPT TO:<alice@example.com>").await;
    wire.send(&format!("BDAT {} LAST\r\n", octets.len())).await;
    wire.send_octets(&octets).await;
    assert_eq!(
        wire.hear().await.trim_end(),
        Rejection::NoFinalLineEnd.to_string()
    );
}

#[tokio::test]
async fn m01_no_leaf_is_lost_in_imap_either() {
    let scene = Scene::set().await;
    scene.taken("M01-boundary-prefix.eml").await;
    let told = structure(&scene).await;
    assert_eq!(told.matches("(\"TEXT\" ").count(), 4, "{told}");
    assert_eq!(told.matches("\"ALTERNATIVE\"").count(), 2, "{told}");
    assert!(told.contains("last.txt"), "{told}");
}

#[tokio::test]
async fn m02_an_unclosed_message_is_carried_and_described() {
    let scene = Scene::set().await;
    scene.taken("M02-unclosed.eml").await;
    let told = structure(&scene).await;
    assert!(
        told.contains("\"RFC822\"") && told.contains("after.txt"),
        "{told}"
    );
}

#[tokio::test]
async fn m03_depth_is_refused_at_the_door_and_opaque_in_a_mailbox() {
    let scene = Scene::set().await;
    for name in ["M03-deep.eml", "M03-deep-rfc822.eml"] {
        scene.refused(name, Rejection::TooDeep).await;
        let mut wire = in_inbox(&scene.house, &scene.alice).await;
        append(&mut wire, &case(name)).await;
        let told = say(&mut wire, "FETCH * BODYSTRUCTURE").await;
        assert!(
            told.ends_with("t OK done\r\n") && told.len() < 16_000,
            "{name}: {}",
            told.len()
        );
        let whole = say(&mut wire, "FETCH * RFC822.SIZE").await;
        assert!(whole.ends_with("t OK done\r\n"), "{whole}");
        say(&mut wire, "STORE 1:* +FLAGS (\\Deleted)").await;
        say(&mut wire, "EXPUNGE").await;
    }
}

#[tokio::test]
async fn m04_a_doubled_disposition_is_refused_sealed_and_described_in_a_mailbox() {
    let scene = Scene::set().await;
    let field = "Content-Disposition";
    let twice = Rejection::FieldTwice { field };
    scene.refused("M04-dup-disposition.eml", twice).await;
    let mut wire = in_inbox(&scene.house, &scene.alice).await;
    append(&mut wire, &case("M04-dup-disposition.eml")).await;
    let told = say(&mut wire, "FETCH * BODYSTRUCTURE").await;
    assert!(told.contains("\"TEXT\" \"HTML\""), "{told}");
}

#[tokio::test]
async fn m08_octets_of_a_sealed_header_need_smtputf8_and_bodies_stay() {
    let scene = Scene::set().await;
    scene
        .refused("M08-raw-8bit.eml", Rejection::HeaderOctets)
        .await;
    for name in ["M08-wrong-charset.eml", "M08-utf7.eml", "M08-empty.eml"] {
        scene.taken(name).await;
        let mut wire = in_inbox(&scene.house, &scene.alice).await;
        let told = say(&mut wire, "FETCH * (ENVELOPE BODYSTRUCTURE)").await;
        assert!(told.ends_with("t OK done\r\n"), "{name}: {told}");
    }
}

#[tokio::test]
async fn m09_nul_is_refused_by_data_and_by_chunks() {
    let scene = Scene::set().await;
    for name in ["M09-nul.eml", "M09-nul-in-header.eml"] {
        scene.refused(name, Rejection::Nul).await;
        let octets = sealed(&scene.house, &scene.bob, &case(name));
        let mut wire = Wire::mx(&scene.house).await;
        wire.ask(&scene.bob.announces()).await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        wire.send(&format!("BDAT {} LAST\r\n", octets.len())).await;
        wire.send_octets(&octets).await;
        let reply = wire.hear().await;
        assert_eq!(reply.trim_end(), Rejection::Nul.to_string(), "{name}");
    }
    let mut wire = Wire::mx(&scene.house).await;
    let offered = wire.ask("EHLO client.example").await;
    assert!(!offered.contains("BINARYMIME"), "{offered}");
    let binary = format!("{} BODY=BINARYMIME", scene.bob.announces());
    let reply = wire.ask(&binary).await;
    assert!(
        reply.starts_with("501 5.5.4 ") || reply.starts_with("555 5.5.4 "),
        "{reply}"
    );
}

#[tokio::test]
async fn m09_an_appended_nul_is_kept_whole_or_refused() {
    let scene = Scene::set().await;
    let mut wire = in_inbox(&scene.house, &scene.alice).await;
    let octets = case("M09-nul.eml");
    wire.send(&format!("t APPEND INBOX {{{}+}}\r\n", octets.len()))
        .await;
    wire.send_octets(&octets).await;
    wire.send("\r\n").await;
    let said = wire.hear().await;
    let kept = scene.house.inbox(&scene.alice.account).await;
    if said.starts_with("t OK") {
        assert_eq!(kept[0].0.as_bytes(), octets);
    } else {
        assert!(
            said.starts_with("t NO ") || said.starts_with("t BAD "),
            "{said}"
        );
        assert!(kept.is_empty());
    }
}

/// A full mailbox, 500 messages to it, half of them reports: each is answered in the session,
/// none leads to a report.
#[tokio::test]
async fn s15_a_full_mailbox_is_answered_in_the_session_and_nothing_is_queued() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let full = house.account("full@example.com", Some(100)).await;
    let mut wire = Wire::mx(&house).await;
    let recipient = full.address.clone();
    let expected = Rejection::MailboxFull { recipient }.to_string();
    for number in 0..500 {
        let mail = if number % 2 == 0 {
            bob.announces()
        } else {
            "MAIL FROM:<>".to_owned()
        };
        assert_eq!(wire.code(&format!("{mail} SIZE=2000")).await, "250");
        let reply = wire.ask("RCPT TO:<full@example.com>").await;
        assert_eq!(reply.trim_end(), expected);
        assert_eq!(wire.code("RSET").await, "250");
    }
    assert!(house.inbox(&full).await.is_empty());
    assert!(house.inbox(&bob.account).await.is_empty());
}

async fn structure(scene: &Scene) -> String {
    let mut wire = in_inbox(&scene.house, &scene.alice).await;
    say(&mut wire, "FETCH * BODYSTRUCTURE").await
}

async fn append(wire: &mut Wire, octets: &[u8]) {
    wire.send(&format!("t APPEND INBOX {{{}+}}\r\n", octets.len()))
        .await;
    wire.send_octets(octets).await;
    let said = say_end(wire).await;
    assert!(said.contains("t OK"), "{said}");
}

async fn say_end(wire: &mut Wire) -> String {
    wire.send("\r\n").await;
    crate::imap::hear_to(wire, "t ").await
}

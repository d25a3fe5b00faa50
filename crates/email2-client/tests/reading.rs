//! The trouble cases of reading: what people are shown, saved and answer.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::PathBuf;

use email2::Address;
use email2::certificate::Certificate;
use email2::content::Reader;
use email2::secret::SecretKey;
use email2_client::attachment::save;
use email2_client::display::{shown, shown_text};
use email2_client::forward::forward;
use email2_client::inbox::Entry;
use email2_client::read::{Shown, read};
use email2_client::reply::{Ask, Reply, reply};
use email2_client::send::compose::Letter;
use email2_client::thread::{Node, arrange};

/// Mon, 02 Mar 2026 12:00:00 UTC.
const CASE_TIME: u64 = 1_772_452_800;

fn case(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases");
    std::fs::read(folder.join(name)).unwrap()
}

fn try_open(raw: &[u8]) -> Option<Shown> {
    let nobody = |_: &Address| -> Option<Certificate> { None };
    let reader = Reader {
        keys: &[],
        known: &nobody,
        now: CASE_TIME,
    };
    read(raw, &reader).ok()
}

fn shows(name: &str) -> Shown {
    try_open(&case(name)).unwrap()
}

fn texts(message: &Shown) -> Vec<&str> {
    let sections = message.sections.iter();
    sections.map(|section| section.text.trim()).collect()
}

fn alice() -> Address {
    "alice@example.com".parse().unwrap()
}

fn answer(message: &Shown, all: bool) -> Reply {
    let ask = Ask {
        all,
        quote: true,
        body: "Yes.".to_owned(),
        ..Ask::default()
    };
    reply(message, &alice(), ask).unwrap()
}

fn node(uid: u32, message_id: &str, references: &[String]) -> Node {
    let entry = Entry {
        id: uid.to_string(),
        uid_validity: 1,
        checked: None,
        way: Vec::new(),
        verified: true,
        verdict: String::new(),
        from: None,
        name: None,
        subject: String::new(),
        received: None,
        size: 1,
        seen: false,
        answered: false,
        encrypted: false,
    };
    Node {
        entry,
        message_id: Some(message_id.to_owned()),
        references: references.to_vec(),
    }
}

/// The ids of the messages of each thread.
fn threads(nodes: Vec<Node>) -> Vec<Vec<String>> {
    let threads = arrange(nodes).into_iter();
    let ids = threads.map(|thread| thread.messages.into_iter().map(|one| one.entry.id));
    ids.map(Iterator::collect).collect()
}

#[test]
fn c07_an_answer_stands_in_the_thread_that_its_author_signed() {
    let bob = SecretKey::unlock(&case("keys/bob.secret.txt"), None).unwrap();
    let known = |_: &Address| Some(bob.certificate().clone());
    let reader = Reader {
        keys: &[],
        known: &known,
        now: CASE_TIME,
    };
    let answer = read(&case("C07-thread-moved.eml"), &reader).unwrap();
    let page = vec![
        node(1, "lunch@example.com", &[]),
        node(2, "contract@example.com", &[]),
        node(3, "c07@example.org", &answer.references),
    ];
    assert_eq!(threads(page), [vec!["1", "3"], vec!["2"]]);
}

#[test]
fn references_in_a_circle_or_without_end_are_one_thread_and_cost_little() {
    let id = |id: &str| id.to_owned();
    let circle = vec![
        node(1, "a@x", &[id("b@x")]),
        node(2, "b@x", &[id("a@x")]),
        node(3, "b@x", &[id("b@x")]),
    ];
    assert_eq!(threads(circle), [["2", "1", "3"].map(id).to_vec()]);
    let many: Vec<String> = (0..100_000).map(|n| format!("{n}@x")).collect();
    let long = (1..200).map(|uid| node(uid, &format!("{uid}@x"), &many));
    assert_eq!(threads(long.collect()).len(), 1);
}

#[test]
fn f06_nothing_decoded_becomes_an_author_or_a_line() {
    for name in ["F06-encoded-nul.eml", "F06-encoded-newline.eml"] {
        let message = shows(name);
        let from = message.from.clone().unwrap();
        assert_eq!(from.line(), "bob@example.org", "{name}");
        let letter = answer(&message, false).letter;
        assert_eq!(letter.to, ["bob@example.org"]);
        assert!(!letter.subject.chars().any(char::is_control), "{letter:?}");
        assert!(!shown(&message.subject).chars().any(char::is_control));
    }
}

#[test]
fn f09_a_comma_in_a_name_is_part_of_the_name() {
    let message = shows("F09-encoded-comma.eml");
    let from = message.from.clone().unwrap();
    assert_eq!(from.name.as_deref(), Some("M\u{fc}ller, Bob"));
    assert_eq!(message.to.len(), 1);
    assert_eq!(message.to[0].address, "alice@example.com");
    let letter = answer(&message, true).letter;
    assert_eq!((letter.to.len(), letter.cc.len()), (1, 0));
    assert!(letter.to[0].ends_with("<bob@example.org>"));
}

#[test]
fn f12_a_name_that_is_an_address_is_not_shown() {
    let message = shows("F12-name-is-address.eml");
    assert_eq!(message.from.as_ref().unwrap().line(), "bob@example.org");
    let notes = message.notes.join("\n");
    assert!(notes.contains("holds another address"), "{notes}");
    assert!(notes.contains("ceo@example.net"), "{notes}");
    let stays = answer(&message, false);
    assert_eq!(stays.letter.to, ["bob@example.org"]);
    let ask = Ask {
        follow_reply_to: true,
        ..Ask::default()
    };
    let follows = reply(&message, &alice(), ask).unwrap();
    assert_eq!(follows.letter.to, ["Ceo <ceo@example.net>"]);
    assert_eq!((stays.notes.len(), follows.notes.len()), (1, 1));
}

#[test]
fn f03_everybody_in_from_is_shown_and_nobody_is_the_author() {
    let message = shows("F03-from-list.eml");
    assert_eq!(message.from, None);
    assert!(message.named.len() > 1, "{:?}", message.named);
    assert!(shows("F12-name-is-address.eml").named.is_empty());
}

#[test]
fn f14_without_one_author_there_is_none() {
    let without = [
        "F01-two-from",
        "F03-from-list",
        "F14a-from-group",
        "F14b-from-empty-group",
        "F14c-from-empty",
        "F14d-from-name-only",
        "F14e-from-missing",
    ];
    for name in without {
        let message = shows(&format!("{name}.eml"));
        assert_eq!(message.from, None, "{name}");
        assert!(reply(&message, &alice(), Ask::default()).is_err());
    }
    assert_eq!(shows("F14f-group-to.eml").to.len(), 2);
}

#[test]
fn m01_a_boundary_that_begins_another_loses_nothing() {
    let message = shows("M01-boundary-prefix.eml");
    assert_eq!(texts(&message), ["plain", "second"]);
    assert_eq!(message.attachments[0].name.as_deref(), Some("last.txt"));
}

#[test]
fn m02_an_unclosed_boundary_hides_nothing() {
    let message = shows("M02-unclosed.eml");
    assert_eq!(texts(&message), ["first"]);
    let files = message.attachments.iter();
    let names: Vec<_> = files.map(|file| file.name.as_deref()).collect();
    assert_eq!(names, [None, Some("after.txt")]);
    let inner = String::from_utf8(message.attachments[0].content.clone()).unwrap();
    assert!(inner.contains("m02-inner") && !inner.contains("after"));
    assert!(message.notes.iter().any(|note| note.contains("damaged")));
}

#[test]
fn a_message_without_any_field_names_nobody() {
    for raw in [&b"\r\n"[..], b"\r\ntext\r\n", b"no field\r\n", b""] {
        let message = try_open(raw).unwrap();
        assert_eq!((message.from, message.to.len()), (None, 0));
        assert_eq!(message.subject, "");
    }
}

#[test]
fn m04_a_doubled_disposition_is_no_panic() {
    assert_eq!(texts(&shows("M04-dup-disposition.eml")), ["foo"]);
}

#[test]
fn m08_text_is_decoded_for_showing_only() {
    assert_eq!(texts(&shows("M08-raw-8bit.eml")), ["Caf\u{e9} au lait."]);
    let wrong = shows("M08-wrong-charset.eml");
    assert!(texts(&wrong)[0].starts_with("na\u{ef}ve"));
    assert!(wrong.sections[0].note.is_some());
    let utf7 = shows("M08-utf7.eml");
    assert!(texts(&utf7)[0].contains("+ADw-script+AD4-"), "{utf7:?}");
    let empty = shows("M08-empty.eml");
    assert_eq!(empty.subject, "");
    assert!(empty.notes.contains(&"this message has no text".to_owned()));
}

#[test]
fn m10_winmail_is_explained() {
    let message = shows("M10-winmail.eml");
    let mut notes = message.notes.iter();
    assert!(notes.any(|note| note.contains("winmail.dat")));
    assert_eq!(message.attachments.len(), 1);
}

#[test]
fn m11_an_invitation_is_text_and_a_file() {
    let message = shows("M11-calendar.eml");
    let text = texts(&message)[0];
    for told in [
        "What: Planning",
        "From: 20260303T090000Z",
        "By: ceo@example.net",
    ] {
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(message.attachments[0].kind, "text/calendar");
    let note = "the invitation is by ceo@example.net, not by the author";
    assert!(
        message.notes.iter().any(|told| told == note),
        "{:?}",
        message.notes
    );
}

#[test]
fn m12_files_stay_inside_the_folder() {
    let message = shows("M12-path.eml");
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    for attached in &message.attachments {
        let path = save(attached, &inside).unwrap();
        assert_eq!(path.parent(), Some(inside.as_path()), "{attached:?}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            !name.starts_with(['.', '-']) && name.len() < 256,
            "{name:?}"
        );
        assert_eq!(shown(name), name);
    }
    assert_eq!(message.attachments.len(), 14);
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 14);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn m13_nothing_moves_the_cursor() {
    let message = shows("M13-escapes.eml");
    // `[` may not stand in an encoded word of a name (RFC 2047 §5): no author.
    assert_eq!(message.from, None);
    let mut all = vec![shown(&message.subject)];
    all.extend(message.header.iter().map(|(_, value)| shown(value)));
    let sections = message.sections.iter();
    all.extend(sections.map(|section| shown_text(&section.text)));
    let files = message.attachments.iter();
    all.extend(files.filter_map(|file| file.name.as_deref()).map(shown));
    for text in all {
        let hostile = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!text.chars().any(hostile), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
    let json = serde_json::to_string(&message).unwrap();
    assert!(!json.bytes().any(|octet| octet < 0x20));
}

#[test]
fn only_the_servers_first_field_is_a_verdict() {
    let raw = case("C01d-plain-good.eml");
    let verdict = "Email2-Verdict: verified; author=bob@example.org; assurance=dnssec; at=1\r\n";
    let first = try_open(&[verdict.as_bytes(), &raw].concat()).unwrap();
    assert_eq!(first.verdict.author.as_deref(), Some("bob@example.org"));
    let later = try_open(&[b"X-A: 1\r\n", verdict.as_bytes(), &raw].concat()).unwrap();
    assert_eq!(later.verdict.author, None);
    let other = verdict.replace("bob@", "ceo@");
    let other = try_open(&[other.as_bytes(), &raw].concat()).unwrap();
    assert_eq!(other.verdict.author, None);
}

#[test]
fn c02_nothing_is_decrypted_into_a_reply() {
    let message = shows("C02-efail-wrap.eml");
    let files = message.attachments.iter();
    let closed: Vec<_> = files.map(|file| file.kind.as_str()).collect();
    assert_eq!(closed, ["multipart/encrypted"]);
    let quoted = answer(&message, false).letter.body;
    assert!(!quoted.contains("BEGIN PGP") && !quoted.contains("4711"));
}

#[test]
fn m03_depth_is_refused_and_deep_html_read_in_time() {
    let world = email2_client::World::real(&email2_io::NetworkConfig::default()).unwrap();
    let started = world.clock.monotonic();
    for name in ["M03-deep.eml", "M03-deep-rfc822.eml"] {
        assert!(try_open(&case(name)).is_none(), "{name}");
    }
    let html = "<div>\r\n".repeat(140_000);
    let head = "From: bob@example.org\r\nContent-Type: text/html\r\n\r\n";
    assert!(try_open(format!("{head}{html}\r\n").as_bytes()).is_some());
    assert!((world.clock.monotonic() - started).as_secs() < 10);
}

/// spec §5.6.2
#[test]
fn c02_nothing_is_decrypted_into_a_forwarded_letter() {
    let message = shows("C02-efail-wrap.eml");
    let given_on = forward(&message, Letter::default()).letter;
    assert!(!given_on.body.contains("BEGIN PGP") && !given_on.body.contains("4711"));
    assert_eq!(given_on.attachments.len(), 1);
    assert_eq!(
        given_on.attachments[0].octets,
        message.attachments[0].content
    );
    let told = "Forwarded message (nothing proved to me who wrote it)";
    assert!(given_on.body.contains(told), "{}", given_on.body);
}

#[test]
fn f06_a_forwarded_header_has_no_line_of_its_authors_making() {
    let message = shows("F06-encoded-newline.eml");
    let given_on = forward(&message, Letter::default()).letter;
    assert!(given_on.subject.starts_with("Fwd: "));
    assert!(!given_on.subject.chars().any(char::is_control));
    let (header, _) = given_on.body.trim_start().split_once("\n\n").unwrap();
    assert_eq!(header.lines().count(), 5, "{header}");
}

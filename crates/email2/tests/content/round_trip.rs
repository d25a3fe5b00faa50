//! What is protected comes back, for any content.

use email2::content::{
    Audience, Container, ContentError, Flaw, HeaderProtection, Mode, OuterTo, Protect, Standing,
    Warning, audiences, protect,
};
use email2::secret::SecretKey;
use proptest::prelude::*;

use super::people::{Book, NOW, address, key, read, rng};

const BOB: &str = "bob@example.org";
const ALICE: &str = "alice@example.com";

fn request<'a>(
    message: &'a [u8],
    bob: &'a SecretKey,
    from: &'a email2::Address,
    mode: Mode<'a>,
) -> Protect<'a> {
    Protect {
        message,
        author: bob,
        from,
        mode,
        outer_to: OuterTo::Visible(vec![address(ALICE)]),
        outside: &[],
        now: NOW,
    }
}

fn protected(message: &str, mode: Mode<'_>) -> Result<Vec<u8>, ContentError> {
    let (bob, from) = (key(BOB, 1), address(BOB));
    protect(&request(message.as_bytes(), &bob, &from, mode), &mut rng(9))
}

fn refusal(message: &str) -> String {
    protected(message, Mode::SignOnly).unwrap_err().to_string()
}

fn book() -> Book {
    Book(
        [key(BOB, 1), key(ALICE, 2)]
            .map(|key| key.certificate().clone())
            .to_vec(),
    )
}

fn to_alice<'a>(to: &'a [email2::certificate::Certificate], container: Container) -> Mode<'a> {
    Mode::Encrypt {
        to,
        also_self: false,
        container,
    }
}

const MESSAGE: &str = "From: Bob <bob@example.org>\r\nTo: Alice <alice@example.com>\r\n\
    Cc: carol@example.net\r\nBcc: dave@example.net\r\nSubject: a secret\r\n\
    Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nMessage-ID: <1@example.org>\r\nUser-Agent: x\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n";

#[test]
fn signed_mail_is_readable_outside_and_verified_inside() {
    let out = protected(MESSAGE, Mode::SignOnly).unwrap();
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(text.contains("\r\nSubject: a secret\r\n"));
    assert!(text.contains("hp=\"clear\""));
    assert!(!text.contains("dave"));
    let reading = read(&out, &[], &book(), NOW);
    assert!(matches!(
        reading.standing,
        Standing::Verified { at: NOW, .. }
    ));
    assert_eq!(reading.header_protection, HeaderProtection::Clear);
    assert!(reading.differing_outer.is_empty());
    assert_eq!(
        reading.body,
        b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n"
    );
}

#[test]
fn encrypted_mail_shows_six_fields_outside() {
    let alice = key(ALICE, 2);
    let to = [alice.certificate().clone()];
    let out = protected(MESSAGE, to_alice(&to, Container::V2)).unwrap();
    let text = String::from_utf8(out.clone()).unwrap();
    let header: Vec<&str> = text
        .split("\r\n\r\n")
        .next()
        .unwrap()
        .split("\r\n")
        .collect();
    assert_eq!(
        header[..4],
        [
            "From: bob@example.org",
            "To: alice@example.com",
            "Subject: [...]",
            "Date: Thu, 26 Nov 2026 14:00:00 +0000",
        ]
    );
    assert!(header[4].starts_with("Message-ID: <") && header[4].ends_with("@example.org>"));
    assert_eq!(header[5], "MIME-Version: 1.0");
    assert!(header[6].starts_with("Content-Type: multipart/encrypted"));
    let reading = read(&out, &[&alice], &book(), NOW);
    assert!(
        matches!(reading.standing, Standing::Verified { .. }),
        "{:?}",
        reading.standing
    );
    assert!(reading.encrypted && reading.post_quantum);
    assert_eq!(reading.field("Subject"), Some(&b" a secret"[..]));
    assert_eq!(reading.field("Message-ID"), Some(&b" <1@example.org>"[..]));
    assert_eq!(reading.field("Bcc"), None);
    assert!(!reading.differing_outer.is_empty());
    assert!(
        reading
            .differing_outer
            .iter()
            .all(|differing| differing.intended)
    );
}

#[test]
fn both_containers_are_read() {
    let alice = key(ALICE, 2);
    let to = [alice.certificate().clone()];
    for container in [Container::V1, Container::V2] {
        let out = protected(MESSAGE, to_alice(&to, container)).unwrap();
        assert!(matches!(
            read(&out, &[&alice], &book(), NOW).standing,
            Standing::Verified { .. }
        ));
    }
}

#[test]
fn the_author_reads_a_copy_made_for_the_author() {
    let bob = key(BOB, 1);
    let mode = Mode::Encrypt {
        to: &[],
        also_self: true,
        container: Container::V2,
    };
    let out = protected(MESSAGE, mode).unwrap();
    assert!(matches!(
        read(&out, &[&bob], &book(), NOW).standing,
        Standing::Verified { .. }
    ));
    let none = Mode::Encrypt {
        to: &[],
        also_self: false,
        container: Container::V2,
    };
    assert_eq!(protected(MESSAGE, none), Err(ContentError::NoRecipient));
}

#[test]
fn recipients_without_post_quantum_keys_get_their_own_ciphertext() {
    let classic = include_bytes!("../../../email2-testbed/cases/keys/alice.public.txt");
    let classic = email2::certificate::Certificate::parse_all(classic)
        .unwrap()
        .remove(0);
    let recipients = [
        key(ALICE, 2).certificate().clone(),
        classic.clone(),
        key(BOB, 1).certificate().clone(),
    ];
    let groups = audiences(&recipients, NOW);
    let expected = [
        Audience {
            members: vec![0, 2],
            post_quantum: true,
            container: Container::V2,
        },
        Audience {
            members: vec![1],
            post_quantum: false,
            container: Container::V1,
        },
    ];
    assert_eq!(groups, expected);
    let mixed = protected(MESSAGE, to_alice(&recipients, Container::V1));
    assert_eq!(mixed, Err(ContentError::MixedAudience));
    assert!(protected(MESSAGE, to_alice(&[classic], Container::V1)).is_ok());
}

#[test]
fn an_altered_ciphertext_gives_nothing() {
    let alice = key(ALICE, 2);
    let to = [alice.certificate().clone()];
    let out = protected(MESSAGE, to_alice(&to, Container::V2)).unwrap();
    let end = out
        .windows(5)
        .rposition(|window| window == b"-----")
        .unwrap();
    let known = book();
    let reader = email2::content::Reader {
        keys: &[&alice],
        known: &known,
        now: NOW,
    };
    for back in [80, 200] {
        let mut altered = out.clone();
        let at = end - back;
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let read = email2::content::unprotect(&altered, &reader);
        assert!(!matches!(read, Ok(reading) if reading.encrypted), "{back}");
    }
}

#[test]
fn what_was_signed_cannot_be_changed() {
    let out = String::from_utf8(protected(MESSAGE, Mode::SignOnly).unwrap()).unwrap();
    let changed = out.replace("Hello.", "Hallo.");
    let reading = read(changed.as_bytes(), &[], &book(), NOW);
    assert_eq!(reading.standing, Standing::Broken(Flaw::DoesNotFit));
    let outside = out.replacen("a secret", "another", 1);
    let reading = read(outside.as_bytes(), &[], &book(), NOW);
    assert_eq!(reading.field("Subject"), Some(&b" a secret"[..]));
    assert_eq!(reading.differing_outer.len(), 1);
    let early = read(out.as_bytes(), &[], &book(), NOW - 601);
    assert_eq!(early.standing, Standing::Broken(Flaw::InFuture));
}

#[test]
fn what_may_not_leave_is_refused_with_the_reason() {
    let with = |line: &str| MESSAGE.replacen("User-Agent: x", line, 1);
    assert_eq!(
        refusal(&MESSAGE.replace("bob@", "eve@")),
        "the message is from eve@example.org, the author is bob@example.org"
    );
    assert_eq!(
        refusal(&with("Subject: twice")),
        "the field Subject stands more than once"
    );
    assert_eq!(
        refusal(&with("no field")),
        "the field header holds a line that is no header field"
    );
    assert_eq!(
        refusal(&MESSAGE.replace("text/plain", "text")),
        "the field Content-Type cannot be read"
    );
    assert_eq!(
        refusal(&with("Email2-Seal: v=1")),
        "the field Email2-Seal is there already: the message is sealed"
    );
    assert_eq!(
        refusal(&with(&format!("X-Y: {}", "x".repeat(999)))),
        "the field X-Y has a line over 998 octets"
    );
    assert_eq!(refusal(&with("X-Y: a\0b")), "the field X-Y has a NUL");
}

#[test]
fn date_and_message_id_are_added_where_missing() {
    let bare = "From: bob@example.org\r\nTo: alice@example.com\r\n\r\nx\r\n";
    let out = protected(bare, Mode::SignOnly).unwrap();
    let reading = read(&out, &[], &book(), NOW);
    assert_eq!(
        reading.field("Date"),
        Some(&b" Thu, 26 Nov 2026 14:59:59 +0000"[..])
    );
    assert!(reading.field("Message-ID").is_some());
    assert_eq!(reading.warnings, Vec::<Warning>::new());
}

/// A MIME message of any content: nested parts, any octets that mail carries.
fn messages() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let text = prop::collection::vec("[ -~]{0,60}", 0..8).prop_map(|lines| {
        lines
            .into_iter()
            .map(|line| line + "\r\n")
            .collect::<String>()
            .into_bytes()
    });
    let leaf =
        text.prop_map(|text| [b"Content-Type: text/plain; x=y\r\n\r\n", text.as_slice()].concat());
    let part = leaf.prop_recursive(3, 12, 3, |inner| {
        ("[a-z]{8}", prop::collection::vec(inner, 1..4)).prop_map(|(boundary, parts)| {
            let mut out = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n")
                .into_bytes();
            for part in parts {
                out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                out.extend_from_slice(&part);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            out
        })
    });
    let fields = "(X-[A-Z]{1,8}: [!-~]{1,40}\r\n){0,4}";
    (fields, part).prop_map(|(fields, part)| {
        let head = format!(
            "From: bob@example.org\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\
             Message-ID: <1@example.org>\r\n{fields}"
        );
        (head.into_bytes(), part)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn protecting_and_reading_is_identity((head, body) in messages(), encrypt: bool, seed: u64) {
        let (bob, alice, from) = (key(BOB, 1), key(ALICE, 2), address(BOB));
        let to = [alice.certificate().clone()];
        let message = [head.as_slice(), &body].concat();
        let signable = !body.windows(7).any(|window| window == b"\r\nFrom ");
        let mode = if encrypt { to_alice(&to, Container::V2) } else { Mode::SignOnly };
        let out = protect(&request(&message, &bob, &from, mode), &mut rng(seed)).unwrap();
        prop_assert!(out.is_ascii() && out.ends_with(b"\r\n"));
        let reading = read(&out, &[&alice], &book(), NOW);
        prop_assert!(matches!(reading.standing, Standing::Verified { .. }), "{:?}", reading.standing);
        let mut header = Vec::new();
        for field in &reading.header {
            header.extend_from_slice(field.name.as_bytes());
            header.push(b':');
            header.extend_from_slice(&field.value);
            header.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(header, head);
        if encrypt || signable {
            prop_assert_eq!(reading.body, body);
        }
    }

    #[test]
    fn any_octets_in_a_part_come_back_decoded(content: Vec<u8>, encrypt: bool) {
        let (bob, alice, from) = (key(BOB, 1), key(ALICE, 2), address(BOB));
        let to = [alice.certificate().clone()];
        let head = b"From: bob@example.org\r\nContent-Type: text/plain\r\n\r\n";
        let message = [head, content.as_slice()].concat();
        let mode = if encrypt { to_alice(&to, Container::V1) } else { Mode::SignOnly };
        let out = protect(&request(&message, &bob, &from, mode), &mut rng(3)).unwrap();
        let reading = read(&out, &[&alice], &book(), NOW);
        let parsed = mail_parser::MessageParser::new().parse(&reading.body[..]).unwrap();
        let decoded = parsed.parts[0].contents();
        if content.is_ascii() && !content.contains(&0) {
            prop_assert_eq!(String::from_utf8_lossy(decoded), String::from_utf8_lossy(&content));
        }
    }
}

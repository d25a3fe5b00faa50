//! Protected messages and what a reader makes of them (spec §5).

use email2::Address;
use email2::certificate::Certificate;
use email2::content::protect::{Container, Mode, OuterTo, Protect, protect};
use email2::secret::SecretKey;
use serde_json::{Value, json};

use super::Vector;
use super::cast::{CONTENT, Cast, NOW, armored, rng, unlocked};
use crate::failure::{Outcome, Step};

/// A message to be read by alice, before it is a vector.
struct Case<'a> {
    name: &'static str,
    section: &'static str,
    says: &'static str,
    message: String,
    /// Who is known as bob.
    author: &'a Certificate,
    reader: Option<&'a SecretKey>,
    outcome: Value,
}

impl Case<'_> {
    fn vector(self) -> Vector {
        Vector {
            id: format!("protected-{}", self.name),
            layer: "protected-message",
            section: self.section,
            valid: self
                .outcome
                .get("standing")
                .is_some_and(|standing| standing == "verified"),
            says: self.says,
            given: json!({
                "message": self.message,
                "keys": self.reader.map(unlocked).into_iter().collect::<Vec<_>>(),
                "authors": { "bob@example.org": armored(self.author) },
                "now": NOW + 60,
            }),
            outcome: self.outcome,
        }
    }
}

#[rustfmt::skip] // one case a line
pub(super) fn vectors(cast: &Cast) -> Outcome<Vec<Vector>> {
    let signed = message(cast, Mode::SignOnly, 60)?;
    let to = [cast.alice.certificate().clone()];
    let to_mallory = [cast.mallory.certificate().clone()];
    let encrypt = |to, container| Mode::Encrypt { to, also_self: false, container };
    let case = |name, section, says, message: &str, reader, outcome| {
        let (message, author) = (message.to_owned(), cast.bob.certificate());
        Case { name, section, says, message, author, reader, outcome }
    };
    let alice = Some(&cast.alice);
    let v1 = message(cast, encrypt(&to, Container::V1), 61)?;
    let v2 = message(cast, encrypt(&to, Container::V2), 62)?;
    let elsewhere = message(cast, encrypt(&to_mallory, Container::V2), 63)?;
    let other_from = v2.replacen("bob@example.org", "mallory@example.org", 1);
    let wrapped = wrapped(&signed);
    let cases = vec![
        case("signed", "spec §5.1.1", "Signed, not encrypted.", &signed, None, reading("verified", false)),
        case("seipd-1", "spec §5.2.2", "Encrypted in the older container.", &v1, alice, reading("verified", true)),
        case("seipd-2", "spec §5.2.2", "Encrypted in the newer container.", &v2, alice, reading("verified", true)),
        case(
            "altered",
            "spec §5.6.1",
            "One word of what was signed is another.",
            &signed.replace("noon", "nine"),
            None,
            reading("broken", false),
        ),
        case("unsigned", "spec §5.6.1", "Without any protection.", CONTENT, None, reading("unsigned", false)),
        case(
            "partial",
            "spec §5.6.1",
            "The signature covers a part of what is shown.",
            &wrapped,
            None,
            reading("unsigned", false),
        ),
        case(
            "other-from",
            "spec §5.2.4",
            "Somebody else sends what bob wrote.",
            &other_from,
            alice,
            json!({ "not": "verified" }),
        ),
        case("not-for-me", "spec §5.2.3", "Encrypted to others.", &elsewhere, alice, json!({ "error": "not-for-these-keys" })),
        Case {
            author: cast.mallory.certificate(),
            ..case(
                "other-key",
                "spec §5.6.4",
                "Signed by a key that is not the author's.",
                &signed,
                None,
                json!({ "not": "verified" }),
            )
        },
    ];
    Ok(cases.into_iter().map(Case::vector).collect())
}

fn reading(standing: &str, encrypted: bool) -> Value {
    json!({ "standing": standing, "encrypted": encrypted, "subject": "lunch" })
}

fn message(cast: &Cast, mode: Mode<'_>, seed: u64) -> Outcome<String> {
    let from = Address::parse("bob@example.org").step("bob")?;
    let to = Address::parse("alice@example.com").step("alice")?;
    let request = Protect {
        message: CONTENT.as_bytes(),
        author: &cast.bob,
        from: &from,
        mode,
        outer_to: OuterTo::Visible(vec![to]),
        outside: &[],
        now: NOW,
    };
    let octets = protect(&request, &mut rng(seed)).step("protect")?;
    String::from_utf8(octets).step("protected message")
}

/// The Content-Type and the body of a message as one part of another.
fn wrapped(message: &str) -> String {
    let part = message
        .find("Content-Type:")
        .and_then(|at| message.get(at..));
    let head = "From: bob@example.org\r\nSubject: lunch\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=outer\r\n\r\n\
        --outer\r\n\r\nRead this:\r\n--outer\r\n";
    format!("{head}{}\r\n--outer--\r\n", part.unwrap_or_default())
}

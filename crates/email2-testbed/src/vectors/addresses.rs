//! Addresses and domains in normal form (spec §1.3), and the one From (spec §4.8).

use serde_json::{Value, json};

use super::{Vector, refused};

type Case = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

/// Name, section, text, normal form if it has one, what it says.
#[rustfmt::skip] // one case a line
const ADDRESSES: [Case; 18] = [
    (
        "case",
        "spec §1.3.2",
        "Bob@Example.ORG",
        Some("Bob@example.org"),
        "The domain becomes lower case, the local part keeps its case.",
    ),
    ("u-label", "spec §1.3.1", "bob@b\u{fc}cher.example", Some("bob@xn--bcher-kva.example"), "A U-label becomes an A-label."),
    (
        "sharp-s",
        "spec §1.3.1",
        "bob@stra\u{df}e.example",
        Some("bob@xn--strae-oqa.example"),
        "Non-transitional processing keeps the sharp s.",
    ),
    ("composed", "spec §1.3.2", "jose\u{301}@example.org", Some("jos\u{e9}@example.org"), "The local part is composed (NFC)."),
    (
        "quoted-dot-string",
        "spec §1.3.2",
        "\"bob\"@example.org",
        Some("bob@example.org"),
        "Quotes around a Dot-string are dropped.",
    ),
    ("quoted-pair", "spec §1.3.2", "\"b\\ob\"@example.org", Some("bob@example.org"), "A quoted pair stands for its character."),
    (
        "quoted",
        "spec §1.3.2",
        "\"bob smith\"@example.org",
        Some("\"bob smith\"@example.org"),
        "What is no Dot-string keeps its quotes.",
    ),
    (
        "plus",
        "spec §1.3.4",
        "bob+tag@example.org",
        Some("bob+tag@example.org"),
        "Nobody but the answering host interprets a plus sign.",
    ),
    (
        "longest",
        "spec §1.3.3",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org",
        Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org"),
        "64 octets are the longest local part.",
    ),
    (
        "too-long",
        "spec §1.3.3",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org",
        None,
        "65 octets are too long for a local part.",
    ),
    ("literal", "spec §1.3.1", "bob@[192.0.2.1]", None, "An address literal has no keys."),
    ("ip-name", "spec §1.3.1", "bob@192.0.2.1", None, "An IP address is no domain."),
    ("comment-glue", "spec §1.3.1", "bob@good(x)evil.example", None, "A comment glues no two names together."),
    ("two-dots", "spec §1.3.2", "b..b@example.org", None, "Two dots are no Dot-string."),
    (
        "greek-question-mark",
        "spec §1.3.2",
        "b\u{37e}b@example.org",
        None,
        "Composition makes a semicolon of it: the grammar is judged after NFC.",
    ),
    ("bidi", "spec §1.3.2", "b\u{202e}ob@example.org", None, "A character that reorders its neighbours is refused."),
    ("trailing-dot", "spec §1.3.1", "bob@example.org.", None, "A trailing dot is refused."),
    ("broken-a-label", "spec §1.3.1", "bob@xn--a.example", None, "An A-label that decodes to nothing is refused."),
];

/// Name, value of the field, address if there is one, what it says.
#[rustfmt::skip] // one case a line
const FROMS: [(&str, &str, Option<&str>, &str); 10] = [
    ("mailbox", " Bob <bob@example.org>", Some("bob@example.org"), "A name and an address."),
    ("bare", " bob@example.org", Some("bob@example.org"), "An address alone."),
    (
        "encoded-name",
        " =?utf-8?q?M=C3=BCller=2C_Bob?= <bob@example.org>",
        Some("bob@example.org"),
        "An encoded comma in a name makes no second address.",
    ),
    (
        "name-is-address",
        " \"ceo@bank.example\" <bob@example.org>",
        Some("bob@example.org"),
        "A name that looks like an address is a name.",
    ),
    ("two", " bob@example.org, ceo@example.org", None, "Two authors are refused."),
    ("group", " Board: bob@example.org;", None, "A group is refused."),
    ("comment", " bob(x)@example.org", None, "A comment is refused."),
    ("route", " <@a.example:bob@example.org>", None, "A route is refused."),
    ("encoded-address", " <=?utf-8?q?bob?=@example.org>", None, "An encoded word in the address is refused."),
    (
        "decomposed",
        " <jose\u{301}@example.org>",
        None,
        "A local part that is not composed is refused: shown and compared must be the same.",
    ),
];

pub(super) fn vectors() -> Vec<Vector> {
    let addresses = ADDRESSES
        .into_iter()
        .map(|(name, section, text, normal, says)| Vector {
            id: format!("address-{name}"),
            layer: "address",
            section,
            valid: normal.is_some(),
            says,
            given: json!({ "address": text }),
            outcome: normal_form(normal),
        });
    let froms = FROMS.into_iter().map(|(name, value, normal, says)| Vector {
        id: format!("from-{name}"),
        layer: "from",
        section: "spec §4.8.1",
        valid: normal.is_some(),
        says,
        given: json!({ "from": value }),
        outcome: normal_form(normal),
    });
    addresses.chain(froms).collect()
}

fn normal_form(normal: Option<&str>) -> Value {
    normal.map_or(refused(), |normal| json!({ "normal": normal }))
}

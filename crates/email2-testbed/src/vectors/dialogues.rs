//! KEY and KEYPUT: commands and answers (spec §3.4, §3.5, §3.6).

use email2::KeyFlags;
use email2::key_query::{Etag, KeyAnswer};
use serde_json::{Value, json};

use super::cast::Cast;
use super::{Vector, refused};

const FPR: &str = "0123456789abcdef0123456789abcdef01234567";

pub(super) fn vectors(cast: &Cast) -> Vec<Vector> {
    let mut vectors = commands();
    vectors.extend(answers(cast));
    vectors
}

#[rustfmt::skip] // one case a line
fn commands() -> Vec<Vector> {
    let query = |name, text: &str, says, canonical: Option<&str>| command("KEY", name, "spec §3.4.1", text, says, canonical);
    let full = format!("<bob@example.org> FPR={FPR} ETAG=0a1b");
    let upper = format!("<Bob@Example.ORG> fpr={} etag=0a1b", FPR.to_uppercase());
    let normal = format!("<Bob@example.org> FPR={FPR} ETAG=0a1b");
    let swapped = format!("<bob@example.org> ETAG=0a1b FPR={FPR}");
    vec![
        query("writer", "<bob@example.org>", "A writer asks.", Some("<bob@example.org>")),
        query("verifier", &full, "A verifier asks and has a version.", Some(&full)),
        query("case", &upper, "Keywords and fingerprints in any case.", Some(&normal)),
        query("domain", "<@example.org>", "The domain's own certificate.", Some("<@example.org>")),
        query("brackets", "bob@example.org", "The brackets are missing.", None),
        query("order", &swapped, "The arguments stand in one order.", None),
        query("two-spaces", "<bob@example.org>  ETAG=0a", "One space between arguments.", None),
        query("etag-case", "<bob@example.org> ETAG=0A", "An etag is in lower case.", None),
        command(
            "KEYPUT",
            "size",
            "spec §3.6.1",
            "<bob@example.org> 1800",
            "A key of 1800 octets.",
            Some("<bob@example.org> 1800"),
        ),
        command("KEYPUT", "no-size", "spec §3.6.1", "<bob@example.org>", "Without a size.", None),
    ]
}

fn command(
    verb: &'static str,
    name: &str,
    section: &'static str,
    arguments: &str,
    says: &'static str,
    canonical: Option<&str>,
) -> Vector {
    Vector {
        id: format!("{}-{name}", verb.to_lowercase()),
        layer: "key-command",
        section,
        valid: canonical.is_some(),
        says,
        given: json!({ "verb": verb, "arguments": arguments }),
        outcome: canonical.map_or(refused(), |text| json!({ "canonical": text })),
    }
}

#[rustfmt::skip] // one case a line
fn answers(cast: &Cast) -> Vec<Vector> {
    let certificate = cast.bob.certificate();
    let flags = KeyFlags { strict: true, since: Some(1_700_000_000), ..KeyFlags::default() };
    let whole = served(&certificate.etag_with(&flags), &flags, certificate.octets());
    let one = |flags: &str| vec![format!("2.0.0 v=1 etag=0a ttl=60 flags={flags}"), "2.0.0 AAAA".into()];
    let good = |flags: Value| json!({ "etag": "0a", "ttl": 60, "flags": flags, "octets": 3 });
    let read = json!({
        "etag": certificate.etag_with(&flags).to_string(), "ttl": 3600,
        "flags": "strict,since=1700000000", "octets": certificate.octets().len(),
    });
    let mut too_big = one("-");
    too_big.extend(std::iter::repeat_n(format!("2.0.0 {}", "A".repeat(500)), 88));
    vec![
        answer("whole", "spec §3.5.4", whole, "A certificate as it is served.", Some(read)),
        answer("unchanged", "spec §3.5.4", vec!["2.0.0 unchanged".into()], "Nothing new.", Some(json!("unchanged"))),
        answer("unknown-flags", "spec §3.5.2", one("later,hard,x=1"), "Unknown flags are ignored.", Some(good(json!("hard")))),
        answer("no-flags", "spec §3.5.2", one("-"), "No flags.", Some(good(json!("-")))),
        answer(
            "version",
            "spec §3.5.2",
            vec!["2.0.0 v=2 etag=0a ttl=60 flags=-".into(), "2.0.0 AAAA".into()],
            "Another version of the answer.",
            None,
        ),
        answer("flag-twice", "spec §3.5.2", one("hard,hard"), "A flag stands once.", None),
        answer("broken-flag", "spec §3.5.3", one("until=soon"), "A known flag whose value is none.", None),
        answer(
            "no-code",
            "spec §3.5.2",
            vec!["2.0.0 v=1 etag=0a ttl=60 flags=-".into(), "AAAA".into()],
            "A line without its code.",
            None,
        ),
        answer("too-big", "spec §3.5.1", too_big, "More than 32 KiB.", None),
    ]
}

fn served(etag: &Etag, flags: &KeyFlags, octets: &[u8]) -> Vec<String> {
    let (etag, flags, octets) = (etag.clone(), flags.clone(), octets.to_vec());
    KeyAnswer::Certificate {
        etag,
        ttl: 3600,
        flags,
        octets,
    }
    .lines()
}

fn answer(
    name: &str,
    section: &'static str,
    lines: Vec<String>,
    says: &'static str,
    outcome: Option<Value>,
) -> Vector {
    Vector {
        id: format!("key-answer-{name}"),
        layer: "key-answer",
        section,
        valid: outcome.is_some(),
        says,
        given: json!({ "lines": lines }),
        outcome: outcome.unwrap_or_else(refused),
    }
}

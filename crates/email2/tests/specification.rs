//! The worked example of chapter 4 (spec §4.16): what is printed there verifies.
//! `UPDATE=1` prints it anew.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail, and reads the documents"
)]

use std::path::PathBuf;

use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::scan::Scan;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign, verify};
use email2::{Identity, KeyFlags, ReversePath, limits};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// When the example is sealed, Unix seconds.
const NOW: u64 = 1_764_000_000;
/// What the example seals.
const CONTENT: &str = "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\n\
    Date: Mon, 24 Nov 2025 16:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\
    Subject: lunch\r\n\r\nAt noon?\r\n";

fn chapter(file: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../../docs/spec").join(file)
}

/// What stands between the two markers of a chapter.
fn generated(file: &str, name: &str) -> String {
    let page = std::fs::read_to_string(chapter(file)).unwrap();
    let (_, behind) = page
        .split_once(&format!("<!-- {name}: generated -->\n"))
        .unwrap();
    let (inside, _) = behind
        .split_once(&format!("<!-- end of {name} -->"))
        .unwrap();
    inside.to_owned()
}

/// Writes it when `UPDATE` is set.
fn update(file: &str, name: &str, text: &str) {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    let page = std::fs::read_to_string(chapter(file)).unwrap();
    let marker = format!("<!-- {name}: generated -->\n");
    let old = format!("{marker}{}", generated(file, name));
    let new = page.replace(&old, &format!("{marker}{text}"));
    std::fs::write(chapter(file), new).unwrap();
}

/// The fenced block of that kind in the example.
fn block(kind: &str) -> String {
    let example = generated("04-seal.md", "example");
    let (_, behind) = example.split_once(&format!("```{kind}\n")).unwrap();
    let (inside, _) = behind.split_once("```\n").unwrap();
    inside.to_owned()
}

fn hex(octets: &[u8]) -> String {
    let digits: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let lines: Vec<String> = digits.chunks(24).map(|line| line.join(" ")).collect();
    lines.join("\n") + "\n"
}

/// The example, made anew.
fn example() -> String {
    let who = Identity::parse("bob@example.org").unwrap();
    let bob = generate(&who, NOW - 86_400, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let request = SealRequest {
        role: Role::Author,
        signer: who,
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec!["alice@example.com".parse().unwrap()],
        created: NOW,
        expires: NOW + limits::SEAL_LIFETIME,
        nonce: Nonce(*b"sixteen octets!!"),
        digest: ContentDigest::of(CONTENT.as_bytes()).unwrap(),
    };
    let seal = sign(&request, &bob, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
    let message = format!("{}{CONTENT}", seal.field()).replace("\r\n", "\n");
    let armored = bob.certificate().armored().replace("\r\n", "\n");
    format!(
        "The message (every line ends in CRLF):\n\n```eml\n{message}```\n\n\
         The canonical text, one line:\n\n```canonical\n{}\n```\n\n\
         The octets of `b`:\n\n```packet\n{}```\n\n\
         The certificate of bob@example.org:\n\n```certificate\n{armored}```\n",
        seal.canonical(),
        hex(seal.signature_packet()),
    )
}

/// What the chapter prints verifies, whatever it was made with.
#[test]
fn the_example_of_a_seal_verifies() {
    update("04-seal.md", "example", &example());
    let message = block("eml").replace('\n', "\r\n");
    let scanned = Scan::whole(true, message.as_bytes()).unwrap();
    let field = scanned.header.seals.first().unwrap();
    let seal = Seal::parse(&field.value).unwrap();
    assert_eq!(seal.canonical() + "\n", block("canonical"));
    assert_eq!(hex(seal.signature_packet()), block("packet"));
    assert_eq!(scanned.digests, [seal.digest]);
    assert!(message.starts_with(&seal.field()));
    let bob = Certificate::parse_armored(&block("certificate")).unwrap();
    assert_eq!(verify(&seal, &bob, &KeyFlags::default()), Ok(()));
}

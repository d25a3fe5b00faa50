//! The cases C01, C02, C06, C07, C08, C09, C13 and C16.

use std::path::PathBuf;

use email2::content::{
    ContentError, Flaw, HeaderProtection, Reader, Reading, Standing, Warning, unprotect,
};
use email2::secret::SecretKey;

use super::people::{Book, CASE_TIME, address, read};

#[expect(clippy::disallowed_methods, reason = "a test reads its cases")]
fn case(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases");
    std::fs::read(folder.join(name)).unwrap()
}

fn key(name: &str) -> SecretKey {
    SecretKey::unlock(&case(&format!("keys/{name}.secret.txt")), None).unwrap()
}

fn everybody() -> Book {
    let known = ["alice", "bob", "eve"].map(|name| key(name).certificate().clone());
    Book(known.to_vec())
}

/// What Alice reads.
fn alice_reads(name: &str) -> Reading {
    read_by_alice(&case(name))
}

fn read_by_alice(message: &[u8]) -> Reading {
    let alice = key("alice");
    read(message, &[&alice], &everybody(), CASE_TIME)
}

fn by_bob(reading: &Reading) -> bool {
    matches!(&reading.standing, Standing::Verified { author, .. }
        if *author == address("bob@example.org"))
}

fn field(reading: &Reading, name: &str) -> String {
    let value = reading.field(name).unwrap();
    String::from_utf8(value.to_vec()).unwrap().trim().to_owned()
}

fn text(reading: &Reading) -> String {
    String::from_utf8(reading.body.clone()).unwrap()
}

#[test]
fn c01_only_a_signature_over_the_whole_counts() {
    let good = alice_reads("C01d-plain-good.eml");
    assert!(by_bob(&good), "{:?}", good.standing);
    assert_eq!(good.header_protection, HeaderProtection::Clear);
    assert!(good.warnings.is_empty());
    for name in [
        "C01a-prepended-text.eml",
        "C01b-signed-as-attachment.eml",
        "C01c-hidden-by-html.eml",
    ] {
        let reading = alice_reads(name);
        assert_eq!(reading.standing, Standing::Unsigned, "{name}");
        assert_eq!(reading.warnings, [Warning::NestedProtection], "{name}");
    }
    let other = alice_reads("C01e-wrong-signer.eml").standing;
    assert!(
        matches!(&other, Standing::SignedBySomebodyElse { signer, .. } if signer.contains("eve@example.net")),
        "{other:?}"
    );
}

#[test]
fn c01e_by_a_key_that_nobody_knows_says_which() {
    let bob = Book(vec![key("bob").certificate().clone()]);
    let reading = read(&case("C01e-wrong-signer.eml"), &[], &bob, CASE_TIME);
    assert!(matches!(
        reading.standing,
        Standing::UnknownKey { key: Some(_) }
    ));
}

#[test]
fn c02_only_a_ciphertext_that_is_the_whole_is_opened() {
    let good = alice_reads("C02-good.eml");
    assert!(by_bob(&good), "{:?} {:?}", good.standing, good.warnings);
    assert!(good.encrypted && !good.post_quantum);
    assert_eq!(good.warnings, [Warning::NoIntendedRecipients]);
    let wrapped = alice_reads("C02-efail-wrap.eml");
    assert_eq!(wrapped.standing, Standing::Unsigned);
    assert!(!wrapped.encrypted);
    assert_eq!(wrapped.warnings, [Warning::NestedProtection]);
    assert!(text(&wrapped).contains("-----BEGIN PGP MESSAGE-----"));
    assert!(!text(&wrapped).contains(&text(&good)));
}

#[test]
fn c02_for_other_keys_stays_closed() {
    let eve = key("eve");
    let known = everybody();
    let reader = Reader {
        keys: &[&eve],
        known: &known,
        now: CASE_TIME,
    };
    let closed = unprotect(&case("C02-good.eml"), &reader);
    assert_eq!(closed, Err(ContentError::NotForTheseKeys));
}

#[test]
fn c06a_the_inner_header_is_shown_and_the_difference_on_demand() {
    let reading = alice_reads("C06a-outer-differs.eml");
    assert!(by_bob(&reading), "{:?}", reading.standing);
    assert_ne!(field(&reading, "Subject"), "a subject put on the way");
    assert_ne!(field(&reading, "Message-ID"), "<c06x@example.org>");
    let names: Vec<&str> = reading
        .differing_outer
        .iter()
        .map(|d| d.name.as_str())
        .collect();
    assert!(
        names.contains(&"Subject") && names.contains(&"Date"),
        "{names:?}"
    );
    assert!(
        reading
            .differing_outer
            .iter()
            .all(|differing| !differing.intended)
    );
}

#[test]
fn c06b_what_bob_wrote_is_not_eves() {
    let reading = alice_reads("C06b-outer-from-differs.eml");
    assert_eq!(reading.standing, Standing::Broken(Flaw::OtherFrom));
    assert_eq!(field(&reading, "From"), "Eve <eve@example.net>");
    assert_eq!(field(&reading, "Subject"), "[...]");
    assert!(text(&reading).starts_with("Content-Type: message/rfc822\r\n"));
    assert!(reading.warnings.contains(&Warning::OtherFrom {
        inner: "bob@example.org".to_owned()
    }));
}

#[test]
fn c07_threads_are_built_from_what_was_signed() {
    let reading = alice_reads("C07-thread-moved.eml");
    assert!(by_bob(&reading));
    assert_eq!(field(&reading, "Subject"), "Re: lunch");
    assert_eq!(field(&reading, "In-Reply-To"), "<lunch@example.com>");
    assert_eq!(field(&reading, "References"), "<lunch@example.com>");
    assert_eq!(reading.differing_outer.len(), 3);
}

#[test]
fn c08_both_forms_of_header_protection_are_read() {
    let single = alice_reads("C08a-single-part.eml");
    assert!(by_bob(&single), "{:?}", single.standing);
    assert_eq!(single.header_protection, HeaderProtection::Cipher);
    assert_ne!(field(&single, "Subject"), "[...]");
    let older = alice_reads("C08b-memory-hole.eml");
    assert_eq!(older.header_protection, HeaderProtection::Older);
    assert_ne!(field(&older, "Subject"), "Encrypted Message");
    assert_eq!(field(&older, "From"), "Bob <bob@example.org>");
    assert!(!by_bob(&older));
}

#[test]
fn c09_what_exchange_made_of_a_ciphertext_is_repaired_and_marked() {
    let reading = alice_reads("C09-mixed-up.eml");
    assert!(reading.encrypted);
    assert_eq!(reading.warnings.last(), Some(&Warning::Repaired));
}

#[test]
fn c09_no_other_structure_is_opened_nor_this_one_below_a_seal() {
    let mixed = case("C09-mixed-up.eml");
    let mixed = String::from_utf8(mixed).unwrap();
    let empty = "Content-Type: text/plain; charset=us-ascii\r\n\r\n\r\n";
    assert!(mixed.contains(empty), "{mixed}");
    let with_text = mixed.replace(
        empty,
        &empty.replacen("\r\n\r\n\r\n", "\r\n\r\nHello\r\n", 1),
    );
    let without = mixed.replace(&format!("--enc-b\r\n{empty}"), "");
    let html = mixed.replace("text/plain", "text/html");
    let renamed = mixed.replace("application/octet-stream", "application/pgp-keys");
    let more = mixed.replace("--enc-b--", "--enc-b\r\n\r\nmore\r\n--enc-b--");
    let sealed = format!("Email2-Seal: v=1\r\n{mixed}");
    for other in [with_text, without, html, renamed, more, sealed] {
        let reading = read_by_alice(other.as_bytes());
        assert_eq!(reading.standing, Standing::Unsigned);
        assert!(!reading.encrypted);
    }
}

#[test]
fn c13_a_changed_line_breaks_the_signature_and_accuses_nobody() {
    assert!(by_bob(&alice_reads("C13-good.eml")));
    let munged = alice_reads("C13-from-munged.eml");
    assert_eq!(munged.standing, Standing::Broken(Flaw::DoesNotFit));
    assert_eq!(munged.header_protection, HeaderProtection::None);
    assert!(text(&munged).contains(">From tomorrow"));
}

#[test]
fn c16_an_attached_key_is_a_file() {
    let reading = alice_reads("C16-attached-key.eml");
    assert!(by_bob(&reading));
    assert!(reading.warnings.is_empty());
    assert!(text(&reading).contains("application/pgp-keys"));
}

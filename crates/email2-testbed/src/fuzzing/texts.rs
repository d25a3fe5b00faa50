//! Texts that are parsed whole: what was understood comes back the same when it is written.

use email2::address::{Address, Identity};
use email2::capability;
use email2::certificate::Certificate;
use email2::key_query::{Etag, KeyAnswer, KeyFlags, KeyPut, KeyPutAnswer, KeyQuery};
use email2::policy_record::PolicyRecord;
use email2::seal::Seal;
use email2::verdict::Provenance;

use super::CAST;

fn text(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok()
}

fn owned(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// An address is itself when it is written and read; so is whoever can sign.
pub(super) fn address(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    if let Ok(address) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()), Ok(address));
    }
    if let Ok(identity) = Identity::parse(text) {
        assert_eq!(Identity::parse(&identity.to_string()), Ok(identity));
    }
}

pub(super) fn addresses() -> Vec<Vec<u8>> {
    owned(&[
        "bob@example.org",
        "\"a b\\\"c\"@example.org",
        "bücher@bücher.example",
        "@example.com",
        "a.b+c@xn--bcher-kva.example",
    ])
}

/// A seal has one text: what is read is written as the same seal.
pub(super) fn seal_field(octets: &[u8]) {
    let Ok(seal) = Seal::parse(octets) else {
        return;
    };
    let field = seal.field();
    let value = field.split_once(':').map_or("", |(_, value)| value);
    let again = Seal::parse(value.trim_end_matches("\r\n").as_bytes());
    assert_eq!(again, Ok(seal));
}

pub(super) fn seals() -> Vec<Vec<u8>> {
    let Some(cast) = CAST.as_ref() else {
        return Vec::new();
    };
    let sealed = cast.sealed(&cast.bob, b"From: bob@example.org\r\n\r\ntext\r\n");
    let field = sealed.unwrap_or_default();
    let end = field.windows(7).position(|window| window == b"\r\nFrom:");
    let value = end.and_then(|end| field.get("Email2-Seal:".len()..end));
    vec![value.unwrap_or_default().to_vec()]
}

/// Questions for keys, and putting one.
pub(super) fn key_query(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    if let Ok(query) = KeyQuery::parse(text) {
        assert_eq!(KeyQuery::parse(&query.to_string()), Ok(query));
    }
    if let Ok(put) = KeyPut::parse(text) {
        assert_eq!(KeyPut::parse(&put.to_string()), Ok(put));
    }
    if let Ok(flags) = text.parse::<KeyFlags>() {
        assert_eq!(flags.to_string().parse(), Ok(flags));
    }
    if let Ok(etag) = text.parse::<Etag>() {
        assert_eq!(etag.to_string(), text);
    }
}

pub(super) fn queries() -> Vec<Vec<u8>> {
    owned(&[
        "<bob@example.org>",
        "<@example.org> FPR=0123456789abcdef0123456789abcdef01234567 ETAG=0123456789abcdef",
        "<bob@example.org> 1000",
        "since=1763990000,until=1764000000,hard,strict",
        "0123456789abcdef",
    ])
}

/// Answers to KEY and KEYPUT, line by line.
pub(super) fn key_answer(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    if let Ok(answer) = KeyAnswer::parse(&lines) {
        assert_eq!(KeyAnswer::parse(&answer.lines()), Ok(answer));
    }
    let _ = KeyPutAnswer::parse(&lines);
}

pub(super) fn answers() -> Vec<Vec<u8>> {
    let Some(cast) = CAST.as_ref() else {
        return Vec::new();
    };
    let certificate = cast.bob.key.certificate();
    let answer = KeyAnswer::Certificate {
        etag: certificate.etag(),
        ttl: 3600,
        flags: KeyFlags::default(),
        octets: certificate.octets().to_vec(),
    };
    let unchanged = KeyAnswer::Unchanged.lines().join("\n").into_bytes();
    vec![answer.lines().join("\n").into_bytes(), unchanged]
}

pub(super) fn policy_record(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    if let Ok(record) = PolicyRecord::parse(text) {
        assert_eq!(PolicyRecord::parse(&record.to_string()), Ok(record));
    }
}

pub(super) fn records() -> Vec<Vec<u8>> {
    owned(&[
        "v=EMAIL2; p=strict; sp=open; id=1",
        "v=EMAIL2; p=open; ma=0; id=abc",
    ])
}

pub(super) fn capability(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    let spoken = capability::parse_ehlo_line(text)
        .unwrap_or_default()
        .contains(&1);
    assert_eq!(capability::is_spoken(text), spoken);
}

pub(super) fn capabilities() -> Vec<Vec<u8>> {
    owned(&["EMAIL2 1", "email2 1 2"])
}

/// The verdict's text comes back as the same verdict.
pub(super) fn provenance(octets: &[u8]) {
    let Some(text) = text(octets) else { return };
    if let Ok(provenance) = text.parse::<Provenance>() {
        assert_eq!(provenance.to_string().parse(), Ok(provenance));
    }
}

pub(super) fn provenances() -> Vec<Vec<u8>> {
    owned(&[
        "verified; author=bob@example.org; assurance=dnssec; at=1764000000",
        "verified; author=bob@example.org; assurance=wkd; at=1; via=@alumni.edu/bob@alumni.edu; via=unsealed-hop",
        "unverified; reason=unsealed; at=1764000000",
        "for-others; author=b@c.d; assurance=wkd; at=1; via=unsealed-hop:a@b.c; via=unregistered:@b.c/a@b.c",
    ])
}

/// A certificate that is accepted is written as what is accepted again, with the same etag, and
/// never binds another address.
pub(super) fn certificate(octets: &[u8]) {
    let Ok(certificate) = Certificate::parse(octets) else {
        return;
    };
    let again = Certificate::parse(certificate.octets());
    let same = again.is_ok_and(|again| {
        again.octets() == certificate.octets()
            && again.etag() == certificate.etag()
            && again.primary() == certificate.primary()
    });
    assert!(same, "a certificate is not itself");
    let stranger = Address::parse("ceo@example.org").map(Identity::Address);
    assert!(stranger.is_ok_and(|stranger| !certificate.binds(&stranger)));
}

pub(super) fn certificates() -> Vec<Vec<u8>> {
    let Some(cast) = CAST.as_ref() else {
        return Vec::new();
    };
    let all = [&cast.alice, &cast.bob, &cast.eve];
    all.iter()
        .map(|player| player.key.certificate().octets().to_vec())
        .collect()
}

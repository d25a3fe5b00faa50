//! One seal against one certificate: grammar, packet, signature (spec §4.1, §4.2,
//! §4.3, §4.10).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use email2::certificate::{Certificate, RevocationReason};
use email2::seal::Seal;
use serde_json::json;

use super::Vector;
use super::cast::{CONTENT, Cast, DAY, NOW, Wish, armored, key, rng};
use crate::failure::{Outcome, Step};

/// A case about one seal, before it is a vector.
struct Case<'a> {
    name: &'static str,
    section: &'static str,
    says: &'static str,
    /// What stands behind the colon, without the final CRLF.
    value: String,
    content: &'a str,
    certificate: &'a Certificate,
    flags: &'static str,
    /// `None` when it is to be accepted.
    fault: Option<&'static str>,
}

impl<'a> Case<'a> {
    /// A seal over the usual content that verifies.
    fn good(
        name: &'static str,
        section: &'static str,
        says: &'static str,
        value: String,
        certificate: &'a Certificate,
    ) -> Self {
        Self {
            name,
            section,
            says,
            value,
            content: CONTENT,
            certificate,
            flags: "-",
            fault: None,
        }
    }

    fn vector(self) -> Vector {
        let outcome = match self.fault {
            Some(fault) => json!({ "fault": fault }),
            None => json!({ "signer": "bob@example.org" }),
        };
        Vector {
            id: format!("seal-{}", self.name),
            layer: "seal",
            section: self.section,
            valid: self.fault.is_none(),
            says: self.says,
            given: json!({
                "seal": self.value,
                "content": self.content,
                "certificate": armored(self.certificate),
                "flags": self.flags,
            }),
            outcome,
        }
    }
}

pub(super) fn vectors(cast: &Cast) -> Outcome<Vec<Vector>> {
    let seal = Wish::default().seal(CONTENT, &cast.bob)?;
    let mut vectors = grammar(cast, &seal)?;
    vectors.extend(packets(cast, &seal)?);
    vectors.extend(keys(cast, &seal)?);
    Ok(vectors)
}

fn value(seal: &Seal) -> String {
    let field = seal.field();
    let value = field.split_once(':').map_or("", |(_, value)| value);
    value.trim_end_matches("\r\n").to_owned()
}

/// The value on one line, without white space.
fn flat(seal: &Seal) -> String {
    value(seal).replace("\r\n", "").replace(' ', "")
}

#[rustfmt::skip] // one case a line
fn grammar(cast: &Cast, seal: &Seal) -> Outcome<Vec<Vector>> {
    let certificate = cast.bob.certificate();
    let case = |name, section, says, value, fault| Case {
        fault,
        ..Case::good(name, section, says, value, certificate)
    };
    let text = flat(seal);
    let bad = |name, section, says, value| case(name, section, says, value, Some("grammar"));
    let recipient = URL_SAFE_NO_PAD.encode("alice@example.com");
    let upper = URL_SAFE_NO_PAD.encode("bob@EXAMPLE.org");
    let signer = URL_SAFE_NO_PAD.encode("bob@example.org");
    let fingerprint = seal.key.to_string();
    let created = format!("t={}", seal.created);
    let swapped = text.replace(";f=author", "").replace("v=1", "f=author;v=1");
    let cases = vec![
        case("good", "spec §4.2.3", "A seal as it is written.", value(seal), None),
        case("flat", "spec §4.1.2", "The same without a fold.", text.clone(), None),
        case(
            "spaces",
            "spec §4.1.2",
            "White space anywhere, in a value too.",
            text.replace(";t=17639", "\t;\r\n t = 176 39"),
            None,
        ),
        bad("trailing-semicolon", "spec §4.1.1", "A semicolon behind the last tag.", text.clone() + ";"),
        bad("tag-more", "spec §4.1.1", "A tag too many.", text.replace(";b=", ";z=1;b=")),
        bad("tag-missing", "spec §4.1.1", "A tag too few.", text.replace(";f=author", "")),
        bad("order", "spec §4.1.1", "Two tags in another order.", swapped),
        bad("upper-tag", "spec §4.1.1", "A tag in upper case.", text.replace(";t=", ";T=")),
        bad(
            "upper-fingerprint",
            "spec §4.1.1",
            "A fingerprint in upper case.",
            text.replace(&fingerprint, &fingerprint.to_uppercase()),
        ),
        bad("padding", "spec §4.1.3", "Base64url with padding.", text.replace(&signer, &(signer.clone() + "="))),
        bad("domain-case", "spec §4.1.4", "An address that is not in normal form.", text.replace(&signer, &upper)),
        bad(
            "recipient-twice",
            "spec §4.1.4",
            "A recipient twice.",
            text.replace(&recipient, &format!("{recipient},{recipient}")),
        ),
        bad(
            "leading-zero",
            "spec §4.1.5",
            "A time with a leading zero.",
            text.replace(&created, &created.replace("t=", "t=0")),
        ),
        bad(
            "time-order",
            "spec §4.1.5",
            "It expires when it is made.",
            text.replace(&format!("x={}", seal.expires), &format!("x={}", seal.created)),
        ),
        bad("comment", "spec §4.1.2", "An octet outside the grammar.", text.clone() + "(x)"),
        case("version", "spec §4.1.1", "Another version.", text.replace("v=1", "v=2"), Some("version")),
    ];
    Ok(cases.into_iter().map(Case::vector).collect())
}

#[rustfmt::skip] // one case a line
fn packets(cast: &Cast, seal: &Seal) -> Outcome<Vec<Vector>> {
    let packet = seal.signature_packet();
    let (_, body) = packet.split_at_checked(2).step("signature packet")?;
    let length = u8::try_from(body.len()).step("signature length")?;
    let with = |octets: &[u8]| flat(seal).replace(&STANDARD.encode(packet), &STANDARD.encode(octets));
    let bad = |name, says, octets: Vec<u8>| Case {
        name,
        section: "spec §4.2.3",
        says,
        value: with(&octets),
        content: CONTENT,
        certificate: cast.bob.certificate(),
        flags: "-",
        fault: Some("packet"),
    };
    let cases = vec![
        bad("old-header", "An old-format packet header.", [&[0x88, length], body].concat()),
        bad("long-length", "A length of five octets.", [&[0xc2, 0xff, 0, 0, 0, length], body].concat()),
        bad("behind", "An octet behind the packet.", [packet, &[0]].concat()),
        Case { fault: Some("signature"), ..bad("left-16", "Wrong left 16 bits.", changed_left(packet)?) },
        bad("unhashed", "A subpacket in the unhashed area.", with_unhashed(body)?),
        bad("mpi-zero", "An integer with a leading zero octet.", with_leading_zero(body)?),
        bad("s-plus-l", "S + L in place of S.", with_s_plus_l(packet)?),
    ];
    Ok(cases.into_iter().map(Case::vector).collect())
}

/// Octets of a version 4 packet before the hashed subpackets.
const BEFORE_HASHED: usize = 6;

/// Where the unhashed length stands in the packet's body.
fn unhashed_at(body: &[u8]) -> Outcome<usize> {
    let length = body.get(4..6).step("hashed length")?;
    Ok(BEFORE_HASHED
        + length
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
}

fn with_header(body: &[u8]) -> Outcome<Vec<u8>> {
    let length = u8::try_from(body.len()).step("signature length")?;
    Ok([&[0xc2, length], body].concat())
}

fn changed_left(packet: &[u8]) -> Outcome<Vec<u8>> {
    let at = 2 + unhashed_at(packet.get(2..).step("body")?)? + 2;
    let mut octets = packet.to_vec();
    *octets.get_mut(at).step("left 16 bits")? ^= 1;
    Ok(octets)
}

/// A preferred-keyserver subpacket: four octets that say nothing.
fn with_unhashed(body: &[u8]) -> Outcome<Vec<u8>> {
    let (before, rest) = body
        .split_at_checked(unhashed_at(body)?)
        .step("unhashed area")?;
    let behind = rest.get(2..).step("left 16 bits")?;
    with_header(&[before, &[0, 3, 2, 24, b'x'], behind].concat())
}

/// The first integer, R, one octet longer, with its bit count raised by 8.
fn with_leading_zero(body: &[u8]) -> Outcome<Vec<u8>> {
    let at = unhashed_at(body)? + 4;
    let (before, rest) = body.split_at_checked(at).step("integers")?;
    let (bits, value) = rest.split_at_checked(2).step("bits")?;
    let bits = bits
        .iter()
        .fold(0u16, |sum, octet| sum << 8 | u16::from(*octet))
        + 8;
    with_header(&[before, &bits.to_be_bytes(), &[0], value].concat())
}

/// The order of the Ed25519 group, least octet first (RFC 8032 §5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The last integer holds the octets of S, least first, in 32 octets: adds L to
/// them and counts its bits again.
fn with_s_plus_l(packet: &[u8]) -> Outcome<Vec<u8>> {
    let (before, s) = packet.split_last_chunk::<32>().step("S")?;
    let mut sum = *s;
    let mut carry = 0u16;
    for (octet, add) in sum.iter_mut().zip(L) {
        carry += u16::from(*octet) + u16::from(add);
        *octet = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    let (before, _) = before.split_last_chunk::<2>().step("bits of S")?;
    let bits = 256 - u16::try_from(sum[0].leading_zeros()).step("bits of S")?;
    Ok([before, &bits.to_be_bytes(), &sum].concat())
}

#[rustfmt::skip] // one case a line
fn keys(cast: &Cast, seal: &Seal) -> Outcome<Vec<Vector>> {
    let bob = cast.bob.certificate();
    let revoked = |reason, at| cast.bob.revoke(reason, at, &mut rng(40)).step("revocation");
    let compromised = revoked(RevocationReason::Compromised, NOW + DAY)?;
    let retired_after = revoked(RevocationReason::Retired, NOW + DAY)?;
    let retired_before = revoked(RevocationReason::Retired, NOW - DAY)?;
    let expired = cast.bob.expiring(Some(NOW - 1), NOW - DAY, &mut rng(41)).step("expiry")?;
    let other_bob = key("bob@example.org", 42)?;
    let case = |name, section, says, certificate, flags, fault| Case {
        name,
        section,
        says,
        value: value(seal),
        content: CONTENT,
        certificate,
        flags,
        fault,
    };
    let changed = CONTENT.replace("noon", "nine");
    let mut cases = vec![
        case("another-key", "spec §4.2.4", "The address has another key.", other_bob.certificate(), "-", Some("key")),
        case("another-signer", "spec §4.5.1", "The key is mallory's.", cast.mallory.certificate(), "-", Some("key")),
        case("compromised-later", "spec §4.10.1", "Revoked as compromised, after t.", &compromised, "-", Some("key")),
        case("retired-later", "spec §4.10.2", "Retired after t.", &retired_after, "-", None),
        case("retired-before", "spec §4.10.2", "Retired before t.", &retired_before, "-", Some("key")),
        case("expired-before", "spec §4.10.2", "Expired before t.", expired.certificate(), "-", Some("key")),
        case("flag-hard", "spec §3.5.3", "The domain says hard.", bob, "hard", Some("key")),
        case("flag-until-before", "spec §3.5.3", "Until before t.", bob, "until=1763989999", Some("key")),
        case("flag-until-after", "spec §3.5.3", "Until after t.", bob, "until=1763990001", None),
    ];
    cases
        .push(Case { content: &changed, ..case("content", "spec §4.3.1", "One word was changed.", bob, "-", Some("digest")) });
    let mut forged = seal.clone();
    forged.expires += 1;
    cases.push(Case {
        value: value(&forged),
        ..case("tag-changed", "spec §4.2.3", "One tag was changed.", bob, "-", Some("signature"))
    });
    Ok(cases.into_iter().map(Case::vector).collect())
}

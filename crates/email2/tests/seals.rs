//! Seals: grammar, canonical packet, keys at their time; and by property that
//! no octet can be changed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use email2::certificate::generate::generate;
use email2::certificate::{KeyFault, RevocationReason};
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealError, SealRequest, sign, verify};
use email2::secret::SecretKey;
use email2::{Address, Identity, KeyFlags, ReversePath, limits};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
const CONTENT: &[u8] = b"From: bob@example.org\r\nTo: alice@example.com\r\n\r\nHello\r\n";

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn bob() -> SecretKey {
    generate(
        &Identity::parse("bob@example.org").unwrap(),
        NOW - 100,
        &mut rng(1),
    )
    .unwrap()
}

fn request() -> SealRequest {
    SealRequest {
        role: Role::Author,
        signer: Identity::parse("bob@example.org").unwrap(),
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec![address("alice@example.com")],
        created: NOW,
        expires: NOW + limits::SEAL_LIFETIME,
        nonce: Nonce([7; 16]),
        digest: ContentDigest::of(CONTENT).unwrap(),
    }
}

fn sealed() -> (SecretKey, Seal) {
    let bob = bob();
    let seal = sign(&request(), &bob, &mut rng(2)).unwrap();
    (bob, seal)
}

fn value(field: &str) -> &[u8] {
    field.strip_prefix("Email2-Seal:").unwrap().as_bytes()
}

fn check(seal: &Seal, key: &SecretKey) -> Result<(), SealError> {
    verify(seal, key.certificate(), &KeyFlags::default())
}

/// The seal with another signature packet.
fn with_packet(seal: &Seal, packet: &[u8]) -> Seal {
    let text = format!(" {}{}", seal.canonical(), STANDARD.encode(packet));
    Seal::parse(text.as_bytes()).unwrap()
}

#[test]
fn comes_back_and_verifies() {
    let (bob, seal) = sealed();
    let field = seal.field();
    assert!(
        field.ends_with("\r\n") && field.lines().all(|line| line.len() <= 76),
        "{field}"
    );
    let read = Seal::parse(value(&field)).unwrap();
    assert_eq!(read, seal);
    assert_eq!(check(&read, &bob), Ok(()));
}

#[test]
fn a_stranger_did_not_seal() {
    let (_, seal) = sealed();
    let eve = generate(
        &Identity::parse("eve@example.org").unwrap(),
        NOW,
        &mut rng(3),
    )
    .unwrap();
    assert!(matches!(
        check(&seal, &eve),
        Err(SealError::Key(KeyFault::NotBound(_)))
    ));
    let false_bob = generate(&seal.signer, NOW, &mut rng(4)).unwrap();
    assert_eq!(
        check(&seal, &false_bob),
        Err(SealError::Key(KeyFault::NotASigningKey))
    );
}

#[test]
fn a_key_that_certifies_does_not_seal() {
    let (bob, seal) = sealed();
    let mut primary = seal;
    primary.key = bob.certificate().primary().clone();
    assert_eq!(
        check(&primary, &bob),
        Err(SealError::Key(KeyFault::NotASigningKey))
    );
}

#[test]
fn backdating_with_a_key_revoked_as_compromised_fails() {
    let (bob, seal) = sealed();
    let revoked = bob
        .revoke(RevocationReason::Compromised, NOW + 50, &mut rng(5))
        .unwrap();
    let known = KeyFlags::default();
    let fault = |certificate| verify(&seal, certificate, &known).unwrap_err();
    assert_eq!(fault(&revoked), SealError::Key(KeyFault::RevokedHard));
    // A soft revocation counts from its time on.
    let after = bob
        .revoke(RevocationReason::Superseded, NOW + 50, &mut rng(5))
        .unwrap();
    assert_eq!(verify(&seal, &after, &known), Ok(()));
    let before = bob
        .revoke(RevocationReason::Superseded, NOW, &mut rng(5))
        .unwrap();
    assert_eq!(fault(&before), SealError::Key(KeyFault::RevokedBefore));
}

#[test]
fn the_flags_of_the_domain_count_as_revocations() {
    let (bob, seal) = sealed();
    let with = |known: KeyFlags| verify(&seal, bob.certificate(), &known);
    let hard = KeyFlags {
        hard: true,
        ..KeyFlags::default()
    };
    assert_eq!(with(hard), Err(SealError::Key(KeyFault::RevokedHard)));
    let until = |at| KeyFlags {
        until: Some(at),
        ..KeyFlags::default()
    };
    assert_eq!(
        with(until(NOW)),
        Err(SealError::Key(KeyFault::RevokedBefore))
    );
    assert_eq!(with(until(NOW + 1)), Ok(()));
    let since = KeyFlags {
        since: Some(NOW + 999),
        ..KeyFlags::default()
    };
    assert_eq!(with(since), Ok(()), "shown, never judged");
}

#[test]
fn expiry_and_youth_are_judged_at_the_time_of_the_seal() {
    let (bob, seal) = sealed();
    let ends = |at| bob.expiring(Some(at), NOW - 50, &mut rng(6)).unwrap();
    assert_eq!(check(&seal, &ends(NOW + 1)), Ok(()));
    assert_eq!(
        check(&seal, &ends(NOW)),
        Err(SealError::Key(KeyFault::ExpiredBefore))
    );
    let young = |created| generate(&seal.signer, created, &mut rng(7)).unwrap();
    let by = |key: &SecretKey| {
        let request = SealRequest {
            created: NOW,
            ..request()
        };
        sign(&request, key, &mut rng(8)).map(|seal| check(&seal, key))
    };
    assert_eq!(by(&young(NOW + limits::KEY_AHEAD)), Ok(Ok(())));
    assert!(by(&young(NOW + limits::KEY_AHEAD + 1)).is_err());
}

#[test]
fn a_maker_keeps_the_rules() {
    let bob = bob();
    let refused = |request: SealRequest| sign(&request, &bob, &mut rng(9)).unwrap_err();
    let alice = || address("alice@example.com");
    for recipients in [
        vec![],
        vec![alice(), alice()],
        vec![alice(), address("x@example.net")],
    ] {
        assert!(matches!(
            refused(SealRequest {
                recipients,
                ..request()
            }),
            SealError::Request(_)
        ));
    }
    let long = SealRequest {
        expires: NOW + limits::SEAL_LIFETIME_MAX + 1,
        ..request()
    };
    assert!(matches!(refused(long), SealError::Request(_)));
    let path = ReversePath::parse("bob@example.net").unwrap();
    assert!(matches!(
        refused(SealRequest {
            reverse_path: path,
            ..request()
        }),
        SealError::Request(_)
    ));
    let signer = Identity::parse("ceo@example.org").unwrap();
    assert!(matches!(
        refused(SealRequest {
            signer,
            ..request()
        }),
        SealError::Key(_)
    ));
    let service = SealRequest {
        role: Role::Service,
        ..request()
    };
    assert!(matches!(refused(service), SealError::Request(_)));
}

#[test]
fn the_grammar_is_strict() {
    let (_, seal) = sealed();
    let text = format!(
        "{}{}",
        seal.canonical(),
        STANDARD.encode(seal.signature_packet())
    );
    let parse = |text: &str| Seal::parse(text.as_bytes());
    assert_eq!(parse(&text).as_ref(), Ok(&seal));
    assert_eq!(parse(&text.replace(';', ";\r\n\t ")).as_ref(), Ok(&seal));
    assert_eq!(parse(&text.replace("v=1", "v=2")), Err(SealError::Version));
    let t = format!("t={NOW}");
    let bad = [
        text.replace(&t, &format!("t=0{NOW}")),
        text.replace(&t, &format!("t={}", NOW + limits::SEAL_LIFETIME)),
        text.replace("f=author;", ""),
        text.replace("f=author", "f=Author"),
        text.replace("f=author", "F=author"),
        text.replace("f=author;", "f=author;f=author;"),
        text.replace(";k=", ";kk=;k="),
        text.replace(&seal.key.to_string(), &seal.key.to_string().to_uppercase()),
        text.replace(";r=", ";r=YWxpY2VAZXhhbXBsZS5jb20,"),
        text.replace("n=BwcH", "n=Bwc"),
        text.replace("sha-256:", "sha-1:"),
        format!("{text};"),
        format!("{text};z=1"),
        format!("{text}\r\n\r\n"),
        format!("{text}="),
        text.replace(";s=", "\r\n;s="),
        text.replace(";s=", "\u{7f};s="),
        String::new(),
    ];
    for text in bad {
        assert!(matches!(parse(&text), Err(SealError::Grammar(_))), "{text}");
    }
}

#[test]
fn addresses_must_be_in_normal_form() {
    let (_, seal) = sealed();
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let text = format!("{}AAAA", seal.canonical());
    for other in [
        "Bob@EXAMPLE.org",
        "bob@example.org ",
        "\"bob\"@example.org",
        "bob",
        "",
    ] {
        let bad = text.replace(
            &format!("s={}", encode("bob@example.org")),
            &format!("s={}", encode(other)),
        );
        assert!(Seal::parse(bad.as_bytes()).is_err(), "{other}");
    }
}

/// What libraries accept and a verifier of seals does not (spec §4.2.3).
#[test]
fn the_packet_has_one_encoding() {
    let (bob, seal) = sealed();
    let good = seal.signature_packet().to_vec();
    let body = &good[2..];
    let with = |packet: Vec<u8>| check(&with_packet(&seal, &packet), &bob);
    assert_eq!(with(good.clone()), Ok(()));
    let length = u8::try_from(body.len()).unwrap();
    let framed = |body: &[u8]| [&[0xc2, u8::try_from(body.len()).unwrap()], body].concat();
    let hashed = usize::from(body[5]);
    let mut unhashed = body[..6 + hashed].to_vec();
    unhashed.extend_from_slice(&[0, 3, 2, 101, 1]);
    unhashed.extend_from_slice(&body[8 + hashed..]);
    let mut left = good.clone();
    left[2 + 8 + hashed] ^= 1;
    let integers = 8 + hashed + 2;
    let mut zeros = body[..integers].to_vec();
    let bits = u16::from_be_bytes([body[integers], body[integers + 1]]) + 8;
    zeros.extend_from_slice(&bits.to_be_bytes());
    zeros.push(0);
    zeros.extend_from_slice(&body[integers + 2..]);
    let wrong: [(&str, Vec<u8>); 8] = [
        ("old header", [&[0x88, length], body].concat()),
        (
            "long length",
            [&[0xc2, 255, 0, 0, 0, length], body].concat(),
        ),
        ("behind it", [good.as_slice(), &[0]].concat()),
        ("two packets", good.repeat(2)),
        ("unhashed", framed(&unhashed)),
        ("zeros", framed(&zeros)),
        ("cut", good[..good.len() - 1].to_vec()),
        ("S + L", framed(&plus_order(body))),
    ];
    for (what, packet) in wrong {
        assert!(matches!(with(packet), Err(SealError::Packet(_))), "{what}");
    }
    assert_eq!(with(left), Err(SealError::Signature));
}

/// The same signature with S + L: the arithmetic does not notice. S stands at
/// the end, least octet first.
fn plus_order(body: &[u8]) -> Vec<u8> {
    let low: [u8; 16] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14,
    ];
    let order = [&low[..], &[0; 15], &[0x10]].concat();
    let (head, s) = body.split_at(body.len() - 32);
    let mut carry = 0_u16;
    let mut sum = Vec::new();
    for (a, b) in s.iter().zip(&order) {
        carry += u16::from(*a) + u16::from(*b);
        sum.push(carry.to_le_bytes()[0]);
        carry >>= 8;
    }
    let bits = 256 - u16::try_from(sum[0].leading_zeros()).unwrap();
    [&head[..head.len() - 2], &bits.to_be_bytes(), &sum].concat()
}

#[test]
fn the_folding_keeps_long_seals_within_bounds() {
    let recipients: Vec<Address> = (0..60)
        .map(|n| address(&format!("person{n}@example.com")))
        .collect();
    let seal = sign(
        &SealRequest {
            recipients,
            ..request()
        },
        &bob(),
        &mut rng(1),
    )
    .unwrap();
    let field = seal.field();
    assert!(field.len() <= limits::SEAL_OCTETS && field.lines().all(|line| line.len() <= 76));
    assert_eq!(Seal::parse(value(&field)).unwrap(), seal);
    let long = "x".repeat(60);
    let recipients = (0..100)
        .map(|n| address(&format!("{long}{n}@example.com")))
        .collect();
    assert!(matches!(
        sign(
            &SealRequest {
                recipients,
                ..request()
            },
            &bob(),
            &mut rng(1)
        ),
        Err(SealError::Request(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever one bit is changed in the field: it is another text of the same
    /// seal (white space), or it does not verify.
    #[test]
    fn no_bit_of_a_seal_can_be_changed(index in 0_usize..700, bit in 0_u8..8) {
        let (bob, seal) = sealed();
        let mut field = value(&seal.field()).to_vec();
        let index = index % field.len();
        field[index] ^= 1 << bit;
        if let Ok(changed) = Seal::parse(&field) {
            prop_assert!(changed == seal || check(&changed, &bob).is_err());
        }
    }

    #[test]
    fn no_bit_of_the_content_can_be_changed(index in 0_usize..CONTENT.len(), bit in 0_u8..8) {
        let mut content = CONTENT.to_vec();
        content[index] ^= 1 << bit;
        prop_assert_ne!(ContentDigest::of(&content), ContentDigest::of(CONTENT));
    }

    #[test]
    fn no_octets_make_a_reader_panic(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Seal::parse(&octets);
    }

    #[test]
    fn every_seal_comes_back(
        local in "[a-zA-Z0-9]{1,20}",
        count in 1_usize..20,
        nonce in any::<[u8; 16]>(),
        digest in any::<[u8; 32]>(),
        lifetime in 1..limits::SEAL_LIFETIME_MAX,
    ) {
        let recipients = (0..count).map(|n| address(&format!("{local}{n}@example.com"))).collect();
        let wanted = SealRequest {
            recipients, nonce: Nonce(nonce), digest, expires: NOW + lifetime, ..request()
        };
        let bob = bob();
        let seal = sign(&wanted, &bob, &mut rng(3)).unwrap();
        let read = Seal::parse(value(&seal.field())).unwrap();
        prop_assert_eq!(&read, &seal);
        prop_assert_eq!(check(&read, &bob), Ok(()));
    }
}

//! Certificates: generation, policy, succession and the cases from the field.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use email2::certificate::generate::{generate, generate_held};
use email2::certificate::succession::{Succession, succeed};
use email2::certificate::{Certificate, CertificateError, RevocationReason};
use email2::secret::{SecretKey, SecretKeyError};
use email2::{Identity, KeyFlags};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn who(text: &str) -> Identity {
    text.parse().unwrap()
}

fn bob() -> SecretKey {
    generate(&who("bob@example.org"), NOW, &mut rng()).unwrap()
}

fn case(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../email2-testbed/cases/");
    #[expect(clippy::disallowed_methods, reason = "a test reads its samples")]
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

#[test]
fn the_default_certificate_is_small_and_complete() {
    let key = bob();
    let certificate = key.certificate();
    assert!(certificate.binds(&who("bob@example.org")));
    assert!(!certificate.binds(&who("alice@example.org")));
    assert!(!certificate.binds(&who("@example.org")));
    assert_eq!(certificate.signing_keys().len(), 1);
    assert_eq!(certificate.encryption_keys(NOW).len(), 2);
    assert!(certificate.has_post_quantum() && !certificate.is_keyholder_server());
    assert_eq!(certificate.can_encrypt(NOW), Ok(()));
    assert_eq!(certificate.expires(), None);
    assert!(certificate.left_out().is_empty());
    let size = certificate.octets().len();
    assert!((1_700..2_300).contains(&size), "{size} octets");
    assert_eq!(
        Certificate::parse(certificate.octets()).unwrap(),
        *certificate
    );
    assert_eq!(
        Certificate::parse_armored(&certificate.armored()).unwrap(),
        *certificate
    );
}

#[test]
fn the_service_certificate_signs_only() {
    let key = generate(&who("@example.org"), NOW, &mut rng()).unwrap();
    let certificate = key.certificate();
    assert!(certificate.binds(&who("@example.org")));
    assert!(certificate.is_keyholder_server());
    assert_eq!(
        certificate.can_encrypt(NOW),
        Err(CertificateError::NoEncryptionKey)
    );
}

/// spec §13.2.2
#[test]
fn a_key_that_a_server_holds_for_a_person_says_so_and_signs_only() {
    let bob = "bob@example.org".parse().unwrap();
    let held = generate_held(&bob, NOW, &mut rng()).unwrap();
    let certificate = held.certificate();
    assert!(certificate.binds(&who("bob@example.org")));
    assert!(certificate.is_keyholder_server() && certificate.is_held_for_signing());
    assert_eq!(certificate.signing_keys().len(), 1);
    assert_eq!(
        certificate.can_encrypt(NOW),
        Err(CertificateError::NoEncryptionKey)
    );
    assert!(held.signing_key(NOW).is_ok());
    assert!(!self::bob().certificate().is_held_for_signing());
}

#[test]
fn the_etag_covers_octets_and_flags() {
    let key = bob();
    let flags = KeyFlags {
        hard: true,
        ..KeyFlags::default()
    };
    assert_ne!(
        key.certificate().etag(),
        key.certificate().etag_with(&flags)
    );
    assert_eq!(key.certificate().etag().as_str().len(), 64);
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let key = bob();
    let locked = key.lock(b"correct horse", &mut rng()).unwrap();
    let wrong = SecretKey::unlock(&locked, Some(b"wrong")).map(|_| ());
    assert_eq!(wrong, Err(SecretKeyError::WrongPassphrase));
    assert_eq!(
        SecretKey::unlock(&locked, None).map(|_| ()),
        Err(SecretKeyError::Locked)
    );
    let open = SecretKey::unlock(&locked, Some(b"correct horse")).unwrap();
    assert_eq!(open.certificate(), key.certificate());
    assert_eq!(open.to_octets(), key.to_octets());
    assert_eq!(
        SecretKey::unlock(&key.to_octets(), None)
            .unwrap()
            .to_octets(),
        key.to_octets()
    );
}

#[test]
fn a_secret_key_is_not_shown() {
    assert!(format!("{:?}", bob()).ends_with("redacted)"));
}

#[test]
fn revocations_are_kept_for_good() {
    let key = bob();
    let revoked = key
        .revoke(RevocationReason::Compromised, NOW + 5, &mut rng())
        .unwrap();
    let revocation = revoked.revocation().unwrap();
    assert!(revocation.hard && revocation.at == NOW + 5);
    assert!(matches!(
        revoked.can_encrypt(NOW),
        Err(CertificateError::Revoked(_))
    ));
    let Succession::Merged(merged) = succeed(key.certificate(), &revoked).unwrap() else {
        panic!()
    };
    assert_eq!(merged.revocation(), Some(revocation));
    assert_eq!(
        succeed(&merged, key.certificate()).unwrap(),
        Succession::Same
    );
}

#[test]
fn an_end_can_be_set_and_taken_away() {
    let key = bob();
    let ends = key.expiring(Some(NOW + 100), NOW + 1, &mut rng()).unwrap();
    assert_eq!(ends.certificate().expires(), Some(NOW + 100));
    assert_eq!(
        ends.certificate().can_encrypt(NOW + 100),
        Err(CertificateError::Expired(NOW + 100))
    );
    let endless = ends.expiring(None, NOW + 2, &mut rng()).unwrap();
    assert_eq!(endless.certificate().expires(), None);
    let Succession::Merged(merged) = succeed(ends.certificate(), endless.certificate()).unwrap()
    else {
        panic!()
    };
    assert_eq!(merged.expires(), None);
    assert_eq!(
        key.expiring(Some(NOW), NOW, &mut rng()).map(|_| ()),
        Err(SecretKeyError::Ended)
    );
}

#[test]
fn a_new_primary_needs_a_transition() {
    let (old, other) = (
        bob(),
        generate(
            &who("bob@example.org"),
            NOW + 9,
            &mut ChaCha20Rng::seed_from_u64(8),
        )
        .unwrap(),
    );
    assert_eq!(
        succeed(old.certificate(), other.certificate()).unwrap(),
        Succession::New
    );
    let linked = old
        .transition_to(other.certificate(), NOW + 9, &mut rng())
        .unwrap();
    let again = Certificate::parse(linked.octets()).unwrap();
    assert_eq!(again, linked);
    assert_eq!(
        succeed(old.certificate(), &again).unwrap(),
        Succession::Transition(linked.clone())
    );
    // A stranger's key cannot name a successor, and neither can a lost one.
    let eve = generate(
        &who("bob@example.org"),
        NOW,
        &mut ChaCha20Rng::seed_from_u64(9),
    )
    .unwrap();
    assert_eq!(succeed(eve.certificate(), &again).unwrap(), Succession::New);
    let lost = old
        .revoke(RevocationReason::Compromised, NOW + 50, &mut rng())
        .unwrap();
    assert_eq!(succeed(&lost, &again).unwrap(), Succession::New);
    let superseded = old
        .revoke(RevocationReason::Superseded, NOW + 9, &mut rng())
        .unwrap();
    assert!(matches!(
        succeed(&superseded, &again).unwrap(),
        Succession::Transition(_)
    ));
}

#[test]
fn the_form_served_carries_one_user_id() {
    let key = bob();
    let reduced = key
        .certificate()
        .reduced_to(&who("bob@example.org"))
        .unwrap();
    assert_eq!(reduced.user_ids(), ["bob@example.org"]);
    assert!(
        key.certificate()
            .reduced_to(&who("eve@example.org"))
            .is_none()
    );
}

/// K02: a User ID whose certification holds a critical unknown subpacket is not
/// bound, the others are, and the owner is told which and why.
#[test]
fn k02_critical_subpacket() {
    let certificate = Certificate::parse_armored(&case("K02-critical-subpacket.txt")).unwrap();
    assert!(certificate.binds(&who("carol@example.com")));
    assert!(certificate.binds(&who("carol.three@example.com")));
    assert!(!certificate.binds(&who("carol.two@example.com")));
    let left_out = certificate.left_out();
    assert!(
        left_out
            .iter()
            .any(|l| l.part.contains("carol.two") && l.why.contains("critical")),
        "{left_out:?}"
    );
}

/// K07: third-party certifications are stripped before the size is judged.
#[test]
fn k07_flooded() {
    let certificate = Certificate::parse_armored(&case("K07-flooded.txt")).unwrap();
    assert!(certificate.binds(&who("frank@example.org")));
    assert!(
        certificate.octets().len() < 1_000,
        "{}",
        certificate.octets().len()
    );
}

/// K08: an expired copy and the extended one are one certificate.
#[test]
fn k08_expired_and_extended() {
    let expired = Certificate::parse_armored(&case("K08-expired.txt")).unwrap();
    let extended = Certificate::parse_armored(&case("K08-extended.txt")).unwrap();
    assert!(matches!(
        expired.can_encrypt(NOW),
        Err(CertificateError::Expired(_))
    ));
    assert_ne!(expired.etag(), extended.etag());
    let Succession::Merged(merged) = succeed(&expired, &extended).unwrap() else {
        panic!()
    };
    let renewed_at = 1_769_900_000;
    assert_eq!(merged.can_encrypt(renewed_at), Ok(()));
    assert_eq!(succeed(&merged, &expired).unwrap(), Succession::Same);
}

/// K12: the revoked and the new certificate come together; the revocation stays.
#[test]
fn k12_revoked_and_new() {
    let text = case("K12-revoked-and-new.txt");
    assert_eq!(
        Certificate::parse_armored(&text),
        Err(CertificateError::Several)
    );
    let both = Certificate::parse_all(text.as_bytes()).unwrap();
    let [revoked, new] = both.as_slice() else {
        panic!("{} certificates", both.len())
    };
    let revocation = revoked.revocation().unwrap();
    assert!(!revocation.hard && revocation.reason == RevocationReason::Superseded);
    assert_eq!(new.revocation(), None);
    assert_eq!(succeed(revoked, new).unwrap(), Succession::New);
}

#[test]
fn hostile_octets_are_refused_and_never_panic() {
    let small_stack = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let run = small_stack.spawn(|| {
        let nested: Vec<u8> = [0xc8, 0xff, 0, 0, 0, 1].repeat(4_000);
        assert!(Certificate::parse(&nested).is_err());
        assert!(SecretKey::unlock(&nested, None).is_err());
        let good = bob().certificate().octets().to_vec();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1 << (index % 8);
            let _ = Certificate::parse(&bad);
            let _ = Certificate::parse(&good[..index]);
        }
    });
    run.unwrap().join().unwrap();
}

//! Seals and content by every algorithm that is accepted (spec §6.2), with keys that the OpenPGP
//! library and GnuPG made, not our own generator; and what the life of a key does to them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "GnuPG reads and writes files in a home of its own"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use email2::certificate::generate::generate;
use email2::certificate::{Certificate, KeyFault, RevocationReason, comparison};
use email2::content::{Container, Mode, OuterTo, Protect, protect};
use email2::seal::{Nonce, Role, Seal, SealError, SealRequest, sign, verify};
use email2::secret::{SecretKey, SecretKeyError, armored};
use email2::{Address, Fingerprint, Identity, KeyFlags, ReversePath};
use pgp::composed::{EncryptionCaps, KeyType, SecretKeyParamsBuilder, SubkeyParamsBuilder};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::ser::Serialize;
use pgp::types::KeyVersion;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
/// Later than the clock of whoever made a key here.
const LATER: u64 = 4_000_000_000;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

fn bob() -> Identity {
    "bob@example.org".parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn request(at: u64) -> SealRequest {
    SealRequest {
        role: Role::Author,
        signer: bob(),
        reverse_path: ReversePath::Address(address("bob@example.org")),
        recipients: vec![address("alice@example.com")],
        created: at,
        expires: at + 864_000,
        nonce: Nonce([7; 16]),
        digest: [9; 32],
    }
}

fn seal_by(key: &SecretKey, at: u64) -> Seal {
    sign(&request(at), key, &mut rng()).unwrap()
}

/// A seal by this key holds, and with one bit of the digest changed it does not.
fn must_seal(key: &SecretKey, at: u64) {
    let seal = seal_by(key, at);
    let flags = KeyFlags::default();
    assert_eq!(verify(&seal, key.certificate(), &flags), Ok(()));
    let mut value = seal.field();
    value.retain(|c| !c.is_ascii_whitespace());
    let value = value.strip_prefix("Email2-Seal:").unwrap();
    let from = value.find("h=sha-256:").unwrap() + "h=sha-256:".len();
    let mut forged = value.as_bytes().to_vec();
    forged[from] = if forged[from] == b'A' { b'B' } else { b'A' };
    let forged = Seal::parse(&forged).unwrap();
    let refused = verify(&forged, key.certificate(), &flags);
    assert_eq!(refused, Err(SealError::Signature));
}

/// What another program stores and gives back is the same key.
fn made(kind: KeyType, encrypts: KeyType, version: KeyVersion) -> SecretKey {
    let subkey = SubkeyParamsBuilder::default()
        .version(version)
        .key_type(encrypts)
        .can_encrypt(EncryptionCaps::All)
        .build()
        .unwrap();
    let params = SecretKeyParamsBuilder::default()
        .version(version)
        .key_type(kind)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("Bob <bob@example.org>".to_owned())
        .subkeys(vec![subkey])
        .build()
        .unwrap();
    let octets = params.generate(rng()).unwrap().to_bytes().unwrap();
    let key = SecretKey::unlock(&octets, None).unwrap();
    assert!(key.certificate().binds(&bob()));
    assert_eq!(key.certificate().left_out(), []);
    assert_eq!(key.certificate().can_encrypt(LATER), Ok(()));
    let locked = key.lock(b"ours", &mut rng()).unwrap();
    SecretKey::unlock(&locked, Some(b"ours")).unwrap()
}

#[test]
fn a_version_6_key_of_ed25519_seals() {
    let key = made(KeyType::Ed25519, KeyType::X25519, KeyVersion::V6);
    assert_eq!(key.certificate().version(), 6);
    assert_eq!(key.certificate().primary().as_bytes().len(), 32);
    must_seal(&key, LATER);
    let second = key.for_device(LATER, &mut rng()).unwrap();
    assert_eq!(second.certificate().signing_keys().len(), 2);
    must_seal(&second, LATER + 1);
}

/// The hash of a seal is SHA-256 (spec §4.2), which is too short for P-384 (spec §6.2): such a key
/// certifies, and a device's own subkey seals.
#[test]
fn a_key_of_ecdsa_p256_seals_and_one_of_p384_by_a_subkey_of_its_own() {
    let made = |curve: ECCCurve| {
        let signs = KeyType::ECDSA(curve.clone());
        made(signs, KeyType::ECDH(curve), KeyVersion::V4)
    };
    must_seal(&made(ECCCurve::P256), LATER);
    let long = made(ECCCurve::P384);
    assert_eq!(
        sign(&request(LATER), &long, &mut rng()).unwrap_err(),
        SealError::Request("the key refused to sign")
    );
    must_seal(&long.able_to_seal(LATER, &mut rng()).unwrap(), LATER + 1);
    let short = made(ECCCurve::P256);
    let same = short.clone().able_to_seal(LATER, &mut rng()).unwrap();
    assert_eq!(same.certificate(), short.certificate(), "it can already");
}

#[test]
fn a_key_of_rsa_3072_seals_and_one_of_2048_is_refused() {
    let key = made(KeyType::Rsa(3072), KeyType::Rsa(3072), KeyVersion::V4);
    must_seal(&key, LATER);
    let weak = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Rsa(2048))
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("bob@example.org".to_owned())
        .build()
        .unwrap();
    let octets = weak.generate(rng()).unwrap().to_bytes().unwrap();
    let refused = SecretKey::unlock(&octets, None).unwrap_err();
    assert!(
        refused.to_string().contains("algorithm is not accepted"),
        "{refused}"
    );
}

/// GnuPG in a home of its own; `None`, with a note, when it is not installed.
struct Gpg(PathBuf);

impl Gpg {
    fn new(test: &str) -> Option<Gpg> {
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("skipped: gpg is not installed");
            return None;
        }
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).unwrap();
        let chmod = Command::new("chmod").arg("700").arg(&home).status();
        assert!(chmod.unwrap().success());
        Some(Gpg(home))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let fixed = ["--batch", "--no-tty", "--status-fd", "2"];
        let passphrase = ["--pinentry-mode", "loopback", "--passphrase", "words"];
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(&self.0);
        gpg.args(fixed).args(passphrase).args(arguments);
        gpg.output().unwrap()
    }

    fn write(&self, name: &str, octets: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut stop = Command::new("gpgconf");
        let _ = stop.arg("--homedir").arg(&self.0).args(["--kill", "all"]);
        let _ = stop.output();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn keys_that_gnupg_made_seal() {
    let Some(gpg) = Gpg::new("gpg-algorithms") else {
        return;
    };
    for kind in ["rsa3072", "nistp256"] {
        let user = format!("{kind} <bob@example.org>");
        let generated = gpg.run(&["--quick-generate-key", &user, kind, "cert,sign", "never"]);
        assert!(generated.status.success(), "{}", said(&generated));
        let exported = gpg.run(&["--armor", "--export-secret-keys", kind]);
        let key = SecretKey::unlock(&exported.stdout, Some(b"words")).unwrap();
        assert!(key.certificate().binds(&bob()), "{kind}");
        must_seal(&key, LATER);
    }
}

/// The text of a PGP/MIME message's ciphertext.
fn ciphertext(message: &[u8]) -> String {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let from = text.find("-----BEGIN PGP MESSAGE-----").unwrap();
    let end = "-----END PGP MESSAGE-----";
    let to = text.find(end).unwrap() + end.len();
    format!("{}\n", text.get(from..to).unwrap())
}

/// spec §6.10: GnuPG imports what is exported for it, opens a message that was encrypted to it,
/// and what comes back loses nothing.
#[test]
fn gnupg_opens_a_message_of_ours_with_the_key_exported_for_it() {
    let Some(gpg) = Gpg::new("gpg-classic") else {
        return;
    };
    let alice: Identity = "alice@example.com".parse().unwrap();
    let key = generate(&alice, NOW, &mut rng()).unwrap();
    let noted = key.for_classic_reader(NOW + 1, &mut rng()).unwrap();
    assert!(noted.certificate().is_classic_reader());
    let locked = noted.lock_classic(b"words", &mut rng()).unwrap();
    let file = gpg.write("secret.asc", armored(&locked).as_bytes());
    let imported = said(&gpg.run(&["--import", &file]));
    assert!(imported.contains("IMPORT_OK 17"), "{imported}");

    let author = generate(&bob(), NOW, &mut ChaCha20Rng::seed_from_u64(14)).unwrap();
    let to = [noted.certificate().clone()];
    let audience = &email2::content::audiences(&to, NOW + 2)[0];
    assert!(!audience.post_quantum);
    assert_eq!(audience.container, Container::V1);
    let request = Protect {
        message: b"From: bob@example.org\r\nSubject: a secret\r\n\r\nHello.\r\n",
        author: &author,
        from: &address("bob@example.org"),
        mode: Mode::Encrypt {
            to: &to,
            also_self: false,
            container: audience.container,
        },
        outer_to: OuterTo::Hidden,
        outside: &[],
        now: NOW + 2,
    };
    let message = protect(&request, &mut rng()).unwrap();
    let file = gpg.write("message.asc", ciphertext(&message).as_bytes());
    let opened = gpg.run(&["--decrypt", &file]);
    let text = String::from_utf8_lossy(&opened.stdout).into_owned();
    assert!(
        text.contains("Subject: a secret"),
        "{text}{}",
        said(&opened)
    );

    // spec §6.10.1
    let exported = gpg.run(&["--export-secret-keys"]);
    let back = SecretKey::unlock(&exported.stdout, Some(b"words")).unwrap();
    assert!(!back.certificate().has_post_quantum());
    let joined = noted.joined(&back).unwrap();
    assert_eq!(joined.to_octets(), noted.to_octets());
    assert_eq!(joined.certificate(), noted.certificate());
}

/// spec §6.9.1
#[test]
fn each_device_seals_by_a_subkey_of_its_own_and_one_is_revoked_alone() {
    let first = generate(&bob(), NOW, &mut rng()).unwrap();
    let mut other = ChaCha20Rng::seed_from_u64(12);
    let second = first.for_device(NOW + 10, &mut other).unwrap();
    let (lost, kept) = (
        second.signing_key(NOW + 20).unwrap(),
        first.signing_key(NOW + 20).unwrap(),
    );
    assert_ne!(lost, kept);
    assert_eq!(
        second.certificate().primary(),
        first.certificate().primary()
    );
    assert_eq!(second.certificate().signing_keys().len(), 2);
    let whole = second.certificate().clone();
    let first = first.with_certificate(whole).unwrap();
    assert_eq!(
        first.signing_key(NOW + 20).unwrap(),
        kept,
        "it has no other"
    );
    must_seal(&first, NOW + 20);
    must_seal(&second, NOW + 20);

    let reason = RevocationReason::Compromised;
    let revoked = first.revoke_subkey(&lost, reason, NOW + 30, &mut rng());
    let revoked = revoked.unwrap();
    assert_eq!(revoked.revocation(), None, "the primary key stands");
    let flags = KeyFlags::default();
    let refused = verify(&seal_by(&second, NOW + 20), &revoked, &flags);
    assert_eq!(refused, Err(SealError::Key(KeyFault::RevokedHard)));
    assert_eq!(verify(&seal_by(&first, NOW + 20), &revoked, &flags), Ok(()));
    let nobodys = Fingerprint::from_bytes(&[1; 20]).unwrap();
    let none = first.revoke_subkey(&nobodys, reason, NOW, &mut rng());
    assert_eq!(none.unwrap_err(), SecretKeyError::Another);
}

/// spec §6.11
#[test]
fn both_sides_compare_one_code_that_survives_new_subkeys() {
    let alice: Identity = "alice@example.com".parse().unwrap();
    let (a, b) = (
        generate(&alice, NOW, &mut rng()).unwrap(),
        generate(&bob(), NOW, &mut ChaCha20Rng::seed_from_u64(14)).unwrap(),
    );
    let code = |a: &Certificate, b: &Certificate| {
        comparison::code((&alice, a.primary()), (&bob(), b.primary()))
    };
    let ours = code(a.certificate(), b.certificate());
    let (hers, his) = (a.certificate().primary(), b.certificate().primary());
    let theirs = comparison::code((&bob(), his), (&alice, hers));
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 35, "{ours}");
    let renewed = b.for_device(NOW + 1, &mut rng()).unwrap();
    assert_eq!(code(a.certificate(), renewed.certificate()), ours);
    let mut other = ChaCha20Rng::seed_from_u64(13);
    let false_key = generate(&bob(), NOW, &mut other).unwrap();
    assert_ne!(code(a.certificate(), false_key.certificate()), ours);
}

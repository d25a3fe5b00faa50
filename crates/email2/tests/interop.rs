//! What other people's OpenPGP programs make of our certificates and seals, and
//! we of their keys. Skipped, with a note, where they are not installed
//! (Debian: `gnupg`, `sq`).

#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(
    clippy::disallowed_methods,
    reason = "the other programs read and write files"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use email2::capability::SEAL_NOTATION;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::seal::{Nonce, Role, Seal, SealRequest, sign, verify};
use email2::secret::SecretKey;
use email2::{Identity, KeyFlags, ReversePath};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;

/// A directory of its own for each test, and for GnuPG a home in it.
struct Place(PathBuf);

impl Place {
    /// `None`, with a note, when the program is not installed.
    fn with(program: &str, test: &str) -> Option<Self> {
        if Command::new(program).arg("--version").output().is_err() {
            println!("skipped: {program} is not installed");
            return None;
        }
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        restrict(&path);
        Some(Self(path))
    }

    fn write(&self, name: &str, octets: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn gpg(&self, arguments: &[&str]) -> Output {
        let home = self.0.to_str().unwrap();
        let fixed = ["--homedir", home, "--batch", "--no-tty", "--status-fd", "1"];
        let mut command = Command::new("gpg");
        command.args(fixed).args(arguments).output().unwrap()
    }

    /// The three files that a program verifies a seal with.
    fn seal_files(&self, seal: &Seal, key: &SecretKey) -> [String; 3] {
        [
            self.write("certificate.pgp", key.certificate().octets()),
            self.write("seal.sig", seal.signature_packet()),
            self.write("signed", &seal.signed_octets()),
        ]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let home = self.0.to_str().unwrap_or_default();
        let _ = Command::new("gpgconf")
            .args(["--homedir", home, "--kill", "all"])
            .output();
    }
}

#[cfg(unix)]
fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_path: &std::path::Path) {}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(3)
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn bob() -> Identity {
    "bob@example.org".parse().unwrap()
}

fn seal_at(created: u64, key: &SecretKey) -> Seal {
    let request = SealRequest {
        role: Role::Author,
        signer: bob(),
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec!["alice@example.com".parse().unwrap()],
        created,
        expires: created + 60,
        nonce: Nonce([1; 16]),
        digest: [2; 32],
    };
    sign(&request, key, &mut rng()).unwrap()
}

#[test]
fn gnupg_takes_the_default_certificate() {
    let Some(place) = Place::with("gpg", "gnupg-certificate") else {
        return;
    };
    let key = generate(&bob(), NOW, &mut rng()).unwrap();
    let file = place.write("certificate.asc", key.certificate().armored().as_bytes());
    let imported = place.gpg(&["--import", &file]);
    assert!(
        text(&imported).contains("IMPORT_OK 1"),
        "{}",
        text(&imported)
    );
    let listed = text(&place.gpg(&["--with-colons", "--list-keys", "bob@example.org"]));
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("pub:") && line.contains(":22:"))
    );
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("sub:") && line.contains(":18:"))
    );
    assert!(listed.contains("bob@example.org"), "{listed}");
}

#[test]
fn gnupg_verifies_the_arithmetic_of_a_seal() {
    let Some(place) = Place::with("gpg", "gnupg-seal") else {
        return;
    };
    let key = generate(&bob(), NOW, &mut rng()).unwrap();
    let [certificate, signature, signed] = place.seal_files(&seal_at(NOW + 1, &key), &key);
    place.gpg(&["--import", &certificate]);
    let known = [
        "--known-notation",
        SEAL_NOTATION,
        "--verify",
        &signature,
        &signed,
    ];
    let output = place.gpg(&known);
    assert!(
        output.status.success() && text(&output).contains("GOODSIG"),
        "{}",
        text(&output)
    );
    // Without the notation it is no seal, and GnuPG says so.
    let output = place.gpg(&["--verify", &signature, &signed]);
    assert!(
        !output.status.success() && !text(&output).contains("GOODSIG"),
        "{}",
        text(&output)
    );
}

/// The options are those of sq 0.27 (Debian 12).
#[test]
fn sq_verifies_the_arithmetic_of_a_seal() {
    let Some(place) = Place::with("sq", "sq-seal") else {
        return;
    };
    let key = generate(&bob(), NOW, &mut rng()).unwrap();
    let [certificate, signature, signed] = place.seal_files(&seal_at(NOW + 1, &key), &key);
    let verify = |notation: &[&str]| {
        let arguments = [
            "verify",
            "--signer-cert",
            &certificate,
            "--detached",
            &signature,
            &signed,
        ];
        Command::new("sq")
            .args(notation)
            .args(arguments)
            .output()
            .unwrap()
    };
    let output = verify(&["--known-notation", SEAL_NOTATION]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!verify(&[]).status.success());
}

/// A key that GnuPG made and exported, locked in its way, seals with us.
#[test]
fn a_key_exported_by_gnupg_seals() {
    let Some(place) = Place::with("gpg", "gnupg-export") else {
        return;
    };
    let passphrase = [
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "correct horse",
    ];
    let with = |arguments: &[&str]| place.gpg(&[&passphrase[..], arguments].concat());
    let user = "Bob <bob@example.org>";
    let made = with(&[
        "--quick-generate-key",
        user,
        "ed25519",
        "cert,sign",
        "never",
    ]);
    assert!(made.status.success(), "{}", text(&made));
    let file = place.0.join("secret.asc");
    let out = file.to_str().unwrap();
    with(&[
        "--armor",
        "--output",
        out,
        "--export-secret-keys",
        "bob@example.org",
    ]);
    let armored = std::fs::read(&file).unwrap();
    let locked = SecretKey::unlock(&armored, None).map(|_| ());
    assert_eq!(locked, Err(email2::secret::SecretKeyError::Locked));
    let key = SecretKey::unlock(&armored, Some(b"correct horse")).unwrap();
    assert!(key.certificate().binds(&bob()));
    // GnuPG dates keys by its own clock; a seal of far later is by the same key.
    let seal = seal_at(4_000_000_000, &key);
    assert_eq!(
        verify(&seal, key.certificate(), &KeyFlags::default()),
        Ok(())
    );
    let ours = key.lock(b"ours", &mut rng()).unwrap();
    let again = SecretKey::unlock(&ours, Some(b"ours")).unwrap();
    assert_eq!(again.certificate(), key.certificate());
}

/// What we unlock for export, GnuPG takes as its own (without the key that it
/// does not know).
#[test]
fn gnupg_takes_a_service_key() {
    let Some(place) = Place::with("gpg", "gnupg-secret") else {
        return;
    };
    let key = generate(&"@example.org".parse().unwrap(), NOW, &mut rng()).unwrap();
    let file = place.write("secret.pgp", &key.to_octets());
    let imported = text(&place.gpg(&["--import", &file]));
    assert!(imported.contains("IMPORT_OK 17"), "{imported}");
    assert_eq!(
        Certificate::parse(key.certificate().octets()).unwrap(),
        *key.certificate()
    );
}

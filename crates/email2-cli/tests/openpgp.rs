//! Other people's OpenPGP programs read what `email2` made, and `email2` what they made: GnuPG,
//! Sequoia, OpenPGP.js and the library inside Thunderbird. One that is not installed is skipped,
//! with a line on standard error. How GnuPG and Thunderbird use an exported secret key is in
//! `processes/keys.rs` and `processes/thunderbird.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use email2::certificate::generate::generate;
use email2::secret::SecretKey;
use email2_client::World;
use email2_client::config::Config;
use serde_json::Value;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.org";
const TEXT: &str = "The bridge, at noon.";
/// Where Debian's Thunderbird keeps its own OpenPGP library.
const LIBRNP: &str = "/usr/lib/thunderbird/librnp.so";

/// A message as its author wrote it.
fn written(from: &str, to: &str) -> String {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: The bridge\r\n\
         Date: Thu, 26 Nov 2026 20:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{TEXT}\r\n"
    )
}

/// A folder with bob's key, made by us: secret and certificate, binary.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// `None`, with a line, when one of the programs is not there.
    fn with(programs: &[&str]) -> Option<Place> {
        let missing = programs.iter().find(|program| !installed(program));
        if let Some(program) = missing {
            eprintln!("skipped: {program} is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder };
        std::fs::create_dir(place.path("gnupg")).unwrap();
        restrict(&place.path("gnupg"));
        let world = World::real(&Config::default().network).unwrap();
        let bob = BOB.parse().unwrap();
        let made = generate(&bob, world.now() - 10, &mut world.rng());
        let key: SecretKey = made.unwrap();
        place.file("bob.sec", &key.to_octets());
        place.file("bob.pub", key.certificate().octets());
        place.file("to-alice.eml", written(BOB, ALICE).as_bytes());
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    fn text(&self, name: &str) -> String {
        let octets = std::fs::read(self.path(name)).unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// A program in this folder.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("EMAIL2_HOME", self.path("home"))
            .env("NODE_MODULES", modules().join(".."))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// `email2 tool …`; what it prints.
    fn tool(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.command(env!("CARGO_BIN_EXE_email2"));
        let output = command.arg("tool").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", all(&output));
        output.stdout
    }

    /// What `email2 tool unprotect` says of a message.
    fn opened(&self, file: &str, key: &str, author: &str) -> Value {
        let options = ["--json", "--key", key, "--author", author, file];
        let printed = self.tool(&[&["unprotect"][..], &options].concat());
        let printed: Value = serde_json::from_slice(&printed).unwrap();
        printed.get("data").unwrap().clone()
    }

    fn gpg(&self, arguments: &[&str]) -> Output {
        let home = self.path("gnupg");
        let mut command = self.command("gpg");
        command
            .args(["--batch", "--no-tty", "--yes", "--status-fd", "1"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--trust-model", "always", "--homedir"])
            .arg(home)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Alice's key, made by GnuPG: `alice.sec` and `alice.pub`.
    fn alice_of_gnupg(&self) {
        let user = format!("Alice <{ALICE}>");
        good(self.gpg(&[
            "--quick-generate-key",
            &user,
            "ed25519",
            "cert,sign",
            "never",
        ]));
        let listed = all(&self.gpg(&["--with-colons", "--list-keys", ALICE]));
        let fingerprint = listed.lines().find(|line| line.starts_with("fpr:"));
        let fingerprint = fingerprint.unwrap().split(':').nth(9).unwrap();
        good(self.gpg(&["--quick-add-key", fingerprint, "cv25519", "encr", "never"]));
        good(self.gpg(&["--output", "alice.pub", "--export", ALICE]));
        good(self.gpg(&["--output", "alice.sec", "--export-secret-keys", ALICE]));
        good(self.gpg(&["--import", "bob.pub"]));
    }

    /// A message of bob's, signed: the part and its signature are files of their own.
    fn signed_by_bob(&self) {
        let signed = self.tool(&["protect", "--key", "bob.sec", "to-alice.eml"]);
        self.file("signed.eml", &signed);
        let signed = String::from_utf8(signed).unwrap();
        let boundary = signed.split("boundary=\"").nth(1).unwrap();
        let boundary = format!("\r\n--{}", boundary.split('"').next().unwrap());
        let mut parts = signed.split(&boundary).skip(1);
        let part = parts.next().unwrap().strip_prefix("\r\n").unwrap();
        assert!(part.contains("Subject: The bridge\r\n") && part.contains(TEXT));
        let signature = parts.next().unwrap().split("\r\n\r\n").skip(1);
        self.file("part", part.as_bytes());
        let signature: Vec<&str> = signature.collect();
        self.file("part.sig", signature.join("\r\n\r\n").as_bytes());
    }

    /// A message of bob's, signed and encrypted to a certificate: the OpenPGP message.
    fn encrypted_by_bob(&self, to: &str) {
        let options = ["--key", "bob.sec", "--recipient", to, "to-alice.eml"];
        let encrypted = self.tool(&[&["protect"][..], &options].concat());
        let encrypted = String::from_utf8(encrypted).unwrap();
        assert!(encrypted.contains("\r\nSubject: [...]\r\n"), "{encrypted}");
        let begin = encrypted.find("-----BEGIN PGP MESSAGE").unwrap();
        let end = encrypted.find("-----END PGP MESSAGE-----").unwrap();
        let message = encrypted.get(begin..end).unwrap();
        let message = format!("{message}-----END PGP MESSAGE-----\r\n");
        self.file("message.asc", message.as_bytes());
    }

    /// The part that another program is to sign, with the header in it (RFC 9788).
    fn part_by_alice(&self, hp: &str) -> String {
        let part = written(ALICE, BOB);
        let content = "Content-Type: text/plain; charset=utf-8";
        let part = part.replace(content, &format!("{content}; hp=\"{hp}\""));
        self.file("part", part.as_bytes());
        part
    }

    /// PGP/MIME (RFC 3156 §5) around a part and the signature that a program printed.
    fn signed_message(&self, part: &str, signature: &str) {
        let header = written(ALICE, BOB);
        let (header, _) = header.split_once("Content-Type").unwrap();
        let signature = signature.replace("\r\n", "\n").replace('\n', "\r\n");
        let message = format!(
            "{header}Content-Type: multipart/signed; boundary=b; micalg=pgp-sha512;\r\n \
             protocol=\"application/pgp-signature\"\r\n\r\n--b\r\n{part}\r\n--b\r\n\
             Content-Type: application/pgp-signature\r\n\r\n{signature}\r\n--b--\r\n"
        );
        self.file("from-alice.eml", message.as_bytes());
    }

    /// PGP/MIME (RFC 3156 §4) around an OpenPGP message.
    fn encrypted_message(&self, encrypted: &str) {
        let header = written(ALICE, BOB).replace("The bridge", "...");
        let (header, _) = header.split_once("Content-Type").unwrap();
        let encrypted = encrypted.replace("\r\n", "\n").replace('\n', "\r\n");
        let message = format!(
            "{header}Content-Type: multipart/encrypted; boundary=b;\r\n \
             protocol=\"application/pgp-encrypted\"\r\n\r\n--b\r\n\
             Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\n\
             Content-Type: application/octet-stream\r\n\r\n{encrypted}\r\n--b--\r\n"
        );
        self.file("from-alice.eml", message.as_bytes());
    }

    /// Alice's message in `from-alice.eml` is hers to bob.
    fn bob_reads_alice(&self, encrypted: bool) {
        let opened = self.opened("from-alice.eml", "bob.sec", "alice.pub");
        let message = opened["message"].as_str().unwrap();
        assert!(message.contains("Subject: The bridge\r\n"), "{opened}");
        assert!(message.contains(TEXT), "{opened}");
        assert_eq!(opened["encrypted"], encrypted, "{opened}");
        let standing = opened["standing"].as_str().unwrap();
        assert!(
            standing.starts_with("signed by alice@example.com"),
            "{opened}"
        );
        // One letter of the text more, and it is nobody's.
        if !encrypted {
            let changed = self.text("from-alice.eml").replace("at noon", "at  noon");
            self.file("changed.eml", changed.as_bytes());
            let opened = self.opened("changed.eml", "bob.sec", "alice.pub");
            let standing = opened["standing"].as_str().unwrap();
            assert!(!standing.starts_with("signed by"), "{opened}");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let home = self.path("gnupg");
        // Where there is no GnuPG, no agent has to be stopped.
        let _ = command
            .arg("--homedir")
            .arg(home)
            .args(["--kill", "all"])
            .output();
    }
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn installed(program: &str) -> bool {
    match program {
        "librnp" => Path::new(LIBRNP).exists() && installed("python3"),
        "openpgp.js" => modules().join("openpgp").exists() && installed("node"),
        program => {
            let mut command = Command::new("sh");
            let command = command.args(["-c", "command -v \"$0\"", program]);
            let found = command.stdout(Stdio::null()).status();
            found.unwrap().success()
        }
    }
}

/// Where `scripts/test` puts packages of npm.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../npm/node_modules")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

fn all(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// What a program printed that went well.
fn good(output: Output) -> String {
    assert!(output.status.success(), "{}", all(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn gnupg_verifies_and_opens_what_email2_made() {
    let Some(place) = Place::with(&["gpg"]) else {
        return;
    };
    place.alice_of_gnupg();
    place.signed_by_bob();
    let told = good(place.gpg(&["--verify", "part.sig", "part"]));
    assert!(told.contains("GOODSIG") && told.contains(BOB), "{told}");
    place.file(
        "part",
        place.text("part").replace("noon", "nine").as_bytes(),
    );
    let told = place.gpg(&["--verify", "part.sig", "part"]);
    assert!(all(&told).contains("BADSIG"), "{}", all(&told));
    place.encrypted_by_bob("alice.pub");
    let told = good(place.gpg(&["--decrypt", "message.asc"]));
    for words in ["GOODSIG", "DECRYPTION_OKAY", "Subject: The bridge", TEXT] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn email2_reads_what_gnupg_signed_and_encrypted() {
    let Some(place) = Place::with(&["gpg"]) else {
        return;
    };
    place.alice_of_gnupg();
    let part = place.part_by_alice("clear");
    let sign = ["--armor", "--output", "part.asc", "--detach-sign", "part"];
    good(place.gpg(&[&["--local-user", ALICE][..], &sign].concat()));
    place.signed_message(&part, &place.text("part.asc"));
    place.bob_reads_alice(false);
    place.part_by_alice("cipher");
    let encrypt = [
        "--armor",
        "--output",
        "e.asc",
        "--sign",
        "--encrypt",
        "part",
    ];
    good(place.gpg(&[&["--local-user", ALICE, "-r", BOB][..], &encrypt].concat()));
    place.encrypted_message(&place.text("e.asc"));
    place.bob_reads_alice(true);
}

/// The options are those of sq 0.27 (Debian 12).
#[tokio::test(flavor = "multi_thread")]
async fn sequoia_verifies_and_opens_what_email2_made() {
    let Some(place) = Place::with(&["sq", "gpg"]) else {
        return;
    };
    place.alice_of_gnupg();
    place.signed_by_bob();
    let signer = ["--signer-cert", "bob.pub"];
    let verify = [
        "verify",
        signer[0],
        signer[1],
        "--detached",
        "part.sig",
        "part",
    ];
    let told = all(&place.run("sq", &verify));
    assert!(told.contains("1 good signature"), "{told}");
    place.encrypted_by_bob("alice.pub");
    let decrypt = [
        "decrypt",
        "--recipient-key",
        "alice.sec",
        signer[0],
        signer[1],
    ];
    let output = place.run("sq", &[&decrypt[..], &["message.asc"]].concat());
    assert!(
        all(&output).contains("1 good signature"),
        "{}",
        all(&output)
    );
    assert!(good(output).contains(TEXT));
}

#[tokio::test(flavor = "multi_thread")]
async fn openpgp_js_reads_email2_and_email2_reads_openpgp_js() {
    let Some(place) = Place::with(&["openpgp.js"]) else {
        return;
    };
    let script = scripts().join("openpgpjs.mjs");
    let script = script.to_str().unwrap();
    let run = |arguments: &[&str]| good(place.run("node", &[&[script][..], arguments].concat()));
    run(&["generate", ALICE, "alice.sec", "alice.pub"]);
    place.signed_by_bob();
    assert_eq!(run(&["verify", "bob.pub", "part", "part.sig"]), "true\n");
    place.encrypted_by_bob("alice.pub");
    let opened = run(&["decrypt", "alice.sec", "bob.pub", "message.asc"]);
    assert!(
        opened.starts_with("true\n") && opened.contains(TEXT),
        "{opened}"
    );
    let part = place.part_by_alice("clear");
    place.signed_message(&part, &run(&["sign", "alice.sec", "part"]));
    place.bob_reads_alice(false);
    place.part_by_alice("cipher");
    place.encrypted_message(&run(&["encrypt", "alice.sec", "bob.pub", "part"]));
    place.bob_reads_alice(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_of_thunderbird_reads_our_key_and_our_messages() {
    let Some(place) = Place::with(&["librnp", "gpg"]) else {
        return;
    };
    place.alice_of_gnupg();
    let read = |arguments: &[&str]| -> Value {
        let mut python = place.command("python3");
        python
            .env("LD_LIBRARY_PATH", "/usr/lib/thunderbird")
            .env("LIBRNP", LIBRNP)
            .arg(scripts().join("read_with_librnp.py"))
            .args(arguments);
        serde_json::from_str(&good(python.output().unwrap())).unwrap()
    };
    place.signed_by_bob();
    let seen = read(&["bob.pub", "--", "part", "part.sig"]);
    assert_eq!(seen["signatures"], serde_json::json!([0]), "{seen}");
    // Primary key, signing and classic encryption subkey; it knows no ML-KEM.
    let keys = seen["imported"][0]["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3, "{seen}");
    place.encrypted_by_bob("alice.pub");
    let seen = read(&["bob.pub", "alice.sec", "--", "message.asc"]);
    assert_eq!(seen["signatures"], serde_json::json!([0]), "{seen}");
    assert!(seen["text"].as_str().unwrap().contains(TEXT), "{seen}");
    // Our secret key, exported, opens what others encrypt to it.
    place.file("note", TEXT.as_bytes());
    good(place.gpg(&["--output", "note.gpg", "--encrypt", "-r", BOB, "note"]));
    let seen = read(&["bob.sec", "--", "note.gpg"]);
    assert_eq!(seen["imported"][0]["keys"][0]["secret"], "new", "{seen}");
    assert_eq!(seen["text"], TEXT, "{seen}");
}

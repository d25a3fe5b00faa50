//! Our Autocrypt field is read by the parser of those who made Autocrypt (muacrypt, PyPI), and the
//! key in it by OpenPGP.js (npm); what that parser refuses, we refuse (spec §12.6.7, §12.6.8).
//! A program that is not installed is skipped, with a line on standard error.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use email2::Address;
use email2::autocrypt::Autocrypt;
use email2::certificate::generate::generate;
use email2::secret::SecretKey;
use email2_client::World;
use email2_client::config::Config;
use serde_json::Value;

const BOB: &str = "bob@example.org";

/// Where `scripts/test` puts packages of others.
fn packages(of: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..").join(of)
}

fn is_there(path: &Path) -> bool {
    if !path.exists() {
        eprintln!("skipped: {} is not installed", path.display());
    }
    path.exists()
}

fn bob() -> (Address, SecretKey) {
    let world = World::real(&Config::default().network).unwrap();
    let who: Address = BOB.parse().unwrap();
    let key = generate(&who.clone().into(), world.now() - 10, &mut world.rng());
    (who, key.unwrap())
}

fn good(output: Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// What muacrypt says of a message; the key is written to `key`.
fn muacrypt(folder: &Path, message: &str) -> Value {
    std::fs::write(folder.join("message.eml"), message).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/read_autocrypt.py");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages("pip")).arg(script);
    python.args(["message.eml", "key"]).current_dir(folder);
    serde_json::from_str(&good(python.output().unwrap())).unwrap()
}

fn message(fields: &str) -> String {
    format!("From: Bob <{BOB}>\r\n{fields}Subject: hi\r\n\r\nHello\r\n")
}

#[test]
fn the_parser_of_autocrypts_makers_reads_our_field() {
    if !is_there(&packages("pip").join("muacrypt")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (who, key) = bob();
    let field = Autocrypt::of(&who, key.certificate()).unwrap();
    let read = muacrypt(folder.path(), &message(&field.to_string()));
    let expected = serde_json::json!({"addr": BOB, "prefer_encrypt": "mutual"});
    assert_eq!(read, expected);
    assert_eq!(std::fs::read(folder.path().join("key")).unwrap(), field.key);
}

#[test]
fn what_the_parser_of_autocrypts_makers_refuses_we_refuse() {
    if !is_there(&packages("pip").join("muacrypt")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let one = format!("Autocrypt: addr={BOB}; keydata=AAEC\r\n");
    let other = "Autocrypt: addr=alice@example.com; keydata=AAEC\r\n";
    for (fields, counts) in [
        (one.clone(), true),
        (one.replace("keydata", "_x=1; keydata"), true),
        (one.replace("AAEC", "AA\r\n EC"), true),
        (one.replace("keydata", "type=1; keydata"), false),
        (one.replace("keydata", "x; keydata"), false),
        (one.replace(&format!("addr={BOB}; "), ""), false),
        (one.replace("keydata=AAEC", ""), false),
        (format!("{one}{one}"), false),
        (
            format!("{one}Content-Type: multipart/report; boundary=b\r\n"),
            false,
        ),
        (format!("{one}From: alice@example.com\r\n"), false),
        (format!("{other}{other}"), false),
    ] {
        let text = message(&fields);
        let theirs = muacrypt(folder.path(), &text);
        assert_eq!(theirs.get("error").is_none(), counts, "{fields}: {theirs}");
        let ours = Autocrypt::of_message(text.as_bytes());
        assert_eq!(ours.is_some(), counts, "{fields}");
    }
}

#[test]
fn openpgp_js_can_encrypt_to_the_key_in_our_field() {
    let modules = packages("npm/node_modules");
    if !is_there(&modules.join("openpgp")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (who, key) = bob();
    let field = Autocrypt::of(&who, key.certificate()).unwrap();
    std::fs::write(folder.path().join("key"), &field.key).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/openpgpjs.mjs");
    let mut node = Command::new("node");
    node.env("NODE_MODULES", modules.join("..")).arg(script);
    node.args(["describe", "key"]).current_dir(folder.path());
    let told: Value = serde_json::from_str(&good(node.output().unwrap())).unwrap();
    let primary = key.certificate().primary().to_string();
    assert_eq!(
        told,
        serde_json::json!({"primary": primary, "userIds": [BOB], "encrypts": true})
    );
}

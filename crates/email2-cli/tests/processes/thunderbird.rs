//! A key that was exported for Thunderbird, in the library that Thunderbird has for OpenPGP.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{World, only, text};

/// Where Debian's Thunderbird keeps it.
const LIBRARY: &str = "/usr/lib/thunderbird/librnp.so";

#[tokio::test(flavor = "multi_thread")]
async fn thunderbird_opens_mail_with_the_key_that_was_exported_for_it() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("skipped: thunderbird is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = World::start().unwrap();
    let export = ["key", "export", "--for", "thunderbird", "--secret"];
    let secret = folder.path().join("secret.asc");
    std::fs::write(&secret, world.alice.raw(&export).unwrap()).unwrap();
    let author = folder.path().join("bob.asc");
    std::fs::write(&author, world.bob.raw(&["key", "export"]).unwrap()).unwrap();
    let sent = ["send", "--to", "alice@example.com", "--subject", "thunder"];
    let body = ["--body", "At noon.\n"];
    let reports = world.bob.run(&[&sent[..], &body].concat()).unwrap();
    assert_eq!(reports[0]["protection"], "encrypted", "{reports}");
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    let whole = world.alice.raw(&["read", "--raw", text(&entry["id"])]);
    let whole = String::from_utf8(whole.unwrap()).unwrap();
    let (_, armor) = whole.split_once("-----BEGIN PGP MESSAGE").unwrap();
    let (armor, _) = armor.split_once("-----END PGP MESSAGE-----").unwrap();
    let message = folder.path().join("message.asc");
    let armor = format!("-----BEGIN PGP MESSAGE{armor}-----END PGP MESSAGE-----\r\n");
    std::fs::write(&message, armor).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/read_with_librnp.py");
    let opened = Command::new("python3")
        .env("LD_LIBRARY_PATH", "/usr/lib/thunderbird")
        .env("LIBRNP", LIBRARY)
        .env("PASSPHRASE", "a passphrase")
        .arg(script)
        .args([&author, &secret])
        .arg("--")
        .arg(&message)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&opened.stderr);
    assert!(opened.status.success(), "{complaint}");
    let seen: Value = serde_json::from_slice(&opened.stdout).unwrap();
    let clear = text(&seen["text"]);
    assert!(clear.contains("Subject: thunder"), "{seen}");
    assert!(clear.contains("At noon."), "{seen}");
    assert_eq!(seen["signatures"], serde_json::json!([0]), "{seen}");
    world.stop().unwrap();
}

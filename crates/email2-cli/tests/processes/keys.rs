//! One's own key over its life, by the program.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{World, only, text};

/// The digits of a code that both sides print.
fn code_of(verified: &Value) -> String {
    text(&verified["code"]).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_wants_a_recovery_kit_or_a_word_against_it_and_the_kit_makes_a_second_device() {
    let world = World::start().unwrap();
    let carol = "carol@example.org";
    let added = world.org.administer(&["user", "add", carol]).unwrap();
    let home = world.home(carol).unwrap();
    let code = home.file("code", text(&added["code"]).as_bytes()).unwrap();
    let setup = ["setup", carol, "--code-file", &code];
    let (exit, words) = home.refused(&setup).unwrap();
    assert_eq!(exit, Some(64), "{words}");
    assert!(
        words.contains("--backup DIR") && words.contains("--no-backup"),
        "{words}"
    );

    let safe = home.file("safe", b"").unwrap().replace("safe", "drawer");
    std::fs::create_dir(&safe).unwrap();
    let done = home
        .run(&[&setup[..], &["--backup", &safe]].concat())
        .unwrap();
    let (kit, opening) = (text(&done["kit"]["kit"]), text(&done["kit"]["passphrase"]));
    assert!(
        std::fs::read_to_string(kit)
            .unwrap()
            .starts_with("EMAIL2 RECOVERY KIT")
    );

    let invited = world.org.administer(&["user", "invite", carol]).unwrap();
    let second = world.home("carol-second").unwrap();
    let code = second
        .file("code", text(&invited["code"]).as_bytes())
        .unwrap();
    let restore = ["--restore", kit, "--key-passphrase-file", opening];
    let setup = ["setup", carol, "--code-file", &code];
    let joined = second.run(&[&setup[..], &restore].concat()).unwrap();
    assert_eq!(joined["fingerprint"], done["fingerprint"]);
    let shown = second.run(&["key", "show"]).unwrap();
    assert_eq!(shown["signing"].as_array().unwrap().len(), 2, "{shown}");

    let sent = [
        "send",
        "--to",
        "alice@example.com",
        "--subject",
        "two",
        "--body",
        "Hi.\n",
    ];
    let reports = second.run(&sent).unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    assert_eq!(
        (&entry["from"], &entry["verified"]),
        (&carol.into(), &true.into())
    );
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_begins_anew_after_a_reset_and_takes_a_key_from_elsewhere() {
    let world = World::start().unwrap();
    let alice = "alice@example.com";
    let before = world.alice.run(&["key", "show"]).unwrap();
    let reset = world.com.administer(&["user", "reset", alice]).unwrap();
    let code = text(&reset["code"]).as_bytes();
    let code = world.alice.file("code", code).unwrap();
    let setup = ["setup", alice, "--code-file", &code, "--no-backup"];
    let anew = [&setup[..], &["--new-key"]].concat();
    let done = world.alice.run(&anew).unwrap();
    assert!(before["primary"].is_string(), "{before}");
    assert_ne!(done["fingerprint"], before["primary"], "{done}");
    let report = crate::send(&world.bob, alice).unwrap();
    assert_eq!(report["state"], "delivered", "{report}");
    only(&world.alice.run(&["inbox"]).unwrap()).unwrap();

    let invited = world.com.administer(&["user", "invite", alice]).unwrap();
    let secret = world
        .alice
        .raw(&["key", "export", "--for", "gnupg", "--secret"])
        .unwrap();
    let second = world.home("alice-second").unwrap();
    let code = second.file("code", text(&invited["code"]).as_bytes());
    let code = code.unwrap();
    let key = second.file("key.asc", &secret).unwrap();
    let opening = second.file("opening", b"a passphrase\n").unwrap();
    let setup = ["setup", alice, "--code-file", &code, "--no-backup"];
    let given = ["--key", &key, "--key-passphrase-file", &opening];
    let joined = second.run(&[&setup[..], &given].concat()).unwrap();
    assert_eq!(joined["fingerprint"], done["fingerprint"]);
    only(&second.run(&["inbox"]).unwrap()).unwrap();
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_compared_ended_extended_replaced_and_listed() {
    let world = World::start().unwrap();
    let (alice, bob) = ("alice@example.com", "bob@example.org");
    world.alice.run(&["key", "fetch", bob]).unwrap();
    world.bob.run(&["key", "fetch", alice]).unwrap();
    let hers = world.alice.run(&["key", "verify", bob]).unwrap();
    let his = world
        .bob
        .run(&["key", "verify", alice, "--confirm"])
        .unwrap();
    assert_eq!(code_of(&hers), code_of(&his));
    assert_eq!(
        (&hers["verified"], &his["verified"]),
        (&false.into(), &true.into())
    );

    let ended = world.alice.run(&["key", "expire", "20d"]).unwrap();
    assert!(ended["expires"].is_string(), "{ended}");
    let noted = world.alice.said(&["inbox"]).unwrap();
    assert!(noted.contains("your key expires on"), "{noted}");
    let (exit, words) = world.alice.refused(&["key", "extend", "10d"]).unwrap();
    assert_eq!(exit, Some(65), "{words}");
    let extended = world.alice.run(&["key", "extend", "never"]).unwrap();
    assert_eq!(extended["expires"], Value::Null);

    let new = world.alice.run(&["key", "replace"]).unwrap();
    let followed = world.bob.run(&["key", "fetch", alice]).unwrap();
    assert_eq!(followed["primary"], new["primary"]);
    let listed = world.bob.run(&["key", "list"]).unwrap();
    let hers = listed.as_array().unwrap().iter();
    let mut hers = hers.filter(|key| key["address"] == alice);
    let entry = hers.next().unwrap();
    assert_eq!(
        (&entry["primary"], &entry["verified"]),
        (&new["primary"], &true.into())
    );
    world.stop().unwrap();
}

fn gpg(home: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    let mut gpg = Command::new("gpg");
    gpg.arg("--homedir").arg(home);
    gpg.args(["--batch", "--no-tty", "--pinentry-mode", "loopback"]);
    gpg.args(["--passphrase", "a passphrase"]).args(arguments);
    gpg.output().ok()
}

/// spec §6.10
#[tokio::test(flavor = "multi_thread")]
async fn gnupg_opens_mail_with_the_key_that_was_exported_for_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    if gpg(folder.path(), &["--version"]).is_none() {
        eprintln!("skipped: gpg is not installed");
        return;
    }
    let world = World::start().unwrap();
    let exported = world
        .alice
        .raw(&["key", "export", "--for", "gnupg", "--secret"])
        .unwrap();
    let file = folder.path().join("secret.asc");
    std::fs::write(&file, exported).unwrap();
    let imported = gpg(folder.path(), &["--import", file.to_str().unwrap()]).unwrap();
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );

    let sent = [
        "send",
        "--to",
        "alice@example.com",
        "--subject",
        "gnupg",
        "--body",
        "At noon.\n",
    ];
    let reports = world.bob.run(&sent).unwrap();
    assert_eq!(reports[0]["protection"], "encrypted", "{reports}");
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    let id = text(&entry["id"]);
    let message = String::from_utf8(world.alice.raw(&["read", "--raw", id]).unwrap()).unwrap();
    let from = message.find("-----BEGIN PGP MESSAGE").unwrap();
    let until = message.find("-----END PGP MESSAGE-----").unwrap() + 25;
    let file = folder.path().join("message.asc");
    std::fs::write(&file, message.get(from..until).unwrap()).unwrap();
    let opened = gpg(folder.path(), &["--decrypt", file.to_str().unwrap()]).unwrap();
    let clear = String::from_utf8_lossy(&opened.stdout).into_owned();
    assert!(
        clear.contains("Subject: gnupg") && clear.contains("At noon."),
        "{clear}"
    );

    // What comes back loses nothing: the account still has its post-quantum key.
    let secret = folder.path().join("secret.asc");
    let back = world
        .alice
        .run(&["key", "import", secret.to_str().unwrap()])
        .unwrap();
    assert_eq!(back["post_quantum"], true, "{back}");
    let _ = Command::new("gpgconf")
        .arg("--homedir")
        .arg(folder.path())
        .args(["--kill", "all"])
        .status();
    world.stop().unwrap();
}

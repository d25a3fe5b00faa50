//! What is made for people outside of Email 2.0 opens in GnuPG (spec §5.2.2).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use email2::certificate::Certificate;
use email2::content::{Container, Mode, OuterTo, Protect, audiences, protect};

use super::people::{NOW, address, key, rng};

const MESSAGE: &[u8] = b"From: bob@example.org\r\nSubject: a secret\r\n\r\nHello.\r\n";

/// A home of GnuPG's that is gone afterwards; `None` without GnuPG.
struct Gpg(PathBuf);

impl Gpg {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test imports the keys of the cases"
    )]
    fn new(name: &str) -> Option<Gpg> {
        let home = std::env::temp_dir().join(format!("email2-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let gpg = Gpg(home);
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases/keys");
        let alice = std::fs::read(cases.join("alice.secret.txt")).unwrap();
        gpg.try_run(&["--import"], &alice)?;
        let bob = key("bob@example.org", 1).certificate().octets().to_vec();
        gpg.try_run(&["--import"], &bob)?;
        Some(gpg)
    }

    fn try_run(&self, arguments: &[&str], input: &[u8]) -> Option<Output> {
        let mut gpg = Command::new("gpg")
            .args([
                "--batch",
                "--no-tty",
                "--trust-model",
                "always",
                "--status-fd",
                "2",
            ])
            .args(["--faked-system-time", &NOW.to_string(), "--homedir"])
            .arg(&self.0)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        gpg.stdin.take().unwrap().write_all(input).unwrap();
        gpg.wait_with_output().ok()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut stop = Command::new("gpgconf");
        let stop = stop.arg("--homedir").arg(&self.0).args(["--kill", "all"]);
        let _ = stop.status();
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn made(mode: Mode<'_>) -> Vec<u8> {
    let bob = key("bob@example.org", 1);
    let from = address("bob@example.org");
    let request = Protect {
        message: MESSAGE,
        author: &bob,
        from: &from,
        mode,
        outer_to: OuterTo::Hidden,
        outside: &[],
        now: NOW,
    };
    protect(&request, &mut rng(4)).unwrap()
}

/// The armored block of a message.
fn armor(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN PGP"));
    let block: Vec<&str> = lines
        .take_while(|line| !line.starts_with("--") || line.contains("PGP"))
        .collect();
    (block.join("\n") + "\n").into_bytes()
}

#[test]
fn gnupg_opens_and_verifies_what_is_encrypted_for_it() {
    let Some(gpg) = Gpg::new("opens") else {
        return;
    };
    let classic = include_bytes!("../../../email2-testbed/cases/keys/alice.public.txt");
    let to = Certificate::parse_all(classic).unwrap();
    assert_eq!(audiences(&to, NOW)[0].container, Container::V1);
    let out = made(Mode::Encrypt {
        to: &to,
        also_self: false,
        container: Container::V1,
    });
    let opened = gpg.try_run(&["--decrypt"], &armor(&out)).unwrap();
    let said = String::from_utf8_lossy(&opened.stderr).into_owned();
    assert!(said.contains("GOODSIG"), "{said}");
    let text = String::from_utf8(opened.stdout).unwrap();
    assert!(
        text.contains("Subject: a secret\r\n") && text.ends_with("Hello.\r\n"),
        "{text}"
    );
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "GnuPG reads the signature from a file"
)]
fn gnupg_verifies_what_is_signed() {
    let Some(gpg) = Gpg::new("verifies") else {
        return;
    };
    let out = String::from_utf8(made(Mode::SignOnly)).unwrap();
    let boundary = out
        .split("boundary=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let parts: Vec<&str> = out.split(&format!("--{boundary}")).collect();
    let signed = parts[1]
        .strip_prefix("\r\n")
        .unwrap()
        .strip_suffix("\r\n")
        .unwrap();
    let file = gpg.0.join("signature.asc");
    std::fs::write(&file, armor(out.as_bytes())).unwrap();
    let file = file.to_str().unwrap();
    let verified = gpg
        .try_run(&["--verify", file, "-"], signed.as_bytes())
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(said.contains("GOODSIG"), "{said}");
}

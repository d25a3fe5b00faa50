//! The manual pages say what the program does: every command has its page.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;

/// The program as it was built for the tests.
fn email2() -> Command {
    Command::new(env!("CARGO_BIN_EXE_email2"))
}

fn commands_of(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    names
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn pages(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_command_has_its_page() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        email2()
            .arg("man")
            .arg(dir.path())
            .status()
            .unwrap()
            .success()
    );
    let written = pages(dir.path());
    let help = String::from_utf8(email2().arg("--help").output().unwrap().stdout).unwrap();
    let commands = commands_of(&help);
    assert!(commands.len() >= 9, "{help}");
    for command in commands {
        assert!(
            written.contains(&format!("email2-{command}.1")),
            "{command}: {written:?}"
        );
    }
}

#[test]
fn a_wrong_command_line_and_a_bare_home_have_their_codes() {
    let home = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| {
        let status = email2()
            .env("EMAIL2_HOME", home.path())
            .args(arguments)
            .output()
            .unwrap();
        status.status.code()
    };
    assert_eq!(code(&["send", "--wrong"]), Some(64));
    assert_eq!(code(&["inbox"]), Some(78));
    assert_eq!(code(&["--config", "/nonexistent.toml", "inbox"]), Some(78));
    assert_eq!(code(&["key", "fetch", "not-an-address"]), Some(64));
}

//! The README's walk-through, done as it stands there: two domains with the real programs and
//! a DNS server of Debian's. Takes about ten seconds.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The section that is done.
const SECTION: &str = "Two domains on one machine";
/// Programs that it needs besides ours.
const PROGRAMS: [&str; 4] = ["knotd", "kdig", "openssl", "gpg"];
/// How long all of it may take, seconds.
const PATIENCE: &str = "240";
/// Whatever happens, nothing that was started stays.
const CLEAN: &str = "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n";

fn section(page: &str) -> &str {
    let mut sections = page.split("\n## ");
    sections.find(|text| text.starts_with(SECTION)).unwrap()
}

/// The lines of the `bash` blocks.
fn script(section: &str) -> String {
    let mut inside = false;
    let mut script = String::new();
    for line in section.lines() {
        if line.starts_with("```") {
            inside = line == "```bash";
        } else if inside {
            script.push_str(line);
            script.push('\n');
        }
    }
    script
}

/// The addresses 127.0.0.2 to 127.0.0.4 become a process's own, so that two runs of this test
/// do not meet at the page's ports.
fn on_own_addresses(script: &str) -> String {
    let process = std::process::id();
    let own = format!("127.{}.{}.", 64 + (process >> 8) % 64, process % 256);
    let hosts = ["2", "3", "4"];
    hosts.iter().fold(script.to_owned(), |script, host| {
        script.replace(&format!("127.0.0.{host}"), &format!("{own}{host}"))
    })
}

fn installed(program: &str) -> bool {
    let mut command = Command::new("sh");
    let command = command.args(["-c", "command -v \"$0\"", program]);
    let found = command.env("PATH", path()).stdout(Stdio::null()).status();
    found.unwrap().success()
}

/// Our programs stand in front.
fn path() -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_email2")).parent().unwrap();
    let system = std::env::var("PATH").unwrap();
    format!("{}:{system}:/usr/sbin:/sbin", own.display())
}

/// What the script printed, all of it.
fn run(script: &str, folder: &Path) -> String {
    let file = folder.join("script");
    std::fs::write(&file, format!("{CLEAN}{script}")).unwrap();
    let printed: PathBuf = folder.join("printed");
    let output = File::create(&printed).unwrap();
    let complaints = output.try_clone().unwrap();
    let status = Command::new("timeout")
        .args([PATIENCE, "bash", "-euo", "pipefail"])
        .arg(&file)
        .current_dir(folder)
        .env("PATH", path())
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(complaints)
        .status()
        .unwrap();
    let printed = String::from_utf8_lossy(&std::fs::read(&printed).unwrap()).into_owned();
    assert!(status.success(), "{status}\n{printed}\n{}", logs(folder));
    printed
}

/// What the servers said, for whoever has to find out what went wrong.
fn logs(folder: &Path) -> String {
    let read = |name: &str| {
        let path = folder.join("two-domains").join(name);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        format!("== {name}\n{text}")
    };
    ["org.log", "com.log", "knot.log"].map(read).concat()
}

#[test]
fn the_walk_through_of_the_readme_does_what_it_says() {
    if let Some(program) = PROGRAMS.iter().find(|program| !installed(program)) {
        eprintln!("skipped: {program} is not installed");
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&on_own_addresses(&script(section(&page))), folder.path());
    let expected = [
        "bob@example.org is set up on this device.",
        "alice@example.com is set up on this device.",
        "alice@example.com: delivered, sealed, signed and encrypted (post-quantum)",
        "VERIFIED: from bob@example.org",
        "server:  verified; author=bob@example.org; assurance=dnssec; at=",
        "content: signed by bob@example.org, key ",
        "| Subject: Lunch\n|\n| At noon?",
        "bob@example.org: delivered, sealed, signed and encrypted (post-quantum)",
        "VERIFIED: from alice@example.com",
        "| Subject: Re: Lunch\n|\n| I will be there.",
        "| > At noon?",
        // KEY, typed by hand.
        "250 EMAIL2 1",
        "250-2.0.0 v=1 etag=",
        "221 2.0.0 closing",
        "uid                      bob@example.org",
        "Password of alice@example.com for \"mutt\", shown this once: ",
    ];
    let mut rest = printed.as_str();
    for words in expected {
        let found = rest.split_once(words);
        assert!(found.is_some(), "{words:?} is not there, in\n{rest}");
        rest = found.unwrap().1;
    }
    let notary = std::fs::read_to_string(folder.path().join("two-domains/com.log")).unwrap();
    assert!(
        notary.contains("judged") && notary.contains("author=\"bob@example.org\""),
        "{notary}"
    );
}

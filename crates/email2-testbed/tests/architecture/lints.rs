//! The lints are the style guide: everywhere on, everywhere with the same numbers, and
//! every exception with its reason.

use crate::hold;
use crate::source::take_apart;
use crate::tree::{self, File};

const PURE: [&str; 3] = ["email2", "email2-smtp", "email2-imap"];

/// The settings of a `clippy.toml` apart from its lists.
fn settings(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with(['#', ' ']))
        .filter(|line| !line.ends_with('['))
        .collect();
    lines.sort_unstable();
    lines
}

fn different_settings(package: &str, workspace: &str, own: &str) -> Vec<String> {
    if settings(workspace) == settings(own) {
        return Vec::new();
    }
    vec![format!(
        "crates/{package}/clippy.toml: not the workspace's numbers"
    )]
}

fn allowances(file: &File) -> Vec<String> {
    let source = take_apart(&file.text);
    let lines = source.code.iter().enumerate();
    lines
        .filter(|(_, line)| line.contains("[allow("))
        .map(|(index, _)| format!("{}:{}: expect, with a reason", file.path, index + 1))
        .collect()
}

fn unreasoned(file: &File) -> Vec<String> {
    let code = take_apart(&file.text).code.join("\n");
    let attributes = code.split("[expect(").skip(1);
    attributes
        .filter(|rest| {
            let attribute = rest.split(")]").next().unwrap_or_default();
            !attribute.contains("reason =")
        })
        .map(|_| format!("{}: an expect without a reason", file.path))
        .collect()
}

#[test]
fn pure_crates_have_the_workspace_numbers() {
    let workspace = tree::text("clippy.toml");
    assert!(!settings(&workspace).is_empty());
    for package in PURE {
        let own = tree::text(&format!("crates/{package}/clippy.toml"));
        hold(
            "clippy.toml",
            &different_settings(package, &workspace, &own),
        );
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let manifests = tree::files("crates", "toml");
    let without: Vec<String> = manifests
        .iter()
        .filter(|file| file.name() == "Cargo.toml")
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| format!("{}: no [lints] workspace = true", file.path))
        .collect();
    hold("lints", &without);
}

#[test]
fn exceptions_are_expected_with_a_reason() {
    let files = tree::rust_files();
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| [allowances(file), unreasoned(file)].concat())
        .collect();
    hold("exceptions", &found);
}

#[test]
fn another_number_is_seen() {
    let (ours, theirs) = ("a = 60\nlist = [\n  1,\n]\n", "a = 61\n");
    assert_eq!(different_settings("email2", ours, theirs).len(), 1);
    assert_eq!(different_settings("email2", ours, "a = 60\n").len(), 0);
}

#[test]
fn a_planted_allow_is_seen() {
    let planted = File::new(
        "a.rs",
        "#[allow(clippy::panic)]\nfn a() {}\n// [allow(x)]\n",
    );
    assert_eq!(allowances(&planted).len(), 1);
    let planted = File::new("a.rs", "#[expect(clippy::panic)]\nfn a() {}\n");
    assert_eq!(unreasoned(&planted).len(), 1);
    let reasoned = "#[expect(\n    clippy::panic,\n    reason = \"x\"\n)]\nfn a() {}\n";
    assert_eq!(unreasoned(&File::new("a.rs", reasoned)).len(), 0);
}

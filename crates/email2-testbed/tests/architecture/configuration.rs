//! Configuration keys and their reference say the same.

use crate::tree;
use crate::{hold, source::production};

/// Where the keys are read, and the part of the reference that explains them.
const READ: [(&str, &str); 2] = [
    ("crates/email2d/src/config.rs", "Server"),
    ("crates/email2-io/src/world.rs", "Network"),
];

const REFERENCE: &str = "docs/configuration.md";

/// The keys of the structs that derive `Deserialize`.
fn keys(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut reads, mut inside, mut renamed) = (false, false, None);
    for line in production(source).lines() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            reads = line.contains("Deserialize");
        } else if line.starts_with("pub struct ") && line.ends_with('{') {
            inside = reads;
        } else if line == "}" {
            (inside, reads) = (false, false);
        } else if let Some((_, name)) = line.split_once("rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(':')) {
            let name = renamed.take().unwrap_or_else(|| name.to_owned());
            found.extend(inside.then_some(name));
        }
    }
    found
}

/// The keys that a part of the reference explains: the first cells of its tables.
fn explained(reference: &str, part: &str) -> Vec<String> {
    let parts = reference.split("\n## ");
    let rows = parts
        .filter(|text| text.starts_with(part))
        .flat_map(|text| text.lines());
    rows.filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect()
}

fn differences(read: &[String], explained: &[String]) -> Vec<String> {
    let unexplained = read.iter().filter(|key| !explained.contains(key));
    let mut found: Vec<String> = unexplained
        .map(|key| format!("`{key}` is read and not explained"))
        .collect();
    let unread = explained.iter().filter(|key| !read.contains(key));
    found.extend(unread.map(|key| format!("`{key}` is explained and not read")));
    found
}

#[test]
fn keys_and_reference_say_the_same() {
    let reference = tree::text(REFERENCE);
    for (source, part) in READ {
        let read = keys(&tree::text(source));
        assert!(!read.is_empty(), "{source} reads nothing");
        hold(source, &differences(&read, &explained(&reference, part)));
    }
}

#[test]
fn a_key_too_many_and_one_too_few_are_seen() {
    let source = "#[derive(Debug, Deserialize)]\npub struct A {\n    pub a: u8,\n    \
                  #[serde(rename = \"c\")]\n    pub b: u8,\n}\npub struct B {\n    pub d: u8,\n}\n";
    assert_eq!(keys(source), ["a", "c"]);
    let reference = "# X\n## Server\n| `a` | x |\n| `e` | x |\n";
    let found = differences(&keys(source), &explained(reference, "Server"));
    assert_eq!(found.len(), 2, "{found:?}");
}

//! Files: named for the protocol's verbs and nouns, and short enough to be read.

use crate::hold;
use crate::source::production;
use crate::tree::{self, File};

/// Lines of production code in one file; tests are not bounded.
const LONGEST: usize = 500;

/// Names that say nothing about the job.
const BANNED: [&str; 10] = [
    "utils", "util", "helper", "helpers", "manager", "common", "misc", "shared", "handy", "types",
];

fn violations(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    let lines = production(&file.text).lines().count();
    if lines > LONGEST && file.path.contains("/src/") {
        found.push(format!("{}: {lines} lines, at most {LONGEST}", file.path));
    }
    let stem = file.name().trim_end_matches(".rs");
    if BANNED.contains(&stem) || stem == "core" {
        found.push(format!("{}: a banned name", file.path));
    }
    if file.name() == "mod.rs" {
        found.push(format!("{}: write name.rs beside name/", file.path));
    }
    found
}

#[test]
fn files_are_short_and_named_for_their_job() {
    let found: Vec<String> = tree::rust_files().iter().flat_map(violations).collect();
    hold("files", &found);
}

#[test]
fn a_long_file_a_banned_name_and_mod_rs_are_seen() {
    let long = "x();\n".repeat(LONGEST + 1);
    let tested = format!("{}\n#[cfg(test)]\nmod tests {{\n{long}}}\n", "x();");
    assert_eq!(
        violations(&File::new("crates/a/src/seal.rs", &long)).len(),
        1
    );
    assert_eq!(
        violations(&File::new("crates/a/src/seal.rs", &tested)).len(),
        0
    );
    assert_eq!(violations(&File::new("crates/a/src/utils.rs", "")).len(), 1);
    assert_eq!(
        violations(&File::new("crates/a/src/seal/mod.rs", "")).len(),
        1
    );
}

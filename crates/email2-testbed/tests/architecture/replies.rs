//! Reply codes are written in two files: `rejection.rs` (what is refused) and
//! `reply.rs` (what is granted). Everybody else names them.

use crate::hold;
use crate::source::{production, take_apart};
use crate::tree::{self, File};

/// Where codes are at home; `limits.rs` holds numbers that only look like them.
const HOMES: [&str; 3] = ["rejection.rs", "reply.rs", "limits.rs"];

/// The crates that speak SMTP.
const SPEAKERS: [&str; 5] = [
    "crates/email2/src/",
    "crates/email2-smtp/src/",
    "crates/email2-remote/src/",
    "crates/email2d/src/",
    "crates/email2-client/src/",
];

/// RFC 5321 §4.2.3 and its extensions: refusals and service codes.
const CODES: [&str; 24] = [
    "221", "235", "250", "251", "252", "334", "354", "421", "450", "451", "452", "454", "455",
    "501", "502", "503", "504", "521", "530", "535", "538", "550", "553", "554",
];

fn is_home(path: &str) -> bool {
    HOMES.iter().any(|home| {
        let folder = format!("/{}/", home.trim_end_matches(".rs"));
        path.ends_with(&format!("/{home}")) || path.contains(&folder)
    })
}

fn violations(file: &File) -> Vec<String> {
    if is_home(&file.path) {
        return Vec::new();
    }
    let source = take_apart(production(&file.text));
    let at = |line: usize, what: &str| format!("{}:{line}: {what}", file.path);
    let strings = source.strings.iter();
    let mut found: Vec<String> = strings
        .filter(|(_, text)| is_reply(text))
        .map(|(line, text)| at(*line, &format!("a literal reply {text:?}")))
        .collect();
    for (index, line) in source.code.iter().enumerate() {
        let codes = words(line).filter(|word| CODES.contains(word));
        found.extend(codes.map(|code| at(index + 1, &format!("a literal reply code {code}"))));
    }
    found
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
}

/// Begins with a reply code or an enhanced status code (RFC 3463).
fn is_reply(text: &str) -> bool {
    let first = text.split([' ', '-', '\\']).next().unwrap_or_default();
    let enhanced: Vec<&str> = first.split('.').collect();
    let numbers = enhanced.iter().all(|part| part.parse::<u16>().is_ok());
    let classed = first.starts_with(['2', '4', '5']);
    (CODES.contains(&first)) || (classed && numbers && enhanced.len() == 3)
}

#[test]
fn reply_codes_stand_in_one_place() {
    let files = tree::rust_files();
    let speakers = files.iter().filter(|file| {
        SPEAKERS
            .iter()
            .any(|speaker| file.path.starts_with(speaker))
    });
    let found: Vec<String> = speakers.flat_map(violations).collect();
    hold("reply codes", &found);
}

#[test]
fn a_literal_code_is_seen() {
    let path = "crates/email2d/src/mx.rs";
    let planted = |text| violations(&File::new(path, text)).len();
    assert_eq!(planted("fn a() { reply(\"550 5.7.1 no\") }\n"), 1);
    assert_eq!(planted("fn a() { reply(\"5.7.1\") }\n"), 1);
    assert_eq!(planted("fn a() { reply(451, text) }\n"), 1);
    assert_eq!(planted("// 550 is said elsewhere\nfn a() { b(55) }\n"), 0);
    let home = File::new(
        "crates/email2/src/rejection/table.rs",
        "const A: u16 = 550;\n",
    );
    assert_eq!(violations(&home).len(), 0);
}

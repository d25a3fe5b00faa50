//! The attack book and the index of cases: every attack has its own id, a verdict that the
//! code gives, and a test; every case has a test.

use std::collections::BTreeSet;

use crate::{hold, tree};

/// What the specification and the public families of attacks are told under.
const FAMILIES: [&str; 12] = [
    "From",
    "Signatures in MIME and OpenPGP",
    "EFAIL",
    "Smuggling",
    "STARTTLS injection",
    "Keys that are not theirs",
    "Replay",
    "Forged MX",
    "Lookups as a weapon",
    "Harvesting",
    "Bad destinations",
    "Hostile shapes",
];

/// The cells of each table row of a page, without heads and rules.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| id |");
    let lines = page.lines().filter(is_row);
    lines
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// Whether a sentence is one that the template makes: `{…}` stands for anything.
fn fits(template: &str, sentence: &str) -> bool {
    let mut rest = sentence;
    for (number, piece) in template.split(['{', '}']).step_by(2).enumerate() {
        match rest.find(piece) {
            Some(at) if number > 0 || at == 0 => {
                rest = rest.get(at + piece.len()..).unwrap_or_default()
            }
            _ => return false,
        }
    }
    rest.is_empty() || template.ends_with('}')
}

/// What is wrong with a verdict: one that begins with a reply is in the table of rejections,
/// with its sentence or with one of our own words behind a code that exists.
fn wrong_verdict(verdict: &str, replies: &[Vec<&str>]) -> bool {
    let Some((code, sentence)) = verdict.split_once(": ") else {
        return verdict.trim().is_empty();
    };
    if !code.starts_with(['4', '5']) {
        return false;
    }
    let known = |row: &&Vec<&str>| row.first() == Some(&code);
    let said = |row: &Vec<&str>| row.get(2).is_some_and(|template| fits(template, sentence));
    let mut of_code = replies.iter().filter(known).peekable();
    let own_words =
        sentence.starts_with(char::is_lowercase) && !sentence.starts_with("key-changed");
    of_code.peek().is_none() || (!own_words && !of_code.any(said))
}

fn attack_violations(page: &str, replies: &str) -> Vec<String> {
    let replies = rows(replies);
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let attacks = page
        .split("\n## ")
        .find(|section| section.starts_with("The attacks"));
    let attacks = attacks.unwrap_or_default();
    for row in rows(attacks) {
        let [id, _, verdict, tests] = row.as_slice() else {
            wrong.push(format!("a row of {} cells: {row:?}", row.len()));
            continue;
        };
        if !seen.insert((*id).to_owned()) || !id.contains('-') {
            wrong.push(format!("{id}: not an id of its own"));
        }
        if wrong_verdict(verdict, &replies) {
            wrong.push(format!("{id}: no rejection says {verdict:?}"));
        }
        if !tests.contains(".rs::") {
            wrong.push(format!("{id}: no test"));
        }
    }
    let headings: Vec<&str> = attacks.split("\n### ").skip(1).collect();
    for family in FAMILIES {
        if !headings.iter().any(|heading| heading.starts_with(family)) {
            wrong.push(format!("no family {family}"));
        }
    }
    wrong
}

/// The cases that a collection has.
fn cases(collection: &str) -> BTreeSet<String> {
    let headings = collection
        .lines()
        .filter_map(|line| line.strip_prefix("### "));
    let names = headings.filter_map(|heading| heading.split(' ').next());
    names.map(str::to_owned).collect()
}

fn case_violations(index: &str, collection: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut waiting = cases(collection);
    for row in rows(index)
        .iter()
        .filter(|row| row.first() != Some(&"case"))
    {
        let name = row.first().copied().unwrap_or_default();
        if !waiting.remove(name) {
            wrong.push(format!("{name}: no such case, or twice"));
        }
        if !row.get(1).is_some_and(|tests| tests.contains(".rs::")) {
            wrong.push(format!("{name}: no test"));
        }
    }
    wrong.extend(
        waiting
            .iter()
            .map(|name| format!("{name}: not in the index")),
    );
    wrong
}

#[test]
fn every_attack_has_an_id_a_verdict_and_a_test() {
    let page = tree::text("docs/security.md");
    let replies = tree::text("docs/spec/07-replies.md");
    hold("attack book", &attack_violations(&page, &replies));
}

#[test]
fn every_case_has_a_test() {
    let index = tree::text("docs/cases.md");
    let collection = tree::text("crates/email2-testbed/cases/CASES.md");
    hold("cases", &case_violations(&index, &collection));
}

#[test]
fn a_case_without_a_test_and_one_invented_are_seen() {
    let collection = "### S01 · a\n### R02 · b\n### D03 · c\n### O01 · d\n";
    let index =
        "| case | tests |\n|---|---|\n| S01 | soon |\n| R02 | `a.rs::b` |\n| S99 | `a.rs::b` |\n";
    let wrong = case_violations(index, collection);
    let expected = [
        "S01: no test",
        "S99: no such case, or twice",
        "D03: not in the index",
        "O01: not in the index",
    ];
    assert_eq!(wrong, expected);
}

#[test]
fn an_invented_verdict_and_a_row_without_a_test_are_seen() {
    let replies = "| 550 5.6.0 | `field-twice` | The field {field} stands more than once | x |\n";
    let page = |verdict: &str, test: &str| {
        let mut page = "# x\n\n## The attacks\n".to_owned();
        for family in FAMILIES {
            page += &format!("\n### {family}\n");
        }
        page + &format!(
            "\n| id | octets | verdict | test |\n|---|---|---|---|\n| a-b | o | {verdict} | {test} |\n"
        )
    };
    let count = |verdict, test| attack_violations(&page(verdict, test), replies).len();
    assert_eq!(
        count(
            "550 5.6.0: The field From stands more than once",
            "`a.rs::b`"
        ),
        0
    );
    assert_eq!(
        count("550 5.6.0: The field From stands twice", "`a.rs::b`"),
        1
    );
    assert_eq!(
        count(
            "550 5.9.9: The field From stands more than once",
            "`a.rs::b`"
        ),
        1
    );
    assert_eq!(count("not verified: nothing fits", "none"), 1);
    assert_eq!(attack_violations("# x\n", replies).len(), FAMILIES.len());
}

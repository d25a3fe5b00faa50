//! Documents are tested: what a page names exists, and what exists is named.

use crate::edges::Edge;
use crate::hold;
use crate::tree::{self, File};

/// The lines of the fenced block that is opened by ```` ```text name ````.
pub(crate) fn block<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!("```text {name}");
    page.lines()
        .skip_while(|line| *line != opening)
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .collect()
}

/// The first words of the block's lines: paths.
pub(crate) fn listed(page: &str, name: &str) -> Vec<String> {
    let lines = block(page, name).into_iter();
    lines
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Crates and edges of the page's block `edges` (`crate → used used …`; every crate uses
/// email2) against the workspace.
pub(crate) fn architecture_violations(
    page: &str,
    crates: &[String],
    edges: &[Edge],
) -> Vec<String> {
    let mut stated: Vec<(String, String)> = Vec::new();
    let mut named: Vec<String> = Vec::new();
    for line in block(page, "edges") {
        let (from, used) = line.split_once('→').unwrap_or((line, ""));
        let from = from.trim().to_owned();
        let used = used.split_whitespace().filter(|word| *word != "–");
        stated.extend(used.map(|to| (from.clone(), to.to_owned())));
        named.push(from);
    }
    let real: Vec<(String, String)> = edges
        .iter()
        .filter(|edge| edge.to != "email2" && !edge.development)
        .map(|edge| (edge.from.clone(), edge.to.clone()))
        .collect();
    let show = |pairs: &[(String, String)], other: &[(String, String)], what: &str| {
        let missing = pairs.iter().filter(|pair| !other.contains(pair));
        missing
            .map(|(from, to)| format!("{from} → {to} {what}"))
            .collect::<Vec<_>>()
    };
    let unnamed = crates.iter().filter(|name| !named.contains(name));
    let mut found: Vec<String> = unnamed.map(|name| format!("{name} is not named")).collect();
    found.extend(show(&stated, &real, "is stated and does not exist"));
    found.extend(show(&real, &stated, "exists and is not stated"));
    found
}

/// The commands of a page's `sh` blocks.
fn commands(page: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            _ if line.starts_with("```") => inside = false,
            _ if inside && !line.trim().is_empty() => found.push(line.trim()),
            _ => {}
        }
    }
    found
}

/// What can be run: programs of the workspace, their subcommands, scripts.
struct Runnable {
    /// Program, and its subcommands (none known: all are taken).
    programs: Vec<(String, Vec<String>)>,
    scripts: Vec<String>,
}

fn command_violation(command: &str, runnable: &Runnable) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let program = words
        .iter()
        .skip_while(|word| **word != "--bin")
        .nth(1)
        .or(words.first())?;
    if runnable.scripts.iter().any(|script| script == program) {
        return None;
    }
    let Some((_, subcommands)) = runnable.programs.iter().find(|(name, _)| name == program) else {
        return Some(format!("`{command}`: no program or script {program}"));
    };
    let subcommand = words.iter().skip(1).find(|word| !word.starts_with('-'))?;
    let cargo = words.first() == Some(&"cargo");
    let known = subcommands.is_empty() || subcommands.iter().any(|known| known == subcommand);
    (!cargo && !known).then(|| format!("`{command}`: {program} has no command {subcommand}"))
}

fn runnable() -> Runnable {
    let with_commands = |program: &str, folder: &str| {
        let files = tree::files(folder, "rs").into_iter();
        let names = files.map(|file| file.name().trim_end_matches(".rs").replace('_', "-"));
        (program.to_owned(), names.collect::<Vec<_>>())
    };
    let mut programs = vec![
        with_commands("email2", "crates/email2-cli/src/command"),
        with_commands("email2d", "crates/email2d/src/command"),
    ];
    let testbed = tree::files("crates/email2-testbed/src/bin", "rs").into_iter();
    programs.extend(testbed.map(|file| (file.name().trim_end_matches(".rs").to_owned(), vec![])));
    let scripts = ["scripts/test", "scripts/bench", ".ci/run"];
    Runnable {
        programs,
        scripts: scripts
            .into_iter()
            .filter(|script| tree::exists(script))
            .map(str::to_owned)
            .collect(),
    }
}

/// Links of a page to files of this repository that do not exist.
fn dead_links(page: &File) -> Vec<String> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = page.text.split("](").skip(1);
    links
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:"))
        .map(|link| match folder {
            "" => link.to_owned(),
            folder => format!("{folder}/{link}"),
        })
        .filter(|path| !tree::exists(path))
        .map(|path| format!("{}: {path} does not exist", page.path))
        .collect()
}

/// Tests that a page names as `file.rs::test` and that do not exist.
fn missing_tests(page: &File, sources: &[File]) -> Vec<String> {
    let spans = page.text.split('`').skip(1).step_by(2);
    let named = spans.filter_map(|span| span.split_once("::"));
    named
        .filter(|(path, _)| path.ends_with(".rs"))
        .filter(|(path, test)| {
            let defines = format!("fn {test}(");
            let holds = |file: &File| file.path.ends_with(*path) && file.text.contains(&defines);
            !sources.iter().any(holds)
        })
        .map(|(path, test)| format!("{}: no test {path}::{test}", page.path))
        .collect()
}

/// Entries of the page of decisions that are not three lines: what, why, instead of what.
fn malformed_decisions(page: &str) -> Vec<String> {
    let paragraphs = page.split("\n\n").map(str::trim);
    let entries = paragraphs.filter(|text| !text.is_empty() && !text.starts_with('#'));
    let is_well = |entry: &&str| {
        let lines: Vec<&str> = entry.lines().collect();
        matches!(lines.as_slice(), [_, _, last] if last.starts_with("Instead"))
    };
    // The first paragraph says how to read the page.
    let malformed = entries.skip(1).filter(|entry| !is_well(entry));
    malformed
        .map(|entry| format!("not three lines: {}", entry.lines().next().unwrap_or("")))
        .collect()
}

fn pages() -> Vec<File> {
    let mut pages: Vec<File> = ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md"]
        .into_iter()
        .map(|path| File::new(path, &tree::text(path)))
        .collect();
    pages.extend(tree::files("docs", "md"));
    pages
}

#[test]
fn the_quick_start_is_two_commands() {
    let readme = tree::text("README.md");
    let quick_start: String = readme
        .split("\n## ")
        .filter(|section| section.starts_with("Quick start"))
        .collect();
    let two = ["cargo run --release --bin email2-demo", "scripts/test"];
    assert_eq!(commands(&quick_start), two);
}

#[test]
fn commands_of_the_pages_exist() {
    let runnable = runnable();
    let mut found = Vec::new();
    for page in pages() {
        let commands = commands(&page.text);
        found.extend(
            commands
                .iter()
                .filter_map(|c| command_violation(c, &runnable)),
        );
    }
    hold("commands", &found);
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let found: Vec<String> = pages().iter().flat_map(dead_links).collect();
    hold("links", &found);
}

#[test]
fn promised_tests_exist() {
    let sources = tree::rust_files();
    let found: Vec<String> = pages()
        .iter()
        .flat_map(|page| missing_tests(page, &sources))
        .collect();
    hold("promised tests", &found);
}

#[test]
fn every_decision_has_three_lines() {
    let page = tree::text("docs/decisions.md");
    hold("decisions", &malformed_decisions(&page));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_runs_into_the_next_is_seen() {
        let entry = "What.\nWhy.\nInstead of that.\n";
        let page = |entries: &str| format!("# Decisions\n\nThree lines.\n\n## Names\n\n{entries}");
        assert!(malformed_decisions(&page(entry)).is_empty());
        assert!(malformed_decisions(&page(&format!("{entry}\n{entry}"))).is_empty());
        assert_eq!(
            malformed_decisions(&page(&format!("{entry}{entry}"))).len(),
            1
        );
        assert_eq!(malformed_decisions(&page("What.\nWhy.\n")).len(), 1);
    }

    #[test]
    fn an_edge_that_the_page_hides_or_invents_is_seen() {
        let page = "```text edges\na → b\n```\n";
        let edge = |from: &str, to: &str| Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            development: false,
            optional: false,
        };
        let crates = ["a".to_owned(), "b".to_owned()];
        let found = architecture_violations(page, &crates, &[edge("b", "a")]);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_command_that_does_not_exist_is_seen() {
        let runnable = Runnable {
            programs: vec![("email2".to_owned(), vec!["send".to_owned()])],
            scripts: vec!["scripts/test".to_owned()],
        };
        let seen = |command| command_violation(command, &runnable).is_some();
        assert!(!seen("email2 --json send bob@example.org"));
        assert!(!seen("cargo run --release --bin email2"));
        assert!(!seen("scripts/test"));
        assert!(seen("email2 teleport"));
        assert!(seen("cargo run --bin email3"));
    }

    #[test]
    fn a_dead_link_and_a_missing_test_are_seen() {
        let page = File::new(
            "README.md",
            "[x](docs/gone.md) [y](Cargo.toml) `a.rs::gone`",
        );
        assert_eq!(dead_links(&page).len(), 1);
        assert_eq!(
            missing_tests(&page, &[File::new("a.rs", "fn here() {}")]).len(),
            1
        );
    }
}

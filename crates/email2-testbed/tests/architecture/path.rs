//! The two paths can be read: one orchestrator each, short functions, few files.

use crate::source::{functions, production, take_apart};
use crate::tree::{self, File};
use crate::{documents, hold};

/// The files whose functions *are* the paths.
const ORCHESTRATORS: [&str; 2] = [
    "crates/email2d/src/mx.rs",
    "crates/email2-client/src/send.rs",
];

/// Lines of an orchestrator's function.
const LONGEST_ORCHESTRATION: usize = 40;
/// Lines of any function of production code (clippy does not count its first and last).
const LONGEST_FUNCTION: usize = 62;
/// The incoming path, as a reader opens it.
const FILES_OF_A_PATH: usize = 12;
const LINES_OF_A_PATH: usize = 3_000;

fn long_functions(file: &File, longest: usize) -> Vec<String> {
    let source = take_apart(production(&file.text));
    functions(&source.code)
        .into_iter()
        .filter(|function| function.length > longest)
        .map(|function| {
            let (name, lines) = (function.name, function.length);
            format!(
                "{}:{}: fn {name} has {lines} lines, at most {longest}",
                file.path, function.line
            )
        })
        .collect()
}

fn path_violations(files: &[File], inbound: &[String]) -> Vec<String> {
    let lines: usize = files
        .iter()
        .map(|file| production(&file.text).lines().count())
        .sum();
    let mut found = Vec::new();
    if files.len() > FILES_OF_A_PATH {
        found.push(format!("{} files, at most {FILES_OF_A_PATH}", files.len()));
    }
    if lines > LINES_OF_A_PATH {
        found.push(format!("{lines} lines, at most {LINES_OF_A_PATH}"));
    }
    let named = |path: &String| files.iter().any(|file| &file.path == path);
    let forgotten = inbound.iter().filter(|path| !named(path));
    found.extend(forgotten.map(|path| format!("{path} is on the path and not listed")));
    found.extend(
        files
            .iter()
            .filter(|file| file.text.is_empty())
            .map(|file| format!("{} is listed and does not exist", file.path)),
    );
    found
}

#[test]
fn orchestrators_are_read_at_a_glance() {
    for path in ORCHESTRATORS {
        let file = File::new(path, &tree::text(path));
        hold(
            "orchestrators",
            &long_functions(&file, LONGEST_ORCHESTRATION),
        );
    }
}

#[test]
fn no_function_is_monstrous() {
    let files = tree::rust_files();
    let found: Vec<String> = files
        .iter()
        .filter(|file| file.path.contains("/src/"))
        .flat_map(|file| long_functions(file, LONGEST_FUNCTION))
        .collect();
    hold("functions", &found);
}

#[test]
fn the_incoming_path_is_short() {
    let page = tree::text("ARCHITECTURE.md");
    let files: Vec<File> = documents::listed(&page, "incoming")
        .iter()
        .map(|path| File::new(path, &tree::text(path)))
        .collect();
    let steps = tree::files("crates/email2d/src/inbound", "rs");
    let mut inbound: Vec<String> = steps.into_iter().map(|file| file.path).collect();
    inbound.push("crates/email2d/src/mx.rs".to_owned());
    hold("the incoming path", &path_violations(&files, &inbound));
}

#[test]
fn a_long_orchestrator_is_seen() {
    let body = "    step();\n".repeat(LONGEST_ORCHESTRATION);
    let planted = File::new("mx.rs", &format!("fn receive() {{\n{body}}}\n"));
    assert_eq!(long_functions(&planted, LONGEST_ORCHESTRATION).len(), 1);
    assert_eq!(long_functions(&planted, LONGEST_FUNCTION).len(), 0);
}

#[test]
fn a_long_path_is_seen() {
    let long = "x\n".repeat(LINES_OF_A_PATH + 1);
    assert_eq!(path_violations(&[File::new("mx.rs", &long)], &[]).len(), 1);
    let many: Vec<File> = (0..13).map(|_| File::new("mx.rs", "x")).collect();
    assert_eq!(path_violations(&many, &[]).len(), 1);
    assert_eq!(path_violations(&[], &["spool.rs".to_owned()]).len(), 1);
    assert_eq!(path_violations(&[File::new("gone.rs", "")], &[]).len(), 1);
}

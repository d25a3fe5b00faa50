//! The tests against the mutants: all pass without one, one fails with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Mutant, SWITCH, copy, root};
use crate::failure::{Failure, Outcome, Step};

/// How many simulations a mutant meets.
const SEEDS: &str = "60";

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This test failed.
    Caught(String),
    /// Every test passed.
    Survived,
}

/// A test binary that was built.
#[derive(Clone, Debug)]
struct Binary {
    file: PathBuf,
    /// The folder of its crate, where it expects to run.
    folder: PathBuf,
}

/// Builds all mutants and runs their tests; `tell` hears of each.
///
/// # Errors
/// A mutant does not fit, the copy does not build, or a test fails without any mutant.
pub fn run(mutants: &[Mutant], tell: &mut dyn FnMut(&Mutant, &Verdict)) -> Outcome<()> {
    let root = root();
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| root.join("target"));
    let place = target.join("mutants");
    let tree = place.join("tree");
    copy::tree(&root, &tree, mutants)?;
    copy::build(&target.join("debug"), &place.join("build/debug"))?;
    let binaries = build(&tree, &place.join("build"), mutants)?;
    passes_without_mutants(&binaries, mutants)?;
    for mutant in mutants {
        let verdict = meet(mutant, &binaries)?;
        tell(mutant, &verdict);
    }
    Ok(())
}

fn passes_without_mutants(
    binaries: &BTreeMap<String, Vec<Binary>>,
    mutants: &[Mutant],
) -> Outcome<()> {
    let tests: BTreeSet<_> = mutants
        .iter()
        .map(|mutant| (&mutant.test, &mutant.filter))
        .collect();
    for (test, filter) in tests {
        for binary in binaries.get(test).into_iter().flatten() {
            let output = test_run(binary, filter, None)?;
            if !output.status.success() {
                let why = format!("it fails without any mutant:\n{}", text(&output));
                let step = format!("test {test}");
                return Err(Failure { step, why });
            }
        }
    }
    Ok(())
}

fn meet(mutant: &Mutant, binaries: &BTreeMap<String, Vec<Binary>>) -> Outcome<Verdict> {
    for binary in binaries.get(&mutant.test).into_iter().flatten() {
        let output = test_run(binary, &mutant.filter, Some(&mutant.name))?;
        if !output.status.success() {
            return Ok(Verdict::Caught(failed_test(&text(&output))));
        }
    }
    Ok(Verdict::Survived)
}

fn test_run(binary: &Binary, filter: &str, mutant: Option<&str>) -> Outcome<Output> {
    let mut command = Command::new(&binary.file);
    command.current_dir(&binary.folder).stdin(Stdio::null());
    command
        .env_remove("EMAIL2_SEED")
        .env_remove("EMAIL2_LONG")
        .env("EMAIL2_SEEDS", SEEDS);
    if !filter.is_empty() {
        command.arg(filter);
    }
    match mutant {
        Some(name) => command.env(SWITCH, name),
        None => command.env_remove(SWITCH),
    };
    command.output().step(binary.file.display().to_string())
}

/// The name of the first test that failed.
fn failed_test(text: &str) -> String {
    let failed = text.lines().find_map(|line| {
        let line = line.strip_prefix("test ")?;
        line.strip_suffix(" ... FAILED")
    });
    failed.unwrap_or("the process ended").to_owned()
}

/// Builds the tests that mutants meet, with the features of the whole workspace, so that
/// dependencies are those that were built already.
fn build(tree: &Path, target: &Path, mutants: &[Mutant]) -> Outcome<BTreeMap<String, Vec<Binary>>> {
    let tests: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.test.as_str()).collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--locked", "--workspace", "--no-run"])
        .args(tests.iter().flat_map(|test| ["--test", test]))
        .arg("--message-format=json-render-diagnostics")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(tree)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().step("cargo")?;
    if !output.status.success() {
        return Err(Failure {
            step: "the mutants".to_owned(),
            why: "they do not build".to_owned(),
        });
    }
    let mut binaries: BTreeMap<String, Vec<Binary>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((name, binary)) = built(line) {
            binaries.entry(name).or_default().push(binary);
        }
    }
    for test in tests {
        binaries.get(test).step(format!("test binary {test}"))?;
    }
    Ok(binaries)
}

/// The test binary that a line of cargo's messages tells of.
fn built(line: &str) -> Option<(String, Binary)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let file = message.get("executable")?.as_str()?;
    let target = message.get("target")?;
    let is_test = target.get("kind")?.get(0)?.as_str()? == "test";
    let name = target.get("name")?.as_str().filter(|_| is_test)?;
    let manifest = Path::new(message.get("manifest_path")?.as_str()?);
    let binary = Binary {
        file: PathBuf::from(file),
        folder: manifest.parent()?.to_owned(),
    };
    Some((name.to_owned(), binary))
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

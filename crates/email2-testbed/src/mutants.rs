//! Deliberate defects, each of which a test must catch: a test that catches nothing proves
//! nothing.
//!
//! All of them are put into one copy of the tree below `target/`, each behind a switch in the
//! environment, so that one build serves them all; the sources themselves know nothing of it.

mod copy;
mod run;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, Outcome, Step};
pub use run::{Verdict, run};

/// What names the mutant that is switched on.
pub const SWITCH: &str = "EMAIL2_MUTANT";

/// A defect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Its name.
    pub name: String,
    /// What is wrong then.
    pub says: String,
    /// The file it is in.
    pub file: PathBuf,
    /// The text that stands there once.
    pub find: String,
    /// What takes its place; `MUTANT` stands for whether the mutant is switched on.
    pub replace: String,
    /// The test binary that catches it.
    pub test: String,
    /// A part of the name of the test that catches it; empty: any.
    #[serde(default)]
    pub filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mutant: Vec<Mutant>,
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = crates.and_then(Path::parent);
    root.unwrap_or(Path::new(".")).to_owned()
}

/// All mutants, as `mutants.toml` has them.
///
/// # Errors
/// The file holds something else.
pub fn all() -> Outcome<Vec<Mutant>> {
    let file: File = toml::from_str(include_str!("../mutants.toml")).step("mutants.toml")?;
    Ok(file.mutant)
}

impl Mutant {
    /// Puts it into the text of its file.
    ///
    /// # Errors
    /// What it replaces does not stand there exactly once.
    pub fn put_into(&self, text: &str) -> Outcome<String> {
        let found = text.matches(&self.find).count();
        if found != 1 {
            return Err(Failure {
                step: format!("mutant {} in {}", self.name, self.file.display()),
                why: format!("what it replaces stands there {found} times, not once"),
            });
        }
        let switch = format!(
            "std::env::var_os(\"{SWITCH}\").is_some_and(|on| on == \"{}\")",
            self.name
        );
        let replace = self.replace.replace("MUTANT", &switch);
        Ok(text.replacen(&self.find, &replace, 1))
    }
}

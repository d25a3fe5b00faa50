//! The test vectors of the specification (`docs/spec/vectors`): one file is one
//! case with one expected outcome, made from fixed seeds at a fixed time, so that
//! making them twice gives the same octets.
//!
//! What is expected is written here by hand and never taken from the library;
//! `crates/email2/tests/vectors.rs` reads the files and compares.

mod addresses;
mod cast;
mod certificates;
mod chains;
mod dialogues;
mod protected;
mod records;
mod seals;
mod structures;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{Outcome, Step};
use cast::Cast;

/// One case.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The stable name, `layer-what`.
    pub id: String,
    /// What it is about: the name of the test that reads it.
    pub layer: &'static str,
    /// The sentence of the specification, `spec §4.1.1`.
    pub section: &'static str,
    /// Whether it is to be accepted.
    pub valid: bool,
    /// One sentence for people.
    pub says: &'static str,
    /// What goes in.
    pub given: Value,
    /// What must come out.
    pub outcome: Value,
}

impl Vector {
    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.json", self.id)
    }

    fn expect(&self) -> &'static str {
        if self.valid { "valid" } else { "invalid" }
    }

    fn body(&self) -> Value {
        json!({
            "id": self.id,
            "layer": self.layer,
            "section": self.section,
            "expect": self.expect(),
            "says": self.says,
            "given": self.given,
            "outcome": self.outcome,
        })
    }

    fn entry(&self) -> Value {
        json!({
            "id": self.id,
            "file": self.file(),
            "layer": self.layer,
            "expect": self.expect(),
            "section": self.section,
        })
    }
}

/// Every vector, in the order of the specification's chapters.
///
/// # Errors
/// A key or a seal could not be made.
pub fn all() -> Outcome<Vec<Vector>> {
    let cast = Cast::gather()?;
    let mut vectors = addresses::vectors();
    vectors.extend(records::vectors());
    vectors.extend(dialogues::vectors(&cast));
    vectors.extend(seals::vectors(&cast)?);
    vectors.extend(chains::vectors(&cast)?);
    vectors.extend(structures::vectors());
    vectors.extend(protected::vectors(&cast)?);
    vectors.extend(certificates::vectors(&cast)?);
    Ok(vectors)
}

/// The files of the folder: name and text, the index last.
///
/// # Errors
/// As [`all`].
pub fn files() -> Outcome<Vec<(String, String)>> {
    let vectors = all()?;
    let index = Value::Array(vectors.iter().map(Vector::entry).collect());
    let bodies = vectors
        .iter()
        .map(|vector| (vector.file(), text(&vector.body())));
    let mut files: Vec<_> = bodies.collect();
    files.push(("index.json".to_owned(), text(&index)));
    Ok(files)
}

/// Writes the folder anew and gives the number of vectors.
///
/// # Errors
/// As [`all`], and when the folder cannot be written.
pub fn write(folder: &Path) -> Outcome<usize> {
    let files = files()?;
    fs::create_dir_all(folder).step(folder.display().to_string())?;
    for (name, text) in &files {
        let path = folder.join(name);
        fs::write(&path, text).step(path.display().to_string())?;
    }
    Ok(files.len() - 1)
}

/// Names the files of the folder that are not as [`write()`] would make them.
///
/// # Errors
/// As [`all`].
pub fn differing(folder: &Path) -> Outcome<Vec<String>> {
    let differs = |(name, text): &(String, String)| {
        fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text)
    };
    let files = files()?;
    let names = files.into_iter().filter(differs).map(|(name, _)| name);
    Ok(names.collect())
}

/// The outcome of what is refused without a reason that has a name.
fn refused() -> Value {
    json!({ "refused": true })
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

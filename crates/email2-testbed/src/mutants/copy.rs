//! The copy of the tree that the mutants live in.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::Mutant;
use crate::failure::{Outcome, Step};

/// What is not copied, at the root.
const LEFT_OUT: [&str; 2] = ["target", ".git"];
/// What is taken over of what is built: dependencies need not be built again.
const BUILT: [&str; 3] = ["deps", "build", ".fingerprint"];

/// Copies the tree at `root` to `to` with all mutants in it. Files that are there already with
/// the same content stay, so that what did not change is not built again.
///
/// # Errors
/// A file cannot be read or written, or a mutant does not fit its file.
pub(super) fn tree(root: &Path, to: &Path, mutants: &[Mutant]) -> Outcome<()> {
    let mut changed: BTreeMap<PathBuf, String> = BTreeMap::new();
    for mutant in mutants {
        let text = match changed.remove(&mutant.file) {
            Some(text) => text,
            None => read(&root.join(&mutant.file))?,
        };
        changed.insert(mutant.file.clone(), mutant.put_into(&text)?);
    }
    for file in files(root)? {
        let below = file.strip_prefix(root).step("copy")?;
        let content = match changed.get(below) {
            Some(text) => text.clone().into_bytes(),
            None => fs::read(&file).step(below.display().to_string())?,
        };
        put(&to.join(below), &content)?;
    }
    Ok(())
}

/// Gives the build in `to` what was built in `from` already, by hard links.
///
/// # Errors
/// A link cannot be made.
pub(super) fn build(from: &Path, to: &Path) -> Outcome<()> {
    if to.exists() {
        return Ok(());
    }
    for part in BUILT {
        for file in all_below(&from.join(part))? {
            let below = file.strip_prefix(from).step("link")?;
            let target = to.join(below);
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder).step("link")?;
            }
            fs::hard_link(&file, &target).step(format!("link to {}", file.display()))?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).step(file.display().to_string())
}

fn put(file: &Path, content: &[u8]) -> Outcome<()> {
    if fs::read(file).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).step("copy")?;
    }
    fs::write(file, content).step(file.display().to_string())
}

fn files(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).step("copy")? {
        let path = entry.step("copy")?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if LEFT_OUT.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files.extend(all_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn all_below(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let (mut waiting, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).step(folder.display().to_string())? {
            let entry = entry.step("copy")?;
            if entry.file_type().step("copy")?.is_dir() {
                waiting.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

//! Where the messages are: our cases, and the resources of the crates mail-parser and mail-auth.

use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use email2_testbed::failure::{Outcome, Step};

/// Crates whose resources hold messages, and how many.
const CRATES: [(&str, usize); 2] = [("mail-parser", 107), ("mail-auth", 81)];

/// A message, under the name of its collection and file.
pub(crate) struct Eml {
    pub(crate) name: String,
    pub(crate) octets: Vec<u8>,
}

/// Every message, by name.
pub(crate) fn all() -> Outcome<Vec<Eml>> {
    let mut found = read(
        "cases",
        &PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases"),
    )?;
    for (name, count) in CRATES {
        let messages = read(name, &resources(name)?)?;
        assert_eq!(messages.len(), count, "{name}");
        found.extend(messages);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The resource folder of a dependency.
fn resources(name: &str) -> Outcome<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()])
        .exec();
    let metadata = metadata.step("cargo metadata")?;
    let package = metadata
        .packages
        .into_iter()
        .find(|package| package.name.as_str() == name);
    let manifest = package.step(name)?.manifest_path;
    Ok(manifest.with_file_name("resources").into_std_path_buf())
}

fn read(collection: &str, folder: &Path) -> Outcome<Vec<Eml>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next)
            .step(next.display().to_string())?
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                let inside = path.strip_prefix(folder).unwrap_or(&path).display();
                found.push(Eml {
                    name: format!("{collection}/{inside}"),
                    octets: std::fs::read(&path).step(path.display().to_string())?,
                });
            }
        }
    }
    Ok(found)
}

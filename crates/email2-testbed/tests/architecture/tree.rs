//! The repository as files: paths relative to its root, and their text.

use std::path::{Path, PathBuf};

/// One text file.
pub(crate) struct File {
    /// Path from the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The last component.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .unwrap_or(manifest)
        .to_path_buf()
}

/// The text of one file, empty when it does not exist.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Whether the path exists.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// All files below `folder` whose name ends in `.extension`, sorted by path.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|is| is == extension) {
                found.extend(read(&path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All Rust files of the workspace.
pub(crate) fn rust_files() -> Vec<File> {
    files("crates", "rs")
}

fn read(path: &Path) -> Option<File> {
    let text = std::fs::read_to_string(path).ok()?;
    let relative = path.strip_prefix(root()).ok()?;
    Some(File::new(&relative.to_string_lossy(), &text))
}

#[test]
fn the_tree_is_seen() {
    let here = "crates/email2-testbed/tests/architecture.rs";
    assert!(rust_files().iter().any(|file| file.path == here));
    assert!(text("Cargo.toml").contains("[workspace]"));
}

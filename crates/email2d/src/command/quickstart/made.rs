//! What quickstart made, so that a failure halfway leaves nothing behind.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Plan;
use crate::command::Failure;

/// The files and directories that were not there before.
#[derive(Debug)]
pub(super) struct Made {
    files: Vec<PathBuf>,
    /// Deepest first.
    folders: Vec<PathBuf>,
    data: Data,
}

/// The data directory as it was.
#[derive(Debug)]
enum Data {
    /// A store was in it, which is none of ours.
    Kept,
    /// It had these entries, and no store.
    Had {
        folder: PathBuf,
        entries: BTreeSet<OsString>,
    },
}

impl Made {
    /// Nothing yet.
    pub(super) fn before(plan: &Plan) -> Made {
        let data = if plan.data.join("store.sqlite").exists() {
            Data::Kept
        } else {
            Data::Had {
                folder: plan.data.clone(),
                entries: entries(&plan.data),
            }
        };
        Made {
            files: Vec::new(),
            folders: missing(&plan.data),
            data,
        }
    }

    /// Writes a new file, with the directories above it.
    pub(super) fn write(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
        let failed = |error| Failure::cannot_create(format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            let new = missing(folder);
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(folder)
                .map_err(failed)?;
            self.folders.splice(0..0, new);
        }
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        let mut file = options.open(path).map_err(failed)?;
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Takes it all back; a directory that something else lies in stays.
    pub(super) fn undo(self) {
        if let Data::Had {
            folder,
            entries: had,
        } = &self.data
        {
            for name in entries(folder).difference(had) {
                let path = folder.join(name);
                let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
            }
        }
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        for folder in &self.folders {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// The directories that are missing on the way to `folder`, deepest first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let above = folder.ancestors().take_while(|above| !above.exists());
    above.map(Path::to_owned).collect()
}

fn entries(folder: &Path) -> BTreeSet<OsString> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    found.flatten().map(|entry| entry.file_name()).collect()
}

//! Attachments are saved: inside the folder that was chosen, over nothing that
//! is there, under a name that can do no harm.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::read::Attached;

/// Longest name that is written, octets: file systems take 255.
const NAME_OCTETS: usize = 120;
/// How many files of one name are numbered before giving up.
const SAME_NAMES: usize = 10_000;

/// Why an attachment cannot be saved. Sysexits 73.
#[derive(Debug, thiserror::Error)]
#[error("cannot save {}: {error}", path.display())]
pub struct SaveError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Saves an attachment into a folder and says where. A name that is taken gets
/// a number; a link is not followed.
///
/// # Errors
/// [`SaveError`].
pub fn save(attached: &Attached, folder: &Path) -> Result<PathBuf, SaveError> {
    let name = safe_name(attached);
    let (path, mut file) = create(folder, &name)?;
    let written = file
        .write_all(&attached.content)
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(SaveError { path, error }),
    }
}

fn create(folder: &Path, name: &str) -> Result<(PathBuf, File), SaveError> {
    let mut path = folder.join(name);
    for number in 2..SAME_NAMES {
        // `create_new` neither overwrites nor follows a link (O_EXCL).
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match opened {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = folder.join(numbered(name, number));
            }
            Err(error) => return Err(SaveError { path, error }),
        }
    }
    let error = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(SaveError { path, error })
}

/// `a.txt` becomes `a (2).txt`.
fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem} ({number}).{extension}"),
        None => format!("{name} ({number})"),
    }
}

/// The name under which an attachment is saved: one component, no leading dot
/// or dash, nothing invisible, of bounded length.
#[must_use]
pub fn safe_name(attached: &Attached) -> String {
    let given = attached.name.as_deref().unwrap_or_default();
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().map(visible).collect();
    let trimmed = visible
        .trim_start_matches(['.', '-', ' ', '~'])
        .trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        format!("part-{}{}", attached.part, extension(&attached.kind))
    } else {
        shortened(trimmed)
    }
}

/// Control and bidirectional characters, and what shells and other systems read
/// as more than a letter, become `_`.
fn visible(character: char) -> char {
    let hostile = matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    if hostile || crate::display::is_hostile(character) {
        '_'
    } else {
        character
    }
}

/// Keeps the extension of a name that is too long.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_OCTETS {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let room = NAME_OCTETS - extension.len();
    let mut kept = String::new();
    for character in stem.chars() {
        if kept.len() + character.len_utf8() > room {
            break;
        }
        kept.push(character);
    }
    kept + &extension
}

fn extension(kind: &str) -> &'static str {
    match kind {
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "message/rfc822" | "multipart/signed" | "multipart/encrypted" => ".eml",
        "application/pdf" => ".pdf",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "application/pgp-keys" => ".asc",
        _ => ".bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Attached {
        Attached {
            part: 3,
            kind: "application/octet-stream".to_owned(),
            name: Some(name.to_owned()),
            size: 1,
            content: b"x".to_vec(),
        }
    }

    #[test]
    fn names_cannot_leave_the_folder_or_hide() {
        let safe = [
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/cron.d/x", "x"),
            ("..\\..\\x.bat", "x.bat"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("", "part-3.bin"),
            ("..", "part-3.bin"),
            ("nul\0.txt", "nul_.txt"),
            ("a\u{1b}[31m.txt", "a_[31m.txt"),
            ("gpj.\u{202e}exe", "gpj._exe"),
            ("C:evil", "C_evil"),
        ];
        for (given, expected) in safe {
            assert_eq!(safe_name(&named(given)), expected, "{given:?}");
        }
        let long = format!("{}.txt", "\u{e9}".repeat(500));
        let name = safe_name(&named(&long));
        assert!(name.len() <= NAME_OCTETS && name.ends_with(".txt"));
    }

    #[test]
    fn nothing_is_overwritten_and_no_link_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join("a.txt")).unwrap();
        let first = save(&named("a.txt"), folder.path()).unwrap();
        let second = save(&named("a.txt"), folder.path()).unwrap();
        assert_eq!(first, folder.path().join("a (2).txt"));
        assert_eq!(second, folder.path().join("a (3).txt"));
        assert!(!target.exists());
    }
}

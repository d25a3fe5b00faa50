//! The recovery kit as two files.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_client::{Client, backup};
use serde::Serialize;

use crate::exit::{Code, Failure};

/// Where the two parts of a kit are.
#[derive(Serialize)]
pub(crate) struct Files {
    kit: String,
    passphrase: String,
}

impl Files {
    /// For people.
    pub(crate) fn lines(&self) -> String {
        format!(
            "Recovery kit: {}\nIts passphrase: {}\nPrint or move both, to two places, and delete them here.\n",
            self.kit, self.passphrase
        )
    }
}

/// Writes the kit and its passphrase into `dir`: new files that only their owner can read.
///
/// # Errors
/// A file is there already or cannot be written.
pub(crate) fn write(
    client: &Client,
    key: &SecretKey,
    address: &Address,
    dir: &Path,
) -> Result<Files, Failure> {
    let now = super::date(client.world().now());
    let kit = backup::make(key, address, &now, &mut client.world().rng())?;
    let day = now.split('T').next().unwrap_or_default();
    let path = |what: &str| dir.join(format!("email2-{address}-{day}-{what}.txt"));
    let (text, passphrase) = (path("kit"), path("passphrase"));
    create(&text, kit.text.as_bytes())?;
    create(&passphrase, format!("{}\n", *kit.passphrase).as_bytes())?;
    Ok(Files {
        kit: text.display().to_string(),
        passphrase: passphrase.display().to_string(),
    })
}

fn create(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.map_err(|error| {
        Failure::new(
            Code::CannotCreate,
            format_args!("cannot write {}: {error}", path.display()),
        )
    })
}

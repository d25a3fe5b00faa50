//! Where a client keeps its files: `EMAIL2_HOME`, or the XDG directories
//! (docs/conventions.md). All of them are their owner's alone.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use email2::Address;
use email2_remote::HomeTrust;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The directories of a client.
#[derive(Clone, Debug)]
pub struct Place {
    config: PathBuf,
    data: PathBuf,
}

/// Whose client it is, once it is set up.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address.
    pub address: Address,
    /// A certification authority that the person gave (PEM).
    pub ca_file: Option<PathBuf>,
}

impl Account {
    /// What the person's own server is trusted by, besides the system's authorities.
    pub(crate) fn trust(&self) -> Option<HomeTrust> {
        let ca_file = self.ca_file.clone()?;
        let domain = self.address.domain().clone();
        Some(HomeTrust { domain, ca_file })
    }
}

/// `account.toml`.
#[derive(Debug, Deserialize, Serialize)]
struct AccountFile {
    address: String,
    ca_file: Option<PathBuf>,
}

/// Why a file of the place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It holds something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Neither EMAIL2_HOME nor a home directory is known.
    #[error("no home directory: set EMAIL2_HOME or HOME")]
    NoHome,
}

const ACCOUNT: &str = "account.toml";
const AUTHORITY: &str = "authority.pem";

impl Place {
    /// The place that the environment names.
    ///
    /// # Errors
    /// [`PlaceError::NoHome`].
    pub fn from_environment() -> Result<Place, PlaceError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(home) = variable("EMAIL2_HOME") {
            return Ok(Place::at(Path::new(&home)));
        }
        let home = variable("HOME").map(PathBuf::from);
        let under = |name, default: &str| {
            let given = variable(name).map(PathBuf::from);
            given.or_else(|| home.as_ref().map(|home| home.join(default)))
        };
        let config = under("XDG_CONFIG_HOME", ".config").ok_or(PlaceError::NoHome)?;
        let data = under("XDG_DATA_HOME", ".local/share").ok_or(PlaceError::NoHome)?;
        Ok(Place {
            config: config.join("email2"),
            data: data.join("email2"),
        })
    }

    /// Everything in one directory.
    #[must_use]
    pub fn at(home: &Path) -> Place {
        Place {
            config: home.to_owned(),
            data: home.to_owned(),
        }
    }

    /// The configuration file, which need not exist.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The signature that stands below letters, which need not exist.
    #[must_use]
    pub fn signature_file(&self) -> PathBuf {
        self.config.join("signature.txt")
    }

    /// The directory of the store; made with its parents when absent.
    ///
    /// # Errors
    /// [`PlaceError::File`].
    pub fn store_directory(&self) -> Result<PathBuf, PlaceError> {
        self.make()?;
        Ok(self.data.join("store"))
    }

    /// The account that was set up here, if any.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn account(&self) -> Result<Option<Account>, PlaceError> {
        let path = self.data.join(ACCOUNT);
        let Some(octets) = read(&path)? else {
            return Ok(None);
        };
        let content = |what: String| PlaceError::Content {
            path: path.clone(),
            what,
        };
        let text = String::from_utf8_lossy(&octets);
        let file: AccountFile =
            toml::from_str(&text).map_err(|error| content(error.to_string()))?;
        let address = Address::parse(&file.address).map_err(|error| content(error.to_string()))?;
        Ok(Some(Account {
            address,
            ca_file: file.ca_file,
        }))
    }

    /// Remembers whose client this is, with a copy of the authority that the person gave.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn set_account(
        &self,
        address: &Address,
        authority: Option<&[u8]>,
    ) -> Result<(), PlaceError> {
        let ca_file = match authority {
            Some(pem) => {
                self.write(AUTHORITY, pem)?;
                Some(self.data.join(AUTHORITY))
            }
            None => None,
        };
        let file = AccountFile {
            address: address.to_string(),
            ca_file,
        };
        let text = toml::to_string(&file).map_err(|error| PlaceError::Content {
            path: self.data.join(ACCOUNT),
            what: error.to_string(),
        })?;
        self.write(ACCOUNT, text.as_bytes())
    }

    /// A file's octets; `None` when there is none.
    ///
    /// # Errors
    /// [`PlaceError::File`].
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, PlaceError> {
        read(&self.data.join(name))
    }

    /// Writes a file as a whole: the old one or the new one is there, whatever happens. Only its
    /// owner can read it.
    ///
    /// # Errors
    /// [`PlaceError::File`].
    pub(crate) fn write(&self, name: &str, octets: &[u8]) -> Result<(), PlaceError> {
        self.make()?;
        let path = self.data.join(name);
        replace(&path, octets).map_err(|error| PlaceError::File { path, error })
    }

    /// The names of the files that begin with `prefix`, in order.
    ///
    /// # Errors
    /// [`PlaceError::File`].
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>, PlaceError> {
        self.make()?;
        let failed = |error| PlaceError::File {
            path: self.data.clone(),
            error,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.data).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().map(str::to_owned));
        }
        names.retain(|name| name.starts_with(prefix) && !name.ends_with(".new"));
        names.sort();
        Ok(names)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// [`PlaceError::File`].
    pub(crate) fn remove(&self, name: &str) -> Result<(), PlaceError> {
        let path = self.data.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PlaceError::File { path, error })
            }
            _ => Ok(()),
        }
    }

    fn make(&self) -> Result<(), PlaceError> {
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.data)
            .map_err(|error| PlaceError::File {
                path: self.data.clone(),
                error,
            })
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PlaceError> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(Zeroizing::new(octets))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PlaceError::File {
            path: path.to_owned(),
            error,
        }),
    }
}

fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // A left-over of an interrupted write must not keep other permissions.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_account_is_found_again_and_its_files_are_private() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::at(home.path());
        assert!(place.account().unwrap().is_none());
        let bob = Address::parse("bob@example.org").unwrap();
        place.set_account(&bob, Some(b"pem")).unwrap();
        let account = place.account().unwrap().unwrap();
        assert_eq!(account.address, bob);
        let authority = account.ca_file.unwrap();
        assert_eq!(fs::read(&authority).unwrap(), b"pem");
        assert_eq!(
            fs::metadata(&authority).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

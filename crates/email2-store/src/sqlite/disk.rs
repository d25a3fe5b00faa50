//! What the store asks of the operating system, all of it, in one place: tests put
//! a disk there that loses power.

use std::any::Any;
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::Threads;

/// What a store stands on.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// Its disk.
    pub(crate) disk: Arc<dyn Disk>,
    /// Who does the work.
    pub(crate) threads: Threads,
    /// Threads that read, if there are any.
    pub(crate) readers: usize,
    /// Pages in the log from which on it is moved into the database.
    pub(crate) log_pages: u64,
    /// SQLite's `PRAGMA synchronous`.
    pub(crate) synchronous: &'static str,
    /// Where there are threads, a database whose server was cut off is looked at beside the next.
    pub(crate) checks_beside: bool,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            disk: Arc::new(SystemDisk),
            threads: Threads::Own,
            readers: 4,
            log_pages: 1000,
            synchronous: "FULL",
            checks_beside: true,
        }
    }
}

/// A lock; dropped, it is free.
pub(crate) type Lock = Box<dyn Any + Send>;

/// A file in a directory.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: OsString,
    /// When it was last written, Unix seconds.
    pub(crate) written: u64,
}

/// A disk with directories and files. What was written is on stable storage after
/// [`DiskFile::sync`], a name after [`Names::sync`].
pub(crate) trait Disk: Debug + Send + Sync {
    /// The name of SQLite's access to it (a VFS).
    fn vfs(&self) -> &str;

    /// Makes a directory (0700), with those above it; their names are on stable storage.
    fn make_directory(&self, directory: &Path) -> Result<()>;

    /// The names in a directory. Held open, so that a sync needs nothing that can run out.
    fn names(&self, directory: &Path) -> Result<Box<dyn Names>>;

    /// Makes a file (0600) where there is none.
    fn ensure(&self, file: &Path) -> Result<()>;

    /// Locks a file (0600), made if there is none; `None` while somebody else has it.
    fn lock(&self, file: &Path) -> Result<Option<Lock>>;

    /// Makes a file (0600); there must be none.
    fn create(&self, file: &Path) -> Result<Box<dyn DiskFile>>;

    /// Opens a file to read it.
    fn open(&self, file: &Path) -> Result<Box<dyn DiskFile>>;

    /// Removes a name.
    fn remove(&self, file: &Path) -> Result<()>;

    /// The files in a directory.
    fn list(&self, directory: &Path) -> Result<Vec<Listed>>;
}

/// The names in a directory.
pub(crate) trait Names: Debug + Send + Sync {
    /// Brings them to stable storage.
    fn sync(&self) -> Result<()>;
}

/// An open file.
pub(crate) trait DiskFile: Send + Sync {
    /// Writes at the end.
    fn append(&mut self, octets: &[u8]) -> Result<()>;

    /// Brings what was written to stable storage.
    fn sync(&self) -> Result<()>;

    /// At most `wanted` octets from `from` on; fewer only at the end.
    fn read(&self, from: u64, wanted: usize) -> Result<Vec<u8>>;
}

/// The disk of this machine.
#[derive(Debug)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn vfs(&self) -> &'static str {
        "unix"
    }

    fn make_directory(&self, directory: &Path) -> Result<()> {
        let is_missing =
            |directory: &&Path| !directory.as_os_str().is_empty() && !directory.exists();
        let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        // Whoever made it before may have been cut off before this.
        let all = missing.into_iter().chain([directory]);
        let mut parents = all.filter_map(Path::parent);
        parents.try_for_each(
            |parent| match self.names(parent).and_then(|names| names.sync()) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
                synced => synced,
            },
        )
    }

    fn names(&self, directory: &Path) -> Result<Box<dyn Names>> {
        let here = directory.as_os_str().is_empty();
        let directory = if here { Path::new(".") } else { directory };
        Ok(Box::new(Directory(File::open(directory)?)))
    }

    fn ensure(&self, file: &Path) -> Result<()> {
        private(file).map(|_| ())
    }

    fn lock(&self, file: &Path) -> Result<Option<Lock>> {
        let file = private(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create(&self, file: &Path) -> Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let created = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)?;
        Ok(Box::new(created))
    }

    fn open(&self, file: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::open(file)?))
    }

    fn remove(&self, file: &Path) -> Result<()> {
        std::fs::remove_file(file)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Listed>> {
        let listed = |entry: Result<std::fs::DirEntry>| {
            let entry = entry?;
            Ok(Listed {
                name: entry.file_name(),
                written: u64::try_from(entry.metadata()?.mtime()).unwrap_or(0),
            })
        };
        std::fs::read_dir(directory)?.map(listed).collect()
    }
}

#[derive(Debug)]
struct Directory(File);

impl Names for Directory {
    fn sync(&self) -> Result<()> {
        self.0.sync_all()
    }
}

/// Opens or makes a file that only its owner reads.
fn private(file: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
}

impl DiskFile for File {
    fn append(&mut self, octets: &[u8]) -> Result<()> {
        self.write_all(octets)
    }

    fn sync(&self) -> Result<()> {
        self.sync_all()
    }

    fn read(&self, from: u64, wanted: usize) -> Result<Vec<u8>> {
        let left = self.metadata()?.len().saturating_sub(from);
        let length = wanted.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut octets = vec![0; length];
        self.read_exact_at(&mut octets, from)?;
        Ok(octets)
    }
}

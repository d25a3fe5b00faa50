//! A disk that loses power. Files that SQLite opens (`vfs.rs`) and files that the store opens
//! itself lie on the same disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::file::OpenFile;
use super::platter::{Entry, Node, Plan, State};
use crate::conformance::NOW;
use crate::sqlite::disk::{Disk, DiskFile, Listed, Lock, Names};

/// How long whoever closes files may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The disk. Its names begin with `/power/<number>`.
pub(crate) struct PowerDisk {
    number: u64,
    state: Mutex<State>,
    pub(super) closed: Condvar,
}

static DISKS: Mutex<BTreeMap<u64, Arc<PowerDisk>>> = Mutex::new(BTreeMap::new());
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// The disk that a name lies on.
pub(crate) fn disk_of(path: &str) -> Option<Arc<PowerDisk>> {
    let number = path.strip_prefix("/power/")?.split('/').next()?;
    DISKS.lock().unwrap().get(&number.parse().ok()?).cloned()
}

/// What is left of a disk, to make disks of.
#[derive(Clone)]
pub(crate) struct Image {
    pub(super) files: Vec<Vec<u8>>,
    pub(super) names: BTreeMap<PathBuf, Entry>,
}

impl Image {
    /// Nothing but a root.
    pub(crate) fn empty() -> Self {
        Self {
            files: Vec::new(),
            names: BTreeMap::from([(PathBuf::new(), Entry::Directory)]),
        }
    }

    /// A disk with this on it.
    pub(crate) fn start(&self, plan: Plan, seed: u64) -> Arc<PowerDisk> {
        crate::sqlite::tests::power::vfs::register();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = PathBuf::from(format!("/power/{number}"));
        let node = |octets: &Vec<u8>| Node {
            live: octets.clone(),
            durable: octets.clone(),
            ..Node::default()
        };
        let names: BTreeMap<PathBuf, Entry> = self
            .names
            .iter()
            .map(|(path, entry)| (root.join(path), *entry))
            .collect();
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            plan,
            nodes: self.files.iter().map(node).collect(),
            live: names.clone(),
            durable: names,
            unsynced: Vec::new(),
            locked: BTreeSet::new(),
            changes: 0,
            fsyncs: 0,
            is_out: false,
            handles: BTreeSet::new(),
            given: 0,
        };
        let disk = Arc::new(PowerDisk {
            number,
            state: Mutex::new(state),
            closed: Condvar::new(),
        });
        DISKS.lock().unwrap().insert(number, Arc::clone(&disk));
        disk
    }
}

impl PowerDisk {
    /// Where a store lies on it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.root().join("var/store")
    }

    fn root(&self) -> PathBuf {
        PathBuf::from(format!("/power/{}", self.number))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often something was synced.
    pub(crate) fn fsyncs(&self) -> u64 {
        self.state().fsyncs
    }

    /// From now on nothing grows.
    pub(crate) fn fill(&self) {
        self.state().plan.full = 0..u64::MAX;
    }

    /// Whether the power is out.
    pub(crate) fn is_out(&self) -> bool {
        self.state().is_out
    }

    /// The power goes once all files are closed, unless it went before; what is left. While
    /// files are being closed it goes at the planned change only: else no seed would replay.
    pub(crate) fn lose_power(&self) -> Image {
        self.wait_until_closed();
        self.state().is_out = true;
        self.state().survive(&self.root())
    }

    /// What is on it once all files are closed, in peace.
    pub(crate) fn image(&self) -> Image {
        self.wait_until_closed();
        let mut state = self.state();
        for node in &mut state.nodes {
            node.durable = node.live.clone();
            node.unsynced.clear();
        }
        state.durable = state.live.clone();
        state.unsynced.clear();
        state.survive(&self.root())
    }

    fn wait_until_closed(&self) {
        let state = self.state();
        let (state, waited) = self
            .closed
            .wait_timeout_while(state, PATIENCE, |state| !state.handles.is_empty())
            .unwrap();
        assert!(
            !waited.timed_out(),
            "{} files stay open",
            state.handles.len()
        );
        drop(state);
        DISKS.lock().unwrap().remove(&self.number);
    }
}

/// The disk as the store sees it.
#[derive(Clone)]
pub(crate) struct Power(pub(crate) Arc<PowerDisk>);

impl std::fmt::Debug for Power {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Power({})", self.0.number)
    }
}

struct Locked {
    disk: Arc<PowerDisk>,
    path: PathBuf,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}

#[derive(Debug)]
struct DirectoryNames {
    disk: Power,
    directory: PathBuf,
}

impl Names for DirectoryNames {
    fn sync(&self) -> Result<()> {
        self.disk.0.state().sync_directory(&self.directory)
    }
}

impl Disk for Power {
    fn vfs(&self) -> &str {
        super::vfs::NAME
    }

    fn make_directory(&self, directory: &Path) -> Result<()> {
        let root = self.0.root();
        let mut state = self.0.state();
        let missing: Vec<&Path> = directory
            .ancestors()
            .take_while(|above| !state.live.contains_key(*above))
            .collect();
        for made in missing.iter().rev() {
            state.name(made, Some(Entry::Directory))?;
        }
        for made in missing.into_iter().chain([directory]) {
            let parent = made.parent().filter(|parent| parent.starts_with(&root));
            parent.map_or(Ok(()), |parent| state.sync_directory(parent))?;
        }
        Ok(())
    }

    fn names(&self, directory: &Path) -> Result<Box<dyn Names>> {
        Ok(Box::new(DirectoryNames {
            disk: self.clone(),
            directory: directory.to_owned(),
        }))
    }

    fn ensure(&self, file: &Path) -> Result<()> {
        let mut state = self.0.state();
        match state.file(file)? {
            Some(_) => Ok(()),
            None => state.create(file).map(|_| ()),
        }
    }

    fn lock(&self, file: &Path) -> Result<Option<Lock>> {
        self.ensure(file)?;
        if !self.0.state().locked.insert(file.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Locked {
            disk: Arc::clone(&self.0),
            path: file.to_owned(),
        })))
    }

    fn create(&self, file: &Path) -> Result<Box<dyn DiskFile>> {
        let mut state = self.0.state();
        if state.file(file)?.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let node = state.create(file)?;
        drop(state);
        Ok(Box::new(OpenFile::open(&self.0, node, false)))
    }

    fn open(&self, file: &Path) -> Result<Box<dyn DiskFile>> {
        let node = self.0.state().file(file)?;
        let node = node.ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        Ok(Box::new(OpenFile::open(&self.0, node, false)))
    }

    fn remove(&self, file: &Path) -> Result<()> {
        self.0.state().remove(file)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Listed>> {
        let state = self.0.state();
        state.powered()?;
        let here = state.live.iter().filter(|(path, entry)| {
            path.parent() == Some(directory) && matches!(entry, Entry::File(_))
        });
        Ok(here
            .map(|(path, _)| Listed {
                name: path.file_name().unwrap_or_default().to_owned(),
                written: NOW,
            })
            .collect())
    }
}

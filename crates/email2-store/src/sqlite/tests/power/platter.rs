//! What is on a [`PowerDisk`](super::disk::PowerDisk), and what is left of it when the power
//! goes: what was not synced may be lost, kept or torn, sector by sector; a name that was made
//! or removed may be there or not until its directory is synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use sqlite_plugin::flags::LockLevel;

use super::disk::Image;

/// What is written at once or not at all, octets.
const SECTOR: usize = 512;

/// What goes wrong, counted in changes of the disk: every write, sync, name made or removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The power goes in this change.
    pub(crate) out_at: Option<u64>,
    /// During these changes nothing grows.
    pub(crate) full: Range<u64>,
    /// From this change on the next sync fails, and with it what it should have kept.
    pub(crate) sync_fails_from: Option<u64>,
    /// What the disk says it did, and does not.
    pub(crate) lies: Lies,
}

/// A disk that is not fit to keep mail: each must be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lies {
    /// An honest disk.
    #[default]
    None,
    /// No sync does anything.
    Syncs,
    /// Syncing a directory does nothing.
    Directories,
    /// Syncing a file that SQLite did not open does nothing.
    Bodies,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    Directory,
    File(usize),
}

pub(super) enum Change {
    Write { at: usize, octets: Vec<u8> },
    Length(usize),
}

/// Who holds a byte of SQLite's shared memory.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) shared: BTreeSet<u64>,
    pub(super) exclusive: Option<u64>,
}

#[derive(Default)]
pub(super) struct Node {
    pub(super) live: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: Vec<Change>,
    /// SQLite syncs the directory with the first sync of a log or journal.
    pub(super) syncs_directory: bool,
    pub(super) locks: BTreeMap<u64, LockLevel>,
    pub(super) memory: Vec<Vec<u64>>,
    pub(super) slots: [Slot; 8],
}

pub(crate) struct State {
    pub(super) rng: ChaCha8Rng,
    pub(super) plan: Plan,
    pub(super) nodes: Vec<Node>,
    pub(super) live: BTreeMap<PathBuf, Entry>,
    pub(super) durable: BTreeMap<PathBuf, Entry>,
    pub(super) unsynced: Vec<(PathBuf, Option<Entry>)>,
    pub(super) locked: BTreeSet<PathBuf>,
    pub(super) changes: u64,
    pub(super) fsyncs: u64,
    pub(super) is_out: bool,
    pub(super) handles: BTreeSet<u64>,
    pub(super) given: u64,
}

pub(super) fn out() -> Error {
    Error::other("the power is out")
}

impl State {
    pub(super) fn chance(&mut self, one_in: u32) -> bool {
        self.rng.next_u32().is_multiple_of(one_in)
    }

    /// Every change of the disk begins here.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.is_out {
            return Err(out());
        }
        self.changes += 1;
        Ok(())
    }

    /// And ends here: the power may go while it is done.
    pub(super) fn end(&mut self) -> Result<()> {
        self.is_out = self.is_out || self.plan.out_at.is_some_and(|at| self.changes >= at);
        if self.is_out { Err(out()) } else { Ok(()) }
    }

    pub(super) fn room(&self) -> Result<()> {
        match self.plan.full.contains(&self.changes) {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    pub(super) fn name(&mut self, path: &Path, entry: Option<Entry>) -> Result<()> {
        self.begin()?;
        if entry.is_some() {
            self.room()?;
        }
        match entry {
            Some(entry) => self.live.insert(path.to_owned(), entry),
            None => self.live.remove(path),
        };
        self.unsynced.push((path.to_owned(), entry));
        self.end()
    }

    pub(super) fn write(&mut self, node: usize, at: usize, octets: &[u8]) -> Result<()> {
        self.begin()?;
        let end = at + octets.len();
        if end > self.nodes[node].live.len() {
            self.room()?;
            self.nodes[node].live.resize(end, 0);
        }
        self.nodes[node].live[at..end].copy_from_slice(octets);
        let octets = octets.to_vec();
        self.nodes[node].unsynced.push(Change::Write { at, octets });
        self.end()
    }

    pub(super) fn truncate(&mut self, node: usize, length: usize) -> Result<()> {
        self.begin()?;
        self.nodes[node].live.resize(length, 0);
        self.nodes[node].unsynced.push(Change::Length(length));
        self.end()
    }

    /// Whether a sync does what it says.
    pub(super) fn sync_begins(&mut self, is_honest: bool) -> Result<bool> {
        self.begin()?;
        self.end()?;
        self.fsyncs += 1;
        Ok(is_honest && self.plan.lies != Lies::Syncs)
    }

    pub(super) fn sync_fails(&mut self) -> bool {
        let fails = self
            .plan
            .sync_fails_from
            .is_some_and(|from| self.changes >= from);
        if fails {
            self.plan.sync_fails_from = None;
        }
        fails
    }

    pub(super) fn sync(&mut self, node: usize, is_honest: bool) -> Result<()> {
        let does = self.sync_begins(is_honest)?;
        let fails = self.sync_fails();
        let found = &mut self.nodes[node];
        let unsynced = match does {
            true => std::mem::take(&mut found.unsynced),
            false => Vec::new(),
        };
        if fails {
            // What a failed sync was to keep is forgotten: no later one brings it back.
            return Err(Error::other("the sync failed"));
        }
        for change in unsynced {
            change.apply(&mut found.durable);
        }
        let syncs_directory = does && std::mem::take(&mut found.syncs_directory);
        let name = self
            .live
            .iter()
            .find(|(_, entry)| **entry == Entry::File(node));
        match name.and_then(|(path, _)| path.parent()) {
            Some(directory) if syncs_directory => {
                let directory = directory.to_owned();
                self.keep_names(&directory);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) -> Result<()> {
        let is_honest = self.plan.lies != Lies::Directories;
        let does = self.sync_begins(is_honest)?;
        if self.sync_fails() {
            return Err(Error::other("the sync failed"));
        }
        if does {
            self.keep_names(directory);
        }
        Ok(())
    }

    pub(super) fn keep_names(&mut self, directory: &Path) {
        let all = std::mem::take(&mut self.unsynced);
        let (here, elsewhere) = all
            .into_iter()
            .partition::<Vec<_>, _>(|(path, _)| path.parent() == Some(directory));
        self.unsynced = elsewhere;
        for (path, entry) in here {
            set(&mut self.durable, path, entry);
        }
    }

    /// Names and files after the power was out.
    pub(super) fn survive(&mut self, root: &Path) -> Image {
        // Nothing, everything, or here this and there that.
        let fate = self.rng.next_u32() % 4;
        let mut names = self.durable.clone();
        for (path, entry) in std::mem::take(&mut self.unsynced) {
            if fate == 1 || (fate > 1 && self.chance(2)) {
                set(&mut names, path, entry);
            }
        }
        let has_place = |path: &Path| {
            let mut above = path
                .ancestors()
                .skip(1)
                .take_while(|above| above.starts_with(root));
            above.all(|above| names.get(above) == Some(&Entry::Directory))
        };
        let names = names
            .iter()
            .filter(|(path, _)| has_place(path))
            .map(|(path, entry)| (path.strip_prefix(root).unwrap().to_owned(), *entry))
            .collect();
        let mut files = Vec::new();
        for mut node in std::mem::take(&mut self.nodes) {
            for change in node.unsynced {
                change.survive(fate, &mut self.rng, &mut node.durable);
            }
            files.push(node.durable);
        }
        Image { files, names }
    }
}

pub(super) fn set(names: &mut BTreeMap<PathBuf, Entry>, path: PathBuf, entry: Option<Entry>) {
    match entry {
        Some(entry) => names.insert(path, entry),
        None => names.remove(&path),
    };
}

impl Change {
    pub(super) fn apply(self, file: &mut Vec<u8>) {
        match self {
            Self::Length(length) => file.resize(length, 0),
            Self::Write { at, octets } => put(file, at, &octets),
        }
    }

    pub(super) fn survive(self, fate: u32, rng: &mut ChaCha8Rng, file: &mut Vec<u8>) {
        let Self::Write { at, octets } = self else {
            if fate == 1 || (fate > 1 && rng.next_u32().is_multiple_of(2)) {
                self.apply(file);
            }
            return;
        };
        let mut done = 0;
        while done < octets.len() {
            let room = SECTOR - (at + done) % SECTOR;
            let end = (done + room).min(octets.len());
            let sector = &octets[done..end];
            match (fate, rng.next_u32() % 8) {
                (0, _) | (2.., 0..=2) => {}
                (1, _) | (2.., 3..=5) => put(file, at + done, sector),
                // Torn: its first half is new.
                (_, 6) => put(file, at + done, &sector[..sector.len() / 2]),
                // In the middle of being written it may hold anything.
                _ => put(file, at + done, &vec![0xA5; sector.len()]),
            }
            done = end;
        }
    }
}

pub(super) fn put(file: &mut Vec<u8>, at: usize, octets: &[u8]) {
    let end = at + octets.len();
    if end > file.len() {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(octets);
}

impl State {
    pub(super) fn powered(&self) -> Result<()> {
        if self.is_out { Err(out()) } else { Ok(()) }
    }

    pub(super) fn file(&self, path: &Path) -> Result<Option<usize>> {
        self.powered()?;
        match self.live.get(path) {
            Some(Entry::File(node)) => Ok(Some(*node)),
            Some(Entry::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Ok(None),
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> Result<usize> {
        let parent = path.parent().and_then(|parent| self.live.get(parent));
        if parent != Some(&Entry::Directory) {
            return Err(ErrorKind::NotFound.into());
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.name(path, Some(Entry::File(node)))?;
        Ok(node)
    }

    /// Whether there is something in the file.
    pub(crate) fn has(&self, path: &Path) -> Result<bool> {
        let found = self.file(path)?;
        Ok(found.is_some_and(|node| !self.nodes[node].live.is_empty()))
    }

    pub(crate) fn remove(&mut self, path: &Path) -> Result<()> {
        match self.file(path)? {
            Some(_) => self.name(path, None),
            None => Err(ErrorKind::NotFound.into()),
        }
    }
}

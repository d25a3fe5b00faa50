//! An open file of a [`PowerDisk`](super::disk::PowerDisk), with SQLite's locks and memory.

use std::io::Result;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sqlite_plugin::flags::LockLevel;

use super::disk::PowerDisk;
use super::platter::{Lies, Slot};
use crate::sqlite::disk::DiskFile;

/// An open file.
pub(crate) struct OpenFile {
    disk: Arc<PowerDisk>,
    node: usize,
    id: u64,
    is_sqlite: bool,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        let node = &mut state.nodes;
        if let Some(node) = node.get_mut(self.node) {
            node.locks.remove(&self.id);
            for slot in &mut node.slots {
                slot.shared.remove(&self.id);
                slot.exclusive = slot.exclusive.filter(|holder| *holder != self.id);
            }
        }
        state.handles.remove(&self.id);
        drop(state);
        self.disk.closed.notify_all();
    }
}

/// Somebody else holds it.
pub(crate) struct Busy;

impl OpenFile {
    /// Opens a file, or makes it; `None`: there is none, or it should not have been there.
    pub(crate) fn sqlite(
        disk: &Arc<PowerDisk>,
        path: &Path,
        (may_create, must_create, is_log): (bool, bool, bool),
    ) -> Result<Option<OpenFile>> {
        let found = disk.state().file(path)?;
        let node = match found {
            Some(_) if must_create => return Ok(None),
            Some(node) => node,
            None if !may_create => return Ok(None),
            None => {
                let node = disk.state().create(path)?;
                disk.state().nodes[node].syncs_directory = is_log;
                node
            }
        };
        Ok(Some(Self::open(disk, node, true)))
    }

    pub(super) fn open(disk: &Arc<PowerDisk>, node: usize, is_sqlite: bool) -> OpenFile {
        let mut state = disk.state();
        state.given += 1;
        let id = state.given;
        state.handles.insert(id);
        OpenFile {
            disk: Arc::clone(disk),
            node,
            id,
            is_sqlite,
        }
    }

    pub(crate) fn size(&self) -> Result<usize> {
        let state = self.disk.state();
        state.powered()?;
        Ok(state.nodes[self.node].live.len())
    }

    pub(crate) fn write(&self, at: usize, octets: &[u8]) -> Result<()> {
        self.disk.state().write(self.node, at, octets)
    }

    pub(crate) fn truncate(&self, length: usize) -> Result<()> {
        self.disk.state().truncate(self.node, length)
    }

    pub(crate) fn sync(&self) -> Result<()> {
        let mut state = self.disk.state();
        let is_honest = self.is_sqlite || state.plan.lies != Lies::Bodies;
        state.sync(self.node, is_honest)
    }

    /// Reads into `octets`; how many those were.
    pub(crate) fn read(&self, at: usize, octets: &mut [u8]) -> Result<usize> {
        let state = self.disk.state();
        state.powered()?;
        let live = &state.nodes[self.node].live;
        let end = (at + octets.len()).min(live.len());
        let found = live.get(at..end).unwrap_or_default();
        octets[..found.len()].copy_from_slice(found);
        Ok(found.len())
    }

    /// SQLite's lock on a database (<https://sqlite.org/lockingv3.html>).
    pub(crate) fn lock(&self, level: LockLevel) -> Result<std::result::Result<(), Busy>> {
        let mut state = self.disk.state();
        state.powered()?;
        let locks = &mut state.nodes[self.node].locks;
        let against = match level {
            LockLevel::Unlocked => return Ok(Ok(())),
            LockLevel::Shared => LockLevel::Pending,
            LockLevel::Reserved => LockLevel::Reserved,
            LockLevel::Pending | LockLevel::Exclusive => LockLevel::Shared,
        };
        let mut others = locks.iter().filter(|(id, _)| **id != self.id);
        if others.any(|(_, held)| *held >= against) {
            return Ok(Err(Busy));
        }
        let held = locks.entry(self.id).or_insert(level);
        *held = level.max(*held);
        Ok(Ok(()))
    }

    pub(crate) fn unlock(&self, level: LockLevel) {
        let mut state = self.disk.state();
        let locks = &mut state.nodes[self.node].locks;
        match level {
            LockLevel::Unlocked => locks.remove(&self.id),
            level => locks.insert(self.id, level),
        };
    }

    pub(crate) fn is_reserved(&self) -> bool {
        let state = self.disk.state();
        let mut held = state.nodes[self.node].locks.values();
        held.any(|held| *held >= LockLevel::Reserved)
    }

    /// Memory that all who have the database open share.
    pub(crate) fn memory(
        &self,
        region: usize,
        size: usize,
        extend: bool,
    ) -> Result<Option<*mut u64>> {
        let mut state = self.disk.state();
        state.powered()?;
        let memory = &mut state.nodes[self.node].memory;
        while extend && memory.len() <= region {
            memory.push(vec![0; size / 8]);
        }
        Ok(memory.get_mut(region).map(Vec::as_mut_ptr))
    }

    /// Nobody has it any more: whoever comes next begins it anew.
    pub(crate) fn forget_memory(&self) {
        let mut state = self.disk.state();
        for region in &mut state.nodes[self.node].memory {
            region.fill(0);
        }
    }

    /// Locks bytes of it, for many readers or one writer.
    pub(crate) fn lock_memory(
        &self,
        slots: Range<usize>,
        exclusive: bool,
    ) -> Result<std::result::Result<(), Busy>> {
        let mut state = self.disk.state();
        state.powered()?;
        let slots = &mut state.nodes[self.node].slots[slots];
        let others = |slot: &Slot| {
            slot.exclusive.is_some_and(|holder| holder != self.id)
                || (exclusive && slot.shared.iter().any(|holder| *holder != self.id))
        };
        if slots.iter().any(others) {
            return Ok(Err(Busy));
        }
        for slot in slots {
            match exclusive {
                true => slot.exclusive = Some(self.id),
                false => drop(slot.shared.insert(self.id)),
            }
        }
        Ok(Ok(()))
    }

    pub(crate) fn unlock_memory(&self, slots: Range<usize>, exclusive: bool) {
        let mut state = self.disk.state();
        for slot in &mut state.nodes[self.node].slots[slots] {
            match exclusive {
                true => slot.exclusive = None,
                false => drop(slot.shared.remove(&self.id)),
            }
        }
    }
}

impl DiskFile for OpenFile {
    fn append(&mut self, octets: &[u8]) -> Result<()> {
        let end = self.size()?;
        self.write(end, octets)
    }

    fn sync(&self) -> Result<()> {
        OpenFile::sync(self)
    }

    fn read(&self, from: u64, wanted: usize) -> Result<Vec<u8>> {
        let at = usize::try_from(from).unwrap_or(usize::MAX);
        let left = self.size()?.saturating_sub(at);
        let mut octets = vec![0; wanted.min(left)];
        OpenFile::read(self, at, &mut octets)?;
        Ok(octets)
    }
}

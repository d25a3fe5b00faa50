//! SQLite's access to a [`PowerDisk`](super::disk::PowerDisk).

use std::borrow::Cow;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Once;

use sqlite_plugin::flags::{
    AccessFlags, CreateMode, LockLevel, OpenKind, OpenMode, OpenOpts, ShmLockMode,
};
use sqlite_plugin::vars::{
    SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOCAP_POWERSAFE_OVERWRITE, SQLITE_IOERR,
    SQLITE_IOERR_DELETE_NOENT, SQLITE_IOERR_FSYNC,
};
use sqlite_plugin::vfs::{RegisterOpts, Vfs, VfsHandle, VfsResult, register_static};

use super::disk::disk_of;
use super::file::{Busy, OpenFile};

/// Its name.
pub(crate) const NAME: &str = "power";

/// Makes it known to SQLite, once.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let options = RegisterOpts {
            make_default: false,
        };
        register_static(c"power".to_owned(), PowerVfs, options).unwrap();
    });
}

struct PowerVfs;

/// A file with a name, or one for the time being, which lies on no disk.
pub(crate) enum Handle {
    Named(OpenFile),
    Temporary(Vec<u8>),
}

impl VfsHandle for Handle {
    fn readonly(&self) -> bool {
        false
    }

    fn in_memory(&self) -> bool {
        false
    }
}

fn failed(error: &Error) -> i32 {
    match error.kind() {
        ErrorKind::StorageFull => SQLITE_FULL,
        _ => SQLITE_IOERR,
    }
}

fn told(locked: std::io::Result<Result<(), Busy>>) -> VfsResult<()> {
    match locked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Busy)) => Err(SQLITE_BUSY),
        Err(error) => Err(failed(&error)),
    }
}

impl Vfs for PowerVfs {
    type Handle = Handle;

    fn canonical_path<'a>(&self, path: Cow<'a, str>) -> VfsResult<Cow<'a, str>> {
        Ok(path)
    }

    fn open(&self, path: Option<&str>, options: OpenOpts) -> VfsResult<Handle> {
        let Some(path) = path else {
            return Ok(Handle::Temporary(Vec::new()));
        };
        let disk = disk_of(path).ok_or(SQLITE_CANTOPEN)?;
        let how = (
            matches!(
                options.mode(),
                OpenMode::ReadWrite {
                    create: CreateMode::Create | CreateMode::MustCreate
                }
            ),
            options.mode().must_create(),
            matches!(options.kind(), OpenKind::Wal | OpenKind::MainJournal),
        );
        let opened = OpenFile::sqlite(&disk, Path::new(path), how);
        let opened = opened.map_err(|error| failed(&error))?;
        Ok(Handle::Named(opened.ok_or(SQLITE_CANTOPEN)?))
    }

    fn delete(&self, path: &str) -> VfsResult<()> {
        let disk = disk_of(path).ok_or(SQLITE_IOERR)?;
        let removed = disk.state().remove(Path::new(path));
        removed.map_err(|error| match error.kind() {
            ErrorKind::NotFound => SQLITE_IOERR_DELETE_NOENT,
            _ => SQLITE_IOERR,
        })
    }

    fn access(&self, path: &str, _: AccessFlags) -> VfsResult<bool> {
        let disk = disk_of(path).ok_or(SQLITE_IOERR)?;
        let has = disk.state().has(Path::new(path));
        has.map_err(|error| failed(&error))
    }

    fn file_size(&self, handle: &mut Handle) -> VfsResult<usize> {
        match handle {
            Handle::Named(file) => file.size().map_err(|error| failed(&error)),
            Handle::Temporary(octets) => Ok(octets.len()),
        }
    }

    fn truncate(&self, handle: &mut Handle, size: usize) -> VfsResult<()> {
        match handle {
            Handle::Named(file) => file.truncate(size).map_err(|error| failed(&error)),
            Handle::Temporary(octets) => {
                octets.truncate(size);
                Ok(())
            }
        }
    }

    fn write(&self, handle: &mut Handle, offset: usize, data: &[u8]) -> VfsResult<usize> {
        match handle {
            Handle::Named(file) => file.write(offset, data).map_err(|error| failed(&error))?,
            Handle::Temporary(octets) => {
                let end = offset + data.len();
                octets.resize(end.max(octets.len()), 0);
                octets[offset..end].copy_from_slice(data);
            }
        }
        Ok(data.len())
    }

    fn read(&self, handle: &mut Handle, offset: usize, data: &mut [u8]) -> VfsResult<usize> {
        match handle {
            Handle::Named(file) => file.read(offset, data).map_err(|error| failed(&error)),
            Handle::Temporary(octets) => {
                let end = (offset + data.len()).min(octets.len());
                let found = octets.get(offset..end).unwrap_or_default();
                data[..found.len()].copy_from_slice(found);
                Ok(found.len())
            }
        }
    }

    fn lock(&self, handle: &mut Handle, level: LockLevel) -> VfsResult<()> {
        match handle {
            Handle::Named(file) => told(file.lock(level)),
            Handle::Temporary(_) => Ok(()),
        }
    }

    fn unlock(&self, handle: &mut Handle, level: LockLevel) -> VfsResult<()> {
        if let Handle::Named(file) = handle {
            file.unlock(level);
        }
        Ok(())
    }

    fn check_reserved_lock(&self, handle: &mut Handle) -> VfsResult<bool> {
        match handle {
            Handle::Named(file) => Ok(file.is_reserved()),
            Handle::Temporary(_) => Ok(false),
        }
    }

    fn sync(&self, handle: &mut Handle) -> VfsResult<()> {
        match handle {
            Handle::Named(file) => file.sync().map_err(|_| SQLITE_IOERR_FSYNC),
            Handle::Temporary(_) => Ok(()),
        }
    }

    fn close(&self, handle: Handle) -> VfsResult<()> {
        drop(handle);
        Ok(())
    }

    /// As SQLite's own access on Linux says of every disk.
    fn device_characteristics(&self, _: &mut Handle) -> VfsResult<i32> {
        Ok(SQLITE_IOCAP_POWERSAFE_OVERWRITE)
    }

    fn shm_map(
        &self,
        handle: &mut Handle,
        region: usize,
        size: usize,
        extend: bool,
    ) -> VfsResult<Option<NonNull<u8>>> {
        let Handle::Named(file) = handle else {
            return Err(SQLITE_IOERR);
        };
        let memory = file.memory(region, size, extend);
        let memory = memory.map_err(|error| failed(&error))?;
        Ok(memory.and_then(|memory| NonNull::new(memory.cast())))
    }

    fn shm_lock(
        &self,
        handle: &mut Handle,
        offset: u32,
        count: u32,
        mode: ShmLockMode,
    ) -> VfsResult<()> {
        let Handle::Named(file) = handle else {
            return Err(SQLITE_IOERR);
        };
        let first = offset as usize;
        let slots = first..first + count as usize;
        match mode {
            ShmLockMode::LockShared => told(file.lock_memory(slots, false)),
            ShmLockMode::LockExclusive => told(file.lock_memory(slots, true)),
            ShmLockMode::UnlockShared => {
                file.unlock_memory(slots, false);
                Ok(())
            }
            ShmLockMode::UnlockExclusive => {
                file.unlock_memory(slots, true);
                Ok(())
            }
        }
    }

    fn shm_unmap(&self, handle: &mut Handle, delete: bool) -> VfsResult<()> {
        if let (Handle::Named(file), true) = (handle, delete) {
            file.forget_memory();
        }
        Ok(())
    }
}

//! Bodies: inline up to 32 KiB, else a file that is on stable storage before
//! its row is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::count::Count;
use super::disk::{Disk, DiskFile, Names};
use super::reader::Readers;
use super::writer::{Change, Stop};
use crate::body::{
    Bodies, BodyReader, BodyWriter, INLINE_LIMIT, Spooled, SpooledBody, SpooledOctets,
};
use crate::error::StoreError;

/// The directory of large bodies, and the names that it gives.
#[derive(Debug)]
pub(super) struct Directory {
    disk: Arc<dyn Disk>,
    names: Box<dyn Names>,
    path: PathBuf,
    openings: u64,
    bodies: AtomicU64,
    stop: Arc<Stop>,
    count: Arc<Count>,
}

impl Directory {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        openings: u64,
        stop: Arc<Stop>,
        count: Arc<Count>,
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::io(path.display().to_string(), &error);
        let names = disk.names(&path).map_err(failed)?;
        Ok(Self {
            disk,
            names,
            path,
            openings,
            bodies: AtomicU64::new(0),
            stop,
            count,
        })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Never given before: the openings of a store are counted in it.
    fn name(&self) -> String {
        format!(
            "{:x}-{:x}",
            self.openings,
            self.bodies.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Stable storage failed: the whole store stops accepting.
    pub(super) fn stopped(&self, reason: &str) -> StoreError {
        self.stop.stop(reason)
    }

    /// Brings a file and its name to stable storage.
    fn sync(&self, file: &dyn DiskFile) -> std::io::Result<()> {
        self.count.fsyncs(2);
        file.sync()?;
        self.names.sync()
    }
}

/// A file that is removed on drop unless a row names it.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    kept: AtomicBool,
}

impl SpoolFile {
    /// A row names it now.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        if !self.is_kept() {
            // What cannot be removed now is swept when the server is started again.
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// Octets that are written while they arrive.
struct Writing {
    name: String,
    size: u64,
    buffer: Vec<u8>,
    spill: Option<Spill>,
    /// Why octets are missing: what follows must not pass for the whole.
    failed: Option<StoreError>,
    directory: Arc<Directory>,
    readers: Arc<Readers>,
}

impl Writing {
    /// Moves what is in memory into the file, on a thread that may wait.
    async fn spill(&mut self) -> Result<(), StoreError> {
        let octets = std::mem::take(&mut self.buffer);
        let path = self.directory.file(&self.name);
        let open = self.spill.take();
        let disk = Arc::clone(&self.directory.disk);
        let written = self
            .readers
            .ask(move |_| write_out(&disk, open, &path, octets))
            .await;
        let (file, octets) = written.inspect_err(|error| self.failed = Some(error.clone()))?;
        (self.spill, self.buffer) = (Some(file), octets);
        self.buffer.clear();
        Ok(())
    }

    async fn sync(&mut self) -> Result<Option<SpoolFile>, StoreError> {
        let Some((file, guard)) = self.spill.take() else {
            return Ok(None);
        };
        let directory = Arc::clone(&self.directory);
        let synced = self.readers.ask(move |_| {
            let synced = directory.sync(&*file);
            synced.map_err(|error| directory.stopped(&error.to_string()))
        });
        synced.await?;
        Ok(Some(guard))
    }
}

type Spill = (Box<dyn DiskFile>, SpoolFile);

fn write_out(
    disk: &Arc<dyn Disk>,
    open: Option<Spill>,
    path: &Path,
    octets: Vec<u8>,
) -> Result<(Spill, Vec<u8>), StoreError> {
    let failed = |error| StoreError::io(path.display().to_string(), &error);
    let (mut file, guard) = open.map_or_else(|| create(disk, path).map_err(failed), Ok)?;
    file.append(&octets).map_err(failed)?;
    Ok(((file, guard), octets))
}

fn create(disk: &Arc<dyn Disk>, path: &Path) -> std::io::Result<Spill> {
    Ok((
        disk.create(path)?,
        SpoolFile {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            kept: AtomicBool::new(false),
        },
    ))
}

#[async_trait]
impl BodyWriter for Writing {
    async fn push(&mut self, mut octets: &[u8]) -> Result<(), StoreError> {
        while !octets.is_empty() {
            if self.buffer.len() == INLINE_LIMIT {
                self.spill().await?;
            }
            let room = INLINE_LIMIT - self.buffer.len();
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.buffer.extend_from_slice(now);
            self.size += now.len() as u64;
            octets = later;
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }

    async fn finish(mut self: Box<Self>) -> Result<SpooledBody, StoreError> {
        self.directory.stop.check()?;
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.spill.is_some() {
            self.spill().await?;
        }
        let octets = match self.sync().await? {
            Some(file) => SpooledOctets::File(file),
            None => SpooledOctets::Inline(std::mem::take(&mut self.buffer)),
        };
        let name = std::mem::take(&mut self.name);
        Ok(SpooledBody(Arc::new(Spooled {
            name,
            size: self.size,
            octets,
        })))
    }
}

/// Octets that are read in ranges: a head in memory, then a file or nothing.
struct Reading {
    head: Vec<u8>,
    file: Option<Arc<dyn DiskFile>>,
    size: u64,
    readers: Arc<Readers>,
}

#[async_trait]
impl BodyReader for Reading {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut octets: Vec<u8> = self.head.iter().skip(skip).take(length).copied().collect();
        let Some(file) = self.file.clone() else {
            return Ok(octets);
        };
        let from = offset.saturating_sub(self.head.len() as u64);
        let wanted = length - octets.len();
        if wanted > 0 && offset < self.size {
            octets.extend(
                self.readers
                    .ask(move |_| read_file(&*file, from, wanted))
                    .await?,
            );
        }
        Ok(octets)
    }
}

fn read_file(file: &dyn DiskFile, from: u64, wanted: usize) -> Result<Vec<u8>, StoreError> {
    let failed = |error| StoreError::io("a body", &error);
    file.read(from, wanted).map_err(failed)
}

#[async_trait]
impl Bodies for SqliteStore {
    async fn write_body(&self) -> Result<Box<dyn BodyWriter>, StoreError> {
        self.bodies.stop.check()?;
        Ok(Box::new(Writing {
            name: self.bodies.name(),
            size: 0,
            buffer: Vec::new(),
            spill: None,
            failed: None,
            directory: Arc::clone(&self.bodies),
            readers: Arc::clone(&self.readers),
        }))
    }

    async fn read_spooled(&self, body: &SpooledBody) -> Result<Box<dyn BodyReader>, StoreError> {
        let inline = match &body.0.octets {
            SpooledOctets::Inline(octets) => Some(octets.clone()),
            SpooledOctets::File(_) => None,
        };
        let row = BodyRow {
            name: body.0.name.clone(),
            size: body.size(),
            octets: inline,
        };
        self.reading(Vec::new(), row)
    }
}

/// A row of the table `body`.
pub(super) struct BodyRow {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) octets: Option<Vec<u8>>,
}

impl SqliteStore {
    /// Reads `head`, then the body.
    pub(super) fn reading(
        &self,
        mut head: Vec<u8>,
        body: BodyRow,
    ) -> Result<Box<dyn BodyReader>, StoreError> {
        let size = head.len() as u64 + body.size;
        let file = match body.octets {
            Some(octets) => {
                head.extend(octets);
                None
            }
            None => Some(Arc::from(self.open_file(&body.name)?)),
        };
        Ok(Box::new(Reading {
            head,
            file,
            size,
            readers: Arc::clone(&self.readers),
        }))
    }

    fn open_file(&self, name: &str) -> Result<Box<dyn DiskFile>, StoreError> {
        let path = self.bodies.file(name);
        let opened = self.bodies.disk.open(&path);
        opened.map_err(|error| StoreError::io(path.display().to_string(), &error))
    }
}

/// The row of a body, made if it is the first to use it.
pub(super) fn keep(change: &mut Change<'_>, body: &SpooledBody) -> Result<i64, StoreError> {
    let spooled = &body.0;
    let (inline, removed) = match &spooled.octets {
        SpooledOctets::Inline(octets) => (Some(octets), false),
        SpooledOctets::File(file) => (None, file.is_kept()),
    };
    // Most bodies are new: the question whether it is comes with the answer.
    let mut insert = change.connection.prepare_cached(
        "INSERT INTO body (name, size, octets) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING",
    )?;
    if insert.execute((&spooled.name, spooled.size, inline))? == 0 {
        let known = "SELECT id FROM body WHERE name = ?1";
        let mut known = change.connection.prepare_cached(known)?;
        return Ok(known.query_row([&spooled.name], |row| row.get(0))?);
    }
    if removed {
        return Err(StoreError::Refused(
            "the body was delivered and removed already",
        ));
    }
    let id = change.connection.last_insert_rowid();
    change.keep(body);
    Ok(id)
}

/// Removes those of `bodies` that nothing uses any more.
pub(super) fn release(
    change: &mut Change<'_>,
    directory: &Directory,
    bodies: &[i64],
) -> Result<(), StoreError> {
    let connection: &Connection = change.connection;
    let mut delete = connection.prepare_cached(
        "DELETE FROM body WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM message WHERE body = ?1)
         AND NOT EXISTS (SELECT 1 FROM queue WHERE body = ?1)
         AND NOT EXISTS (SELECT 1 FROM queue WHERE source = ?1)
         RETURNING name, octets IS NULL",
    )?;
    for body in bodies {
        let gone = delete
            .query_row([body], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((name, true)) = gone {
            let name: String = name;
            change.remove(directory.file(&name));
        }
    }
    Ok(())
}

/// Whether a row names the file (again, by a later change of the same group);
/// when in doubt it does.
pub(super) fn is_named(connection: &Connection, file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    let named = connection.query_row("SELECT count(*) FROM body WHERE name = ?1", [name], |row| {
        row.get::<_, u64>(0)
    });
    named.unwrap_or(1) > 0
}

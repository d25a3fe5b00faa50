//! Group commit: one thread writes; all changes that wait go into one
//! transaction and one fsync, and are answered after it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Watches;
use super::check::Checked;
use super::count::Count;
use super::disk::Disk;
use super::line::Line;
use super::open::Opened;
use super::room;
use crate::Threads;
use crate::account::AccountId;
use crate::body::{SpooledBody, SpooledOctets};
use crate::error::StoreError;

/// Set once stable storage failed or is found damaged: from then on nothing is accepted, because
/// nobody knows what a failed fsync has kept.
#[derive(Debug, Default)]
pub(super) struct Stop(OnceLock<String>);

impl Stop {
    /// Stops for good.
    pub(super) fn stop(&self, reason: &str) -> StoreError {
        let reason = self.0.get_or_init(|| reason.to_owned());
        tracing::error!(reason, "the store stops accepting");
        StoreError::Stopped(reason.clone())
    }

    /// Whether anything is still accepted.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.0
            .get()
            .map_or(Ok(()), |reason| Err(StoreError::Stopped(reason.clone())))
    }
}

/// What is said of the store from outside its writer.
#[derive(Debug)]
pub(super) struct Marks {
    /// Nothing is accepted any more.
    pub(super) stop: Arc<Stop>,
    /// Nothing is left to be looked at after the last server.
    pub(super) checked: Arc<Checked>,
}

/// One change within the group's transaction, and what happens after the commit.
pub(super) struct Change<'a> {
    /// The database, in a transaction.
    pub(super) connection: &'a Connection,
    after: After,
}

#[derive(Default)]
struct After {
    touched: BTreeSet<AccountId>,
    kept: Vec<SpooledBody>,
    removed: Vec<PathBuf>,
}

impl<'a> Change<'a> {
    /// Something in the account's mailboxes changes.
    pub(super) fn touch(&mut self, account: AccountId) {
        self.after.touched.insert(account);
    }

    /// The body has a row: its file stays.
    pub(super) fn keep(&mut self, body: &SpooledBody) {
        self.after.kept.push(body.clone());
    }

    /// The file has no row any more.
    pub(super) fn remove(&mut self, file: PathBuf) {
        self.after.removed.push(file);
    }

    fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            after: After::default(),
        }
    }
}

impl After {
    fn merge(&mut self, other: After) {
        self.touched.extend(other.touched);
        self.kept.extend(other.kept);
        self.removed.extend(other.removed);
    }

    fn happen(self, connection: &Connection, disk: &dyn Disk, watches: &Watches) {
        for body in &self.kept {
            if let SpooledOctets::File(file) = &body.0.octets {
                file.keep();
            }
        }
        for file in self
            .removed
            .iter()
            .filter(|file| !super::body::is_named(connection, file))
        {
            // What cannot be removed now is swept when the server is started again.
            let _ = disk.remove(file);
        }
        watches.moved(&self.touched.into_iter().collect::<Vec<_>>());
    }
}

/// One change that waits, whatever its result is.
trait Job: Send {
    /// Whether it may be done again once its transaction was undone.
    fn is_repeatable(&self) -> bool;

    /// Does it.
    fn run(&mut self, change: &mut Change<'_>) -> Result<(), StoreError>;

    /// Tells who asked, once the outcome of the commit is known.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, W> {
    work: Option<W>,
    result: Option<Result<T, StoreError>>,
    asked: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&mut Change<'_>) -> Result<T, StoreError> + Send,
{
    fn is_repeatable(&self) -> bool {
        false
    }

    fn run(&mut self, change: &mut Change<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let result = work(change);
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        tell(self.asked, self.result, committed);
    }
}

/// The same for work that gives the same each time.
struct Repeatable<T, W> {
    work: W,
    result: Option<Result<T, StoreError>>,
    asked: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Repeatable<T, W>
where
    T: Send,
    W: FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send,
{
    fn is_repeatable(&self) -> bool {
        true
    }

    fn run(&mut self, change: &mut Change<'_>) -> Result<(), StoreError> {
        let result = (self.work)(change);
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        tell(self.asked, self.result, committed);
    }
}

fn tell<T>(
    asked: oneshot::Sender<Result<T, StoreError>>,
    result: Option<Result<T, StoreError>>,
    committed: Result<(), StoreError>,
) {
    let result = committed.and_then(|()| result.unwrap_or_else(|| Err(ended())));
    // Who asked may have gone; the change stands all the same.
    let _ = asked.send(result);
}

fn ended() -> StoreError {
    StoreError::Stopped("the writer ended".to_owned())
}

/// Who writes. Dropped, it commits what was handed in, and ends.
#[derive(Debug)]
pub(super) struct Writer {
    way: Way,
    stop: Arc<Stop>,
}

#[derive(Debug)]
enum Way {
    /// The writer thread: whatever waits is one group.
    Thread {
        jobs: Arc<Line<Box<dyn Job>>>,
        thread: Option<JoinHandle<()>>,
    },
    /// Whoever asks: each change is a group of its own.
    Here(Mutex<Group>),
}

impl Writer {
    pub(super) fn start(
        opened: Opened,
        threads: Threads,
        marks: Marks,
        watches: Arc<Watches>,
        count: Arc<Count>,
    ) -> Result<Self, StoreError> {
        let stop = Arc::clone(&marks.stop);
        let group = Group {
            opened,
            watches,
            marks,
            count,
        };
        let way = match threads {
            Threads::None => Way::Here(Mutex::new(group)),
            Threads::Own => Way::thread(group)?,
        };
        Ok(Self { way, stop })
    }

    /// Does `work` in the next group; returns after its commit. When `work`
    /// fails, its part of the transaction is undone, and the others' stays.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.stop.check()?;
        let (asked, answered) = oneshot::channel();
        self.hand_in(Box::new(Task {
            work: Some(work),
            result: None,
            asked,
        }));
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The same for work that may be done a second time where another of its group fails.
    pub(super) async fn write_repeatable<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.stop.check()?;
        let (asked, answered) = oneshot::channel();
        self.hand_in(Box::new(Repeatable {
            work,
            result: None,
            asked,
        }));
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    fn hand_in(&self, job: Box<dyn Job>) {
        match &self.way {
            Way::Thread { jobs, .. } => jobs.push(job),
            Way::Here(group) => {
                let group = group.lock().unwrap_or_else(PoisonError::into_inner);
                group.commit(vec![job]);
            }
        }
    }
}

impl Way {
    fn thread(group: Group) -> Result<Self, StoreError> {
        let jobs = Arc::new(Line::default());
        let waiting = Arc::clone(&jobs);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || group.run(&waiting))
            .map_err(|error| StoreError::io("the writer thread", &error))?;
        Ok(Self::Thread {
            jobs,
            thread: Some(thread),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        match &mut self.way {
            Way::Thread { jobs, thread } => {
                jobs.end();
                if let Some(thread) = thread.take() {
                    let _ = thread.join();
                }
            }
            Way::Here(group) => group
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .note_clean_end(),
        }
    }
}

/// What the writer works with.
#[derive(Debug)]
struct Group {
    opened: Opened,
    watches: Arc<Watches>,
    marks: Marks,
    count: Arc<Count>,
}

impl Group {
    fn run(self, waiting: &Line<Box<dyn Job>>) {
        // However this thread ends, whoever waits for it is told so.
        let _ending = waiting.ending();
        let mut expected = 1;
        while let Some(group) = waiting.next(expected) {
            // Falls slowly, so that one small group among large ones is not followed by more.
            expected = group.len().max(expected - expected / 4);
            self.commit(group);
            if self.count.commits() == room::WORTH {
                self.make_room();
            }
        }
        self.note_clean_end();
    }

    /// When that fails, the next opening checks.
    fn note_clean_end(&self) {
        let Marks { stop, checked } = &self.marks;
        if self.opened.lock.is_some() && stop.check().is_ok() && checked.is() {
            let note = "UPDATE state SET serving = 0";
            let _ = self.opened.connection.execute(note, []);
        }
    }

    fn commit(&self, mut jobs: Vec<Box<dyn Job>>) {
        let mut after = After::default();
        let result = self.transaction(&mut jobs, &mut after);
        if result.is_ok() {
            self.count.committed(&self.opened.connection, jobs.len());
            let connection = &self.opened.connection;
            after.happen(connection, &*self.opened.disk, &self.watches);
        }
        for job in jobs {
            job.answer(result.clone());
        }
        self.checkpoint();
    }

    /// From here on the log is written over and does not grow.
    fn make_room(&self) {
        match room::make(&self.opened.connection, &self.opened.path) {
            Ok(()) => self.count.fsyncs(1),
            Err(error) => tracing::debug!(error, "the log of the database grows step by step"),
        }
    }

    /// Moves what is in the log into the database, once nobody waits for it: the
    /// log was on stable storage before anybody was answered.
    fn checkpoint(&self) {
        if !self.count.is_checkpoint_due() || self.marks.stop.check().is_err() {
            return;
        }
        match self.statement("PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(()) => self.count.checkpointed(&self.opened.connection),
            // Full, or read by another process: the log grows until a later one succeeds.
            Err(error) => {
                tracing::warn!(%error, "the log of the database could not be moved into it")
            }
        }
    }

    fn transaction(&self, jobs: &mut [Box<dyn Job>], after: &mut After) -> Result<(), StoreError> {
        self.marks.stop.check()?;
        let is_done = jobs.iter().all(|job| job.is_repeatable()) && self.at_once(jobs, after)?;
        if is_done {
            return Ok(());
        }
        self.statement("BEGIN IMMEDIATE")?;
        let done = jobs
            .iter_mut()
            .try_for_each(|job| self.step(&mut **job, after));
        self.end(done)
    }

    /// All changes of a group without savepoints, for which SQLite would copy every page aside
    /// that a change touches: most groups are deliveries, and of those hardly one fails. `false`:
    /// one did, and nothing is done.
    fn at_once(&self, jobs: &mut [Box<dyn Job>], after: &mut After) -> Result<bool, StoreError> {
        self.statement("BEGIN IMMEDIATE")?;
        let mut change = Change::new(&self.opened.connection);
        match jobs.iter_mut().try_for_each(|job| job.run(&mut change)) {
            Ok(()) => {
                self.end(Ok(()))?;
                *after = change.after;
                Ok(true)
            }
            Err(error) if self.opened.connection.is_autocommit() => Err(self.judge(error)),
            Err(_) => self.statement("ROLLBACK").map(|()| false),
        }
    }

    fn end(&self, done: Result<(), StoreError>) -> Result<(), StoreError> {
        let committed = done.and_then(|()| self.statement("COMMIT"));
        if committed.is_err() && !self.opened.connection.is_autocommit() {
            self.statement("ROLLBACK")?;
        }
        committed
    }

    /// One change between savepoints. `Err`: the whole transaction is lost.
    fn step(&self, job: &mut dyn Job, after: &mut After) -> Result<(), StoreError> {
        self.statement("SAVEPOINT step")?;
        let mut change = Change::new(&self.opened.connection);
        match job.run(&mut change) {
            Ok(()) => {
                after.merge(change.after);
                self.statement("RELEASE step")
            }
            // A full or failing disk makes SQLite undo the whole transaction by itself.
            Err(error) if self.opened.connection.is_autocommit() => Err(self.judge(error)),
            Err(_) => {
                self.statement("ROLLBACK TO step")?;
                self.statement("RELEASE step")
            }
        }
    }

    fn statement(&self, sql: &str) -> Result<(), StoreError> {
        let connection = &self.opened.connection;
        // Kept prepared: there are two of them for every change.
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query([])?.next().map(|_| ()))
            .map_err(|error| self.judge(error.into()))
    }

    /// A failed write to the disk ends it all; the rest is told as it is.
    fn judge(&self, error: StoreError) -> StoreError {
        match error.at(&self.opened.path) {
            StoreError::Io { detail, .. } => self.marks.stop.stop(&detail),
            other => other,
        }
    }
}

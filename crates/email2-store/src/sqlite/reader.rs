//! Readers: a few threads with a connection each, each question in one view.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::disk::Ground;
use super::open;
use crate::Threads;
use crate::error::StoreError;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// Questions that wait. Each wakes one thread: with a channel that threads share, every
/// question would wake the one that waits in it and then the one that waits for its turn.
#[derive(Default)]
struct Waiting {
    line: Mutex<Line>,
    came: Condvar,
}

#[derive(Default)]
struct Line {
    questions: VecDeque<Question>,
    ended: bool,
}

impl Waiting {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, question: Question) {
        self.line().questions.push_back(question);
        self.came.notify_one();
    }

    /// The next question; `None` when there will be none.
    fn next(&self) -> Option<Question> {
        let mut line = self.line();
        loop {
            if let Some(question) = line.questions.pop_front() {
                return Some(question);
            }
            if line.ended {
                return None;
            }
            let came = self.came.wait(line);
            line = came.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self) {
        self.line().ended = true;
        self.came.notify_all();
    }
}

/// Who reads: the reader threads, which end when this is dropped, or whoever asks.
pub(super) struct Readers {
    waiting: Arc<Waiting>,
    /// One a thread; locked while it is used.
    connections: Vec<Arc<Mutex<Connection>>>,
    threads: Threads,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Readers")
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.waiting.end();
    }
}

impl Readers {
    pub(super) fn start(ground: &Ground, path: &Path) -> Result<Self, StoreError> {
        let number = match ground.threads {
            Threads::None => 1,
            Threads::Own => ground.readers,
        };
        let connect = |_| {
            open::connect_reader(ground, path)
                .map(Mutex::new)
                .map(Arc::new)
        };
        let readers = Self {
            waiting: Arc::default(),
            connections: (0..number).map(connect).collect::<Result<_, _>>()?,
            threads: ground.threads,
        };
        if ground.threads == Threads::Own {
            readers.connections.iter().try_for_each(|connection| {
                let (connection, waiting) = (Arc::clone(connection), Arc::clone(&readers.waiting));
                std::thread::Builder::new()
                    .name("store-reader".to_owned())
                    .spawn(move || run(&connection, &waiting))
                    .map(drop)
                    .map_err(|error| StoreError::io("a reader thread", &error))
            })?;
        }
        Ok(readers)
    }

    /// Asks in one view: `work` sees the database as of one commit.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |connection| in_one_view(connection, work))
            .await
    }

    /// The same for a few rows that are found by their keys: while a connection is at rest, whoever
    /// asks reads them at once, for two threads that wake each other cost more than the rows.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(connection) = self.at_rest() {
            return in_one_view(&connection, work);
        }
        self.read(work).await
    }

    /// Runs `work` on a reader thread, if there are any, because it may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let (Threads::None, Some(connection)) = (self.threads, self.connections.first()) {
            return work(&locked(connection));
        }
        let (asked, answered) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // Who asked may have gone.
            let _ = asked.send(work(connection));
        });
        self.waiting.push(question);
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::Stopped("the readers ended".to_owned())))
    }

    /// Always the first that is free: its pages are the ones in memory.
    fn at_rest(&self) -> Option<MutexGuard<'_, Connection>> {
        let mut connections = self.connections.iter();
        connections.find_map(|connection| connection.try_lock().ok())
    }
}

fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_one_view<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    statement(connection, "BEGIN")?;
    let result = work(connection);
    // Nothing was written: this ends the view, whatever came of the question.
    if !connection.is_autocommit() {
        statement(connection, "ROLLBACK")?;
    }
    result
}

/// Kept prepared: there are two of them for every question.
fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn run(connection: &Mutex<Connection>, waiting: &Waiting) {
    while let Some(question) = waiting.next() {
        question(&locked(connection));
    }
}

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
    here: Option<Mutex<Connection>>,
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
        let mut readers = Self {
            waiting: Arc::default(),
            here: None,
        };
        if ground.threads == Threads::None {
            readers.here = Some(Mutex::new(open::connect_reader(ground, path)?));
            return Ok(readers);
        }
        for number in 1..=ground.readers {
            let connection = open::connect_reader(ground, path)?;
            let waiting = Arc::clone(&readers.waiting);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&connection, &waiting))
                .map_err(|error| StoreError::io("a reader thread", &error))?;
        }
        Ok(readers)
    }

    /// Asks in one view: `work` sees the database as of one commit.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |connection| {
            statement(connection, "BEGIN")?;
            let result = work(connection);
            // Nothing was written: this ends the view, whatever came of the question.
            if !connection.is_autocommit() {
                statement(connection, "ROLLBACK")?;
            }
            result
        })
        .await
    }

    /// Runs `work` on a reader thread, if there are any, because it may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(connection) = &self.here {
            return work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
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
}

/// Kept prepared: there are two of them for every question.
fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn run(connection: &Connection, waiting: &Waiting) {
    while let Some(question) = waiting.next() {
        question(connection);
    }
}

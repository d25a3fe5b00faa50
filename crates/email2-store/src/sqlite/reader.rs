//! Readers: a few threads with a connection each, each question in one view.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::open;
use crate::error::StoreError;

/// Reader threads of one store.
const READERS: usize = 4;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The reader threads; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    questions: Mutex<Sender<Question>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let (questions, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 1..=READERS {
            let connection = open::connect_reader(path)?;
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&connection, &waiting))
                .map_err(|error| StoreError::io("a reader thread", &error))?;
        }
        Ok(Self {
            questions: Mutex::new(questions),
        })
    }

    /// Asks in one view: `work` sees the database as of one commit.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(move |connection| {
            let view = connection.unchecked_transaction()?;
            let result = work(&view);
            view.finish()?;
            result
        })
        .await
    }

    /// Runs `work` on a reader thread, because it may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (asked, answered) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // Who asked may have gone.
            let _ = asked.send(work(connection));
        });
        {
            let questions = self
                .questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let _ = questions.send(question);
        }
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::Stopped("the readers ended".to_owned())))
    }
}

fn run(connection: &Connection, waiting: &Mutex<Receiver<Question>>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(question) => question(connection),
            Err(_) => return,
        }
    }
}

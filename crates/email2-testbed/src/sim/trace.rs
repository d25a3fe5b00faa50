//! What happened in a simulation, as one number: two runs of one seed must agree in it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::dice::continued;
use super::time::SimTime;

/// The trace of one simulation; clones write into the same one.
#[derive(Clone, Debug)]
pub struct Trace {
    time: SimTime,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    hash: u64,
    events: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace; with `lines`, what happened is kept in words as well.
    #[must_use]
    pub fn new(time: SimTime, lines: bool) -> Trace {
        let kept = Kept {
            hash: 0,
            events: 0,
            lines: lines.then(Vec::new),
        };
        Trace {
            time,
            kept: Arc::new(Mutex::new(kept)),
        }
    }

    /// This happened now.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>14.3} {what}", self.time.now().as_secs_f64());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.hash = continued(kept.hash, line.as_bytes());
        kept.events += 1;
        if let Some(lines) = &mut kept.lines {
            lines.push(line);
        }
    }

    /// The number that stands for all of it.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hash
    }

    /// How much happened.
    #[must_use]
    pub fn events(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events
    }

    /// What happened, where it was kept in words.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.clone().unwrap_or_default()
    }
}

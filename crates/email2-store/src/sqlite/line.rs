//! The line in front of the writer: changes are handed in one at a time and taken out in groups.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Changes in one transaction at most: bounds what one failed commit takes along.
const GROUP: usize = 256;
/// How long a group waits for changes that are likely to come: about what one fsync takes, which
/// each of them would otherwise need.
const LINGER: Duration = Duration::from_micros(300);

/// What waits. The writer is woken when there are as many as it waits for, and not by each.
pub(super) struct Line<T> {
    waiting: Mutex<Waiting<T>>,
    enough: Condvar,
}

struct Waiting<T> {
    jobs: Vec<T>,
    /// How many wake the writer.
    wanted: usize,
    ended: bool,
}

impl<T> std::fmt::Debug for Line<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        let waiting = Waiting {
            jobs: Vec::new(),
            wanted: 1,
            ended: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            enough: Condvar::new(),
        }
    }
}

impl<T> Line<T> {
    /// Hands in a job; after the end it is dropped.
    pub(super) fn push(&self, job: T) {
        let mut waiting = self.lock();
        if waiting.ended {
            return;
        }
        waiting.jobs.push(job);
        if waiting.jobs.len() == waiting.wanted {
            drop(waiting);
            self.enough.notify_one();
        }
    }

    /// Takes out what waits, and what comes soon, until there are as many as `expected`: who writes
    /// alone never waits. `None` after the end, when all was taken.
    pub(super) fn next(&self, expected: usize) -> Option<Vec<T>> {
        let mut waiting = self.lock();
        waiting.wanted = 1;
        while waiting.jobs.is_empty() {
            if waiting.ended {
                return None;
            }
            let woken = self.enough.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let mut waiting = self.linger(waiting, expected.min(GROUP));
        let taken = waiting.jobs.len().min(GROUP);
        Some(waiting.jobs.drain(..taken).collect())
    }

    /// Until there are `wanted`, or for a while nobody came.
    fn linger<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting<T>>,
        wanted: usize,
    ) -> MutexGuard<'a, Waiting<T>> {
        waiting.wanted = wanted;
        while waiting.jobs.len() < wanted && !waiting.ended {
            let before = waiting.jobs.len();
            let woken = self.enough.wait_timeout(waiting, LINGER);
            (waiting, _) = woken.unwrap_or_else(PoisonError::into_inner);
            if waiting.jobs.len() == before {
                break;
            }
        }
        waiting
    }

    /// Nothing is handed in any more; what was is still taken.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.enough.notify_one();
    }

    /// Ends the line when dropped, and drops what waits in it.
    pub(super) fn ending(&self) -> Ending<'_, T> {
        Ending(self)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Line::ending`].
pub(super) struct Ending<'a, T>(&'a Line<T>);

impl<T> Drop for Ending<'_, T> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.ended = true;
        let left = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_waits_is_one_group_and_the_rest_comes_after_the_end() {
        let line = Line::default();
        (0..GROUP + 2).for_each(|job| line.push(job));
        assert_eq!(line.next(1), Some((0..GROUP).collect()));
        line.end();
        line.push(7);
        assert_eq!(line.next(9), Some(vec![GROUP, GROUP + 1]));
        assert_eq!(line.next(1), None);
    }

    #[test]
    fn a_group_waits_for_those_that_are_expected_and_no_longer_than_they_come() {
        let line = Arc::new(Line::default());
        line.push(0);
        assert_eq!(line.next(100), Some(vec![0]));
        let handing_in = Arc::clone(&line);
        let others = std::thread::spawn(move || (1..4).for_each(|job| handing_in.push(job)));
        let mut taken = Vec::new();
        while taken.len() < 3 {
            taken.extend(line.next(3).unwrap());
        }
        others.join().unwrap();
        assert_eq!(taken, [1, 2, 3]);
    }

    #[test]
    fn whoever_waits_for_a_writer_that_ended_is_dropped() {
        let line = Line::default();
        let job = Arc::new(());
        line.push(Arc::clone(&job));
        drop(line.ending());
        line.push(Arc::clone(&job));
        assert_eq!(Arc::strong_count(&job), 1);
    }
}

//! Many simulations, on as many threads as there are processors.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::play::{Report, play};
use super::town::Town;
use crate::failure::Outcome;

/// What came of many simulations.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many.
    pub seeds: u64,
    /// Letters, counted by recipient.
    pub letters: u64,
    /// Those that were acknowledged by 250.
    pub acknowledged: u64,
    /// Those whose author holds a clear failure.
    pub failed: u64,
    /// Lost although acknowledged.
    pub lost: u64,
    /// There more than once.
    pub duplicated: u64,
    /// Ordinary mail that came more than once, as it may.
    pub ordinary_twice: u64,
    /// Connections that were hit.
    pub strikes: u64,
    /// At so many different places of a dialogue.
    pub places: BTreeSet<(usize, u64)>,
    /// Machines that went down without warning.
    pub crashes: u64,
    /// Everything that happened, counted.
    pub events: u64,
    /// The seeds that failed, and how.
    pub failures: Vec<(u64, String)>,
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Outcome<Report>) {
        self.seeds += 1;
        let report = match outcome {
            Ok(report) => report,
            Err(failure) => return self.failures.push((seed, failure.to_string())),
        };
        let findings = &report.findings;
        self.letters += findings.letters;
        self.acknowledged += findings.acknowledged;
        self.failed += findings.failed;
        self.lost += findings.lost.len() as u64;
        self.duplicated += findings.duplicated.len() as u64;
        self.ordinary_twice += findings.ordinary_twice;
        self.strikes += report.strikes.count;
        self.places.extend(report.strikes.places);
        self.crashes += report.crashes;
        self.events += report.events;
        if !findings.are_clean() {
            self.failures.push((seed, format!("{findings:?}")));
        }
    }
}

/// Plays the simulations of `seeds`.
#[must_use]
pub fn play_many(town: &Town, seeds: RangeInclusive<u64>) -> Summary {
    let next = AtomicU64::new(*seeds.start());
    let summary = Mutex::new(Summary::default());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let outcome = play(town, seed, false);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.add(seed, outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}

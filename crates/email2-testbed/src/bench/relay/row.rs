//! One way through two servers under one load.

use std::time::Duration;

use serde::Serialize;

use super::Travelled;
use crate::bench::load::percentile;
use crate::bench::report::Cell;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Through which servers, and how.
    pub way: String,
    /// Which load.
    #[serde(flatten)]
    pub cell: Cell,
    /// Messages a second that the first server took.
    pub accepted: f64,
    /// Messages a second that arrived at the second.
    pub arrived: f64,
    /// The first server's seconds of CPU for 1000 messages.
    pub first_cpu: f64,
    /// The second's.
    pub second_cpu: f64,
    /// From 250 to arrival, milliseconds, of half of all: the n-th that arrived against the n-th
    /// that was taken.
    pub p50: f64,
    /// The same of 99 of 100.
    pub p99: f64,
    /// The most memory that the first server had, octets.
    pub first_memory: Option<u64>,
    /// The second's.
    pub second_memory: Option<u64>,
}

/// The table's head.
pub const HEAD: &str = "\
| way | KiB | sessions | taken/s | arrived/s | first: CPU s/1000 | second: CPU s/1000 | p50 ms | p99 ms | first: MiB | second: MiB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Row {
    pub(super) fn of(way: &str, cell: Cell, travelled: &Travelled) -> Row {
        let Travelled {
            began,
            answered,
            arrived,
        } = travelled;
        let rate = |times: &[Duration]| {
            let last = times.last().copied().unwrap_or_default();
            times.len() as f64 / last.saturating_sub(*began).as_secs_f64()
        };
        let pairs = answered.iter().zip(arrived);
        let mut ways: Vec<Duration> = pairs
            .map(|(taken, here)| here.saturating_sub(*taken))
            .collect();
        ways.sort_unstable();
        let milliseconds = |part| percentile(&ways, part).as_secs_f64() * 1000.0;
        Row {
            way: way.to_owned(),
            cell,
            accepted: rate(answered),
            arrived: rate(arrived),
            first_cpu: 0.0,
            second_cpu: 0.0,
            p50: milliseconds(0.5),
            p99: milliseconds(0.99),
            first_memory: None,
            second_memory: None,
        }
    }

    /// With the seconds of CPU that both servers used.
    pub(super) fn with_cpu(mut self, first: f64, second: f64) -> Row {
        let thousands = self.cell.messages as f64 / 1000.0;
        self.first_cpu = first / thousands;
        self.second_cpu = second / thousands;
        self
    }

    /// With the most memory that they had, octets.
    pub(super) fn with_memory(mut self, first: Option<u64>, second: Option<u64>) -> Row {
        self.first_memory = first;
        self.second_memory = second;
        self
    }

    /// One line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let mebibytes = |memory: Option<u64>| {
            let known = memory.map(|memory| memory as f64 / (1024.0 * 1024.0));
            known.map_or_else(|| "–".to_owned(), |memory| format!("{memory:.0}"))
        };
        format!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.3} | {:.3} | {:.0} | {:.0} | {} | {} |",
            self.way,
            self.cell.kibibytes,
            self.cell.sessions,
            self.accepted,
            self.arrived,
            self.first_cpu,
            self.second_cpu,
            self.p50,
            self.p99,
            mebibytes(self.first_memory),
            mebibytes(self.second_memory),
        )
    }

    /// How this stands to another way under the same load.
    pub(super) fn ratio(&self, other: &Row) -> Option<String> {
        let cpu = |row: &Row| row.first_cpu + row.second_cpu;
        self.cell.is_like(&other.cell).then(|| {
            format!(
                "| {} to {} | {} | {} | {:.2} × | 1/{:.1} |",
                self.way,
                other.way,
                self.cell.kibibytes,
                self.cell.sessions,
                self.arrived / other.arrived,
                cpu(other) / cpu(self),
            )
        })
    }
}

/// The head of the ratios.
pub(super) const RATIO_HEAD: &str = "\
| way | KiB | sessions | arrived/s | CPU a message, both |
|---|--:|--:|--:|--:|";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(way: &str, milliseconds: u64) -> Row {
        let cell = Cell {
            sessions: 10,
            per_connection: 20,
            kibibytes: 2,
            cold: false,
            messages: 100,
        };
        let at = |add: u64| (1..=100).map(move |n| Duration::from_millis(n * milliseconds + add));
        let travelled = Travelled {
            began: Duration::ZERO,
            answered: at(0).collect(),
            arrived: at(7).collect(),
        };
        let row = Row::of(way, cell, &travelled).with_cpu(0.05, 0.03);
        row.with_memory(Some(32 * 1024 * 1024), None)
    }

    #[test]
    fn a_way_is_counted_from_its_250_to_its_arrival() {
        assert_eq!(
            row("a → b", 10).line(),
            "| a → b | 2 | 10 | 100 | 99 | 0.500 | 0.300 | 7 | 7 | 32 | – |"
        );
    }

    #[test]
    fn ways_are_compared_under_the_same_load() {
        let (ours, other) = (row("ours", 10), row("other", 100));
        let ratio = ours.ratio(&other).unwrap();
        assert_eq!(ratio, "| ours to other | 2 | 10 | 9.94 × | 1/1.0 |");
        let mut larger = other;
        larger.cell.kibibytes = 20;
        assert_eq!(ours.ratio(&larger), None);
    }
}

//! What was measured, as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use super::idle::Memory;
use super::load::{Shape, Taken};
use super::machine::Limits;

/// What is delivered how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Sessions at once.
    pub sessions: usize,
    /// Messages on one connection.
    pub per_connection: usize,
    /// KiB of a message.
    pub kibibytes: usize,
    /// Every message comes from a domain whose key was not asked for yet.
    pub cold: bool,
    /// Messages in all.
    pub messages: usize,
}

impl Cell {
    /// How it is delivered.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            sessions: self.sessions,
            per_connection: self.per_connection,
        }
    }

    /// The same load, whoever takes it.
    #[must_use]
    pub fn is_like(&self, other: &Cell) -> bool {
        let what = |cell: &Cell| (cell.sessions, cell.per_connection, cell.kibibytes);
        what(self) == what(other)
    }
}

/// One program under one load.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which program.
    pub program: String,
    /// Which load.
    #[serde(flatten)]
    pub cell: Cell,
    /// Messages a second.
    pub rate: f64,
    /// The program's seconds of CPU for 1000 messages.
    pub cpu: f64,
    /// The load's own seconds of CPU for 1000 messages.
    pub load_cpu: f64,
    /// Half of all answers to the end of the content came within so many milliseconds.
    pub p50: f64,
    /// 99 of 100 did.
    pub p99: f64,
    /// The most memory it had, octets.
    pub memory: Option<u64>,
    /// fsync and fdatasync for one message.
    pub syncs: Option<f64>,
    /// Messages a second that the store alone takes from as many who wait.
    pub lockstep: Option<f64>,
}

impl Row {
    /// From a load that went well; `cpu` in seconds.
    #[must_use]
    pub fn of(program: &str, cell: Cell, taken: &Taken, cpu: f64) -> Row {
        let messages = count(cell.messages);
        Row {
            program: program.to_owned(),
            cell,
            rate: messages / taken.wall.as_secs_f64(),
            cpu: cpu / messages * 1000.0,
            load_cpu: taken.own_cpu / messages * 1000.0,
            p50: milliseconds(taken.percentile(0.5)),
            p99: milliseconds(taken.percentile(0.99)),
            memory: None,
            syncs: None,
            lockstep: None,
        }
    }

    /// With what is known of our own server only.
    #[must_use]
    pub fn with_server(mut self, memory: u64, syncs: Option<u64>) -> Row {
        self.memory = Some(memory);
        let messages = count(self.cell.messages);
        self.syncs = syncs.map(|syncs| octets(syncs) / messages);
        self
    }

    /// One line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let Cell {
            sessions,
            per_connection,
            kibibytes,
            cold,
            ..
        } = self.cell;
        let name = match cold {
            true => format!("{}, cold", self.program),
            false => self.program.clone(),
        };
        let memory = self.memory.map(|memory| octets(memory) / MEBIBYTE);
        format!(
            "| {name} | {kibibytes} | {sessions} | {per_connection} | {:.0} | {:.3} | {:.1} | {:.1} | {} | {} | {:.3} | {} |",
            self.rate,
            self.cpu,
            self.p50,
            self.p99,
            number(memory, 0),
            number(self.syncs, 2),
            self.load_cpu,
            number(self.lockstep, 0),
        )
    }
}

/// Octets in a MiB.
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The table's head.
pub const HEAD: &str = "\
| program | KiB | sessions | a connection | messages/s | CPU s/1000 | p50 ms | p99 ms | MiB | fsyncs a message | load's CPU s/1000 | lockstep/s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// Everything of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the machine can do.
    pub limits: Limits,
    /// Programs under load.
    pub rows: Vec<Row>,
    /// Memory with many connections that wait.
    pub memory: Vec<Memory>,
}

impl Report {
    /// The limits in words.
    #[must_use]
    pub fn limits_line(&self) -> String {
        format!(
            "this machine: {:.0} fsyncs/s, SHA-256 {:.0} MB/s, {:.0} seal verifications/s, {} RSA \
             verifications/s",
            self.limits.fsyncs,
            self.limits.sha256_megabytes,
            self.limits.verifications,
            number(self.limits.rsa_verifications, 0),
        )
    }

    /// What ordinary mail costs beside sealed mail of the same load.
    #[must_use]
    pub fn ordinary_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for ordinary in &self.rows {
            let Some(signature) = ordinary.program.strip_prefix(ORDINARY) else {
                continue;
            };
            let mut rows = self.rows.iter();
            let is_like = |row: &&Row| row.program == "email2d" && row.cell.is_like(&ordinary.cell);
            let Some(sealed) = rows.find(|row| is_like(row) && !row.cell.cold) else {
                continue;
            };
            let rsa = self.limits.rsa_verifications.map(|rate| 1000.0 / rate);
            let rsa = rsa.filter(|_| signature == "rsa").unwrap_or(0.0);
            lines.push(format!(
                "| {signature} | {} | {} | {:.3} | {:.3} | {rsa:.3} | {:.2} × |",
                ordinary.cell.kibibytes,
                ordinary.cell.sessions,
                sealed.cpu,
                ordinary.cpu,
                (ordinary.cpu - rsa) / sealed.cpu
            ));
        }
        lines
    }

    /// How `email2d` stands to every other program under the same load.
    #[must_use]
    pub fn ratios(&self) -> Vec<String> {
        let is_ours = |row: &&Row| row.program == "email2d" && !row.cell.cold;
        let mut lines = Vec::new();
        for ours in self.rows.iter().filter(is_ours) {
            let others = self.rows.iter().filter(|row| row.program != "email2d");
            for other in others.filter(|row| row.cell.is_like(&ours.cell)) {
                lines.push(ratio(ours, other));
            }
        }
        lines
    }

    /// The memory's lines.
    #[must_use]
    pub fn memory_lines(&self) -> Vec<String> {
        let mebibytes = |memory: u64| octets(memory) / MEBIBYTE;
        let line = |memory: &Memory| {
            format!(
                "| {} idle, {} active with {} KiB | {:.1} | {:.1} | {:.1} |",
                memory.idle,
                memory.active,
                memory.kibibytes,
                mebibytes(memory.empty),
                mebibytes(memory.waiting),
                mebibytes(memory.highest)
            )
        };
        self.memory.iter().map(line).collect()
    }
}

/// What rows of ordinary mail at our own server are called, before the signature's name.
pub const ORDINARY: &str = "email2d, ordinary mail, ";

/// The head of what ordinary mail costs; DNS is asked before the clock starts.
pub const ORDINARY_HEAD: &str = "\
| DKIM | KiB | sessions | sealed, CPU s/1000 | ordinary, CPU s/1000 | of that RSA | ordinary without RSA to sealed |
|---|--:|--:|--:|--:|--:|--:|";

/// The head of the ratios.
pub const RATIO_HEAD: &str = "\
| email2d to | KiB | sessions | a connection | messages/s | CPU a message |
|---|--:|--:|--:|--:|--:|";

/// The head of the memory's table.
pub const MEMORY_HEAD: &str = "\
| sessions | MiB empty | MiB with the idle | MiB at most |
|---|--:|--:|--:|";

fn ratio(ours: &Row, other: &Row) -> String {
    let Cell {
        sessions,
        per_connection,
        kibibytes,
        ..
    } = ours.cell;
    format!(
        "| {} | {kibibytes} | {sessions} | {per_connection} | {:.2} × | 1/{:.1} |",
        other.program,
        ours.rate / other.rate,
        other.cpu / ours.cpu
    )
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn count(number: usize) -> f64 {
    number as f64
}

fn octets(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(program: &str, rate: f64, cpu: f64) -> Row {
        let cell = Cell {
            sessions: 10,
            per_connection: 20,
            kibibytes: 2,
            cold: false,
            messages: 200,
        };
        let taken = Taken {
            wall: Duration::from_secs_f64(200.0 / rate),
            own_cpu: 0.02,
            waits: vec![Duration::from_millis(4); 200],
            answered: Vec::new(),
        };
        Row::of(program, cell, &taken, cpu / 5.0)
    }

    #[test]
    fn a_row_is_counted_for_a_second_and_a_thousand_messages() {
        let row = row("email2d", 400.0, 0.5).with_server(32 * 1024 * 1024, Some(20));
        assert_eq!(
            row.line(),
            "| email2d | 2 | 10 | 20 | 400 | 0.500 | 4.0 | 4.0 | 32 | 0.10 | 0.100 | – |"
        );
    }

    #[test]
    fn ratios_compare_like_with_like() {
        let mut other = row("postfix", 40.0, 5.0);
        let limits = Limits {
            fsyncs: 1000.0,
            sha256_megabytes: 1500.0,
            verifications: 15_000.0,
            rsa_verifications: Some(25_000.0),
        };
        let mut report = Report {
            limits,
            rows: vec![row("email2d", 400.0, 0.5), other.clone()],
            memory: Vec::new(),
        };
        assert_eq!(
            report.ratios(),
            ["| postfix | 2 | 10 | 20 | 10.00 × | 1/10.0 |"]
        );
        other.program = format!("{ORDINARY}rsa");
        other.cpu = 0.79;
        report.rows.push(other.clone());
        assert_eq!(
            report.ordinary_lines(),
            ["| rsa | 2 | 10 | 0.500 | 0.790 | 0.040 | 1.50 × |"]
        );
        report.rows.pop();
        other.cell.sessions = 100;
        report.rows.pop();
        report.rows.push(other);
        assert_eq!(report.ratios(), Vec::<String>::new());
    }
}

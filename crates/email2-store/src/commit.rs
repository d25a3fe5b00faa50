//! What it costs to keep what is kept: commits, and how often stable storage was waited for.

/// Counts since this handle was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// Transactions that were committed; each served everybody who waited.
    pub commits: u64,
    /// Changes within them: deliveries handed in together are one.
    pub changes: u64,
    /// How often the log of the database, the database itself, a body's file or
    /// its directory was brought to stable storage (fsync).
    pub fsyncs: u64,
}

/// Counts, for whoever measures.
pub trait Counted: Send + Sync {
    /// What it cost so far.
    fn commits(&self) -> Commits;
}

//! Dialogues: what a client says and what it hears, to the octet.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod fetch;
mod mailbox;
mod office;
mod verdict;
mod wild;

//! Dialogues: what a client says and what it hears, to the octet.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod cases;
mod fetch;
mod mailbox;
mod office;
mod verdict;
mod wild;

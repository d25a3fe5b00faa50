//! Dialogues: what a client says and what it hears, to the octet.

mod fetch;
mod mailbox;
mod office;
mod verdict;
mod wild;

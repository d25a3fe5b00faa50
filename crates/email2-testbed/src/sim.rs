//! The whole exchange in a seeded simulation: the real servers and clients, with their stores,
//! TLS and SMTP, on a network, a clock, a DNS and a random source that a seed decides.
//!
//! Time stands still while anybody works and jumps when all wait, so that days pass in
//! milliseconds; everything runs on one thread, so that a seed always plays the same. People write
//! to each other, to a list, to somebody whose mail is passed on, and to a host that knows ordinary
//! mail alone, where nothing may be lost and copies are counted apart. Connections
//! are hit at any octet, machines go down at any moment and come back with their disk as it was,
//! hosts cannot reach each other, DNS fails and lies, clocks are wrong. Then the weather clears,
//! and the reckoning holds every mailbox against what was written and what its author was told.

pub mod dice;
pub mod time;
pub mod trace;
pub mod weather;

pub mod net;
mod pipe;

pub mod dns;
pub mod host;
pub mod stage;

pub mod control;

pub mod town;

pub mod ledger;
pub mod life;
pub mod play;

pub mod inspect;
pub mod many;

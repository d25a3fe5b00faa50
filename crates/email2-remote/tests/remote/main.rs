//! `Remote` against hosts on loopback: real sockets, real TLS, the real server machine; DNS says
//! what a test wants.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, and measures real time"
)]

mod alias;
mod deliver;
mod directory;
mod hosts;
mod keys;
mod neighbour;
mod old;
mod ordinary;
mod roads;
mod stage;
mod trust;
mod way;
mod web;
mod zone;

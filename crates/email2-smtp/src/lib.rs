//! SMTP as two state machines, with the EMAIL2 extension (spec §3).
//!
//! [`server::Server`] and [`client::Client`] each hold one side of one connection. They use no
//! sockets, clock, files or threads: octets, answers and the monotonic time go in; events,
//! octets and a deadline come out. Whoever drives them writes what
//! `poll_transmit` gives, takes events until there are none (which may make more to write),
//! reads, and calls `timeout` when the `deadline` passed.

mod bdat;
mod command;
mod data;
mod line;

pub mod envelope;
pub mod extension;
pub mod reply;

pub mod server;

pub mod client;
pub mod lmtp;

pub use client::Client;
pub use command::Credentials;
pub use envelope::{Envelope, Mail, Recipient};
pub use extension::Extensions;
pub use reply::Reply;
pub use server::Server;

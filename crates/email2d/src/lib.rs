//! The Email 2.0 mail server.

mod memory;

pub mod config;

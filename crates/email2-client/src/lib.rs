//! A person's side of Email 2.0.
pub mod memory;

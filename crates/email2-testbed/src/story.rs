//! The story that `email2-demo` plays.

pub mod narrator;

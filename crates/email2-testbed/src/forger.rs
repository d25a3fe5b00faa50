//! Those who want their mail taken for bob's.

pub mod session;

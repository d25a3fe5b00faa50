//! Measuring the real server: messages that were sealed before, delivered by many sessions at
//! once into `email2d` as a process of its own, and beside it what this machine can do.

pub mod machine;
pub mod process;

pub mod dkim;
pub mod letters;
pub mod stage;

pub mod dialogue;
pub mod load;

pub mod idle;
pub mod peer;
pub mod queue;
pub mod relay;
pub mod script;
pub mod sink;

pub mod report;

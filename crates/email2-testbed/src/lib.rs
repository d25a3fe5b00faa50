//! A world on loopback, for the demo and the tests: authoritative DNS with and without
//! DNSSEC, a certification authority, any number of domains with `email2d`, people with
//! their homes, and forgers. Nothing here is a stand-in: names are resolved by UDP, TLS is
//! checked, stores are on disk. Only the `[network]` configuration points at it.

pub mod authority;
pub mod bench;
pub mod certification;
pub mod device;
pub mod domain;
pub mod dovecot;
pub mod failure;
pub mod forger;
pub mod fuzzing;
pub mod gauntlet;
pub mod kept;
pub mod knot;
pub mod loopback;
pub mod mutants;
pub mod opendkim;
pub mod ordinary;
pub mod person;
pub mod postfix;
pub mod rogue;
pub mod sim;
pub mod story;
pub mod tables;
pub mod testbed;
pub mod vectors;
pub mod wire;
pub mod zone;

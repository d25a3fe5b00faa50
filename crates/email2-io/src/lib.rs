//! Clock, entropy, DNS, TLS and sockets: the I/O that the pure crates do not do.
//!
//! [`World`] is all that a server or a client of Email 2.0 knows of the outside. Everything
//! else in this crate takes its time, randomness, names and connections from there, so that a
//! whole world runs on loopback, or in memory, as it runs in production.

pub mod accept;
pub mod aside;
pub mod clock;
pub mod connect;
pub mod dns;
pub mod drive;
pub mod entropy;
pub mod limit;
pub mod machine;
pub mod net;
pub mod suggestion;
pub mod tls;
pub mod world;

pub use clock::Clock;
pub use dns::{Answer, Dns, DnsError};
pub use entropy::{Entropy, Rng};
pub use net::{Connection, IpNetwork, Listener, Net, Stream};
pub use world::{NetworkConfig, World, WorldError};

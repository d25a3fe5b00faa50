//! Another domain's server: found, authenticated, asked for keys, delivered to.
//!
//! [`Remote`] is the door: [`Remote::signer`] for who verifies a seal, [`Remote::key_for_writing`]
//! for who writes, [`Remote::domain`] for what a domain says of itself, [`Remote::deliver`] for
//! mail. The modules stand in the order of the path: resolve → route → fence → connect → keys or
//! deliver, with `speaks` for what DNS and memory know without asking.

pub mod resolve;
pub mod route;

pub mod speaks;

pub mod fence;

pub mod connect;

pub mod keys;

pub mod deliver;

pub mod memory;

mod remote;

pub use connect::{Connector, Content, ContentSource, Session};
pub use deliver::{DeliveryRequest, Outcome, Reason};
pub use keys::{FoundKey, KeyError};
pub use memory::{KnownCertificate, KnownDomain, KnownKey, Memory, MemoryError};
pub use remote::{HomeTrust, Remote};
pub use speaks::DomainFacts;

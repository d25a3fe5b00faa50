//! Another domain's server: found, authenticated, asked for keys, delivered to.
//!
//! [`Remote`] is the door: [`Remote::signer`] for who verifies a seal, [`Remote::key_for_writing`]
//! for who writes, [`Remote::domain`] for what a domain says of itself, [`Remote::deliver`] for
//! sealed mail, one message or several over one [`Line`]; [`Remote::way_to`], [`Remote::tls_policy`] and [`Remote::open_ordinary`] for
//! ordinary mail. The modules stand in the order of the path: way → resolve → route → fence →
//! connect → keys or deliver, with `speaks` for what DNS and memory know without asking, and
//! `mta_sts` and `dane` for what a domain demands of TLS.

pub mod way;

pub mod resolve;
pub mod route;

pub mod speaks;

pub mod fence;

mod https;

pub mod dane;
pub mod mta_sts;
pub mod tls_policy;

pub mod connect;

pub mod keys;

pub mod deliver;
mod deliver_ordinary;
mod line;

pub mod policy;

pub mod memory;

mod recent;
mod remote;

pub use connect::{Connector, Content, ContentSource, Session};
pub use deliver::{DeliveryRequest, Outcome, Reason, Scope};
pub use keys::{FoundKey, KeyError, KeySource, OrdinaryKey, OrdinaryKeyError};
pub use line::Line;
pub use memory::{Memory, MemoryError, TlsSeen};
pub use remote::{HomeTrust, Remote};
pub use speaks::DomainFacts;
pub use tls_policy::TlsPolicy;
pub use way::{Spoken, WayError};

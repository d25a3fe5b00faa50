//! The Email 2.0 protocol: pure, no I/O.
//!
//! Mail that cannot be spoofed: one SMTP service extension, one header field
//! (the seal) and one DNS record. This crate is the whole protocol without
//! sockets, files, clock or threads: octets, times and randomness come in as
//! parameters, verdicts and octets come out.
//!
//! The modules stand in the order of the path that a message takes. The text
//! that governs is the specification in `docs/spec`; the code cites it as
//! `spec §4.2`.

pub mod limits;
pub mod rejection;

pub mod address;
pub mod assurance;
pub mod capability;
pub mod policy_record;

pub mod certificate;
pub mod key_query;
pub mod known;
pub mod scram;
pub mod secret;
pub mod wkd;

mod line;
pub mod skeleton;

pub mod header;
pub mod scan;

pub mod seal;

pub mod block;
pub mod bounce;
pub mod evidence;
pub mod verdict;

pub mod content;

pub mod autocrypt;

pub use address::{Address, AddressError, Domain, Identity, ReversePath};
pub use assurance::Assurance;
pub use certificate::Fingerprint;
pub use key_query::{
    Etag, KeyAnswer, KeyFlags, KeyPut, KeyPutAnswer, KeyQuery, KeyQueryError, Token,
};
pub use policy_record::{PolicyRecord, Strictness};
pub use rejection::Rejection;

//! IMAP as a state machine (RFC 3501, RFC 9051): octets, answers and timeouts
//! go in; typed requests, octets and a deadline come out. It owns no socket, no
//! clock and no mailbox.
//!
//! A [`Session`] serves one connection. Its driver writes out what
//! [`Session::poll_transmit`] gives, answers each [`Request`] of
//! [`Session::poll_event`] with an [`Answer`], and reads on while
//! [`Session::wants_octets`].
//!
//! What a person reads of a message is not quite what is stored: the verdict
//! that the server kept stands in front of it as a header field
//! (spec §10.3), and sizes, offsets and structure are those of what is shown.

pub mod limits;
pub mod verdict;

mod framing;

mod date;
mod grammar;
mod mailbox_name;
mod sequence_set;

mod command;
mod extension;
mod view;

mod shown;
mod structure;
mod writer;

pub mod request;
pub mod session;

pub use request::{
    Answer, Changes, FlagAction, Flags, MailboxInfo, MailboxKey, MessageInfo, MessageKey, Password,
    Refusal, Request, Setting, SpecialUse,
};
pub use session::{Event, Session, SessionConfig};

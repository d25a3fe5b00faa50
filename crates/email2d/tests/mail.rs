//! The server as a whole, in process, on loopback: dialogues typed at its doors, and what its
//! store holds afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

#[path = "mail/house.rs"]
mod house;
#[path = "mail/wire.rs"]
mod wire;

#[path = "mail/cases.rs"]
mod cases;
#[path = "mail/doors.rs"]
mod doors;
#[path = "mail/drain.rs"]
mod drain;
#[path = "mail/enrolment.rs"]
mod enrolment;
#[path = "mail/framing.rs"]
mod framing;
#[path = "mail/https.rs"]
mod https;
#[path = "mail/imap.rs"]
mod imap;
#[path = "mail/keys.rs"]
mod keys;
#[path = "mail/mediator.rs"]
mod mediator;
#[path = "mail/policy.rs"]
mod policy;
#[path = "mail/reaim.rs"]
mod reaim;
#[path = "mail/reports.rs"]
mod reports;
#[path = "mail/sealed.rs"]
mod sealed;
#[path = "mail/sign_in.rs"]
mod sign_in;
#[path = "mail/smarthost.rs"]
mod smarthost;
#[path = "mail/strangers.rs"]
mod strangers;
#[path = "mail/submission.rs"]
mod submission;
#[path = "mail/unsealed.rs"]
mod unsealed;
#[path = "mail/unsubscribe.rs"]
mod unsubscribe;

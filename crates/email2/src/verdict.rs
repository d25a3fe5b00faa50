//! The verdict: what a message is, judged once, from evidence alone.
//!
//! [`judge`] is the only maker of a [`Verdict`], and [`Verdict::accept`] the
//! only maker of an [`Accepted`]: a store that takes mail by `Accepted` cannot
//! hold a verified message that was not judged.

pub mod provenance;

use crate::address::{Address, Identity};
use crate::block::BlockPattern;
use crate::certificate::Fingerprint;
use crate::evidence::Evidence;
use crate::rejection::Rejection;
use crate::seal::{Nonce, Seal};

pub use provenance::{Provenance, ProvenanceError, UnverifiedReason, Via};

/// What a message is.
#[derive(Clone, Debug)]
pub struct Verdict {
    seals: Vec<Seal>,
    rejection: Option<Rejection>,
}

/// How a recipient treats unsealed mail (spec §10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Legacy {
    /// Takes it into the Inbox, marked unverified.
    Accept,
    /// Takes it into Junk.
    Junk,
    /// Refuses it.
    #[default]
    Reject,
}

/// What happens to a stack whose forwarders are not all registered
/// (spec §4.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnregisteredStack {
    /// Refused with a sentence that says what to register.
    #[default]
    Reject,
}

/// What one recipient decided beforehand.
#[derive(Clone, Debug)]
pub struct RecipientPolicy<'a> {
    /// The mailbox that the message is for.
    pub mailbox: Address,
    /// Other addresses that are proved to be this recipient's: aliases here.
    pub aliases: &'a [Address],
    /// How unsealed mail is treated.
    pub legacy: Legacy,
    /// Blocks of the server and of the person.
    pub blocks: &'a [BlockPattern],
    /// Addresses of mediators that this recipient registered: an alias of
    /// theirs elsewhere, or a list's posting address.
    pub forwarders: &'a [Address],
    /// How a stack with other mediators is treated.
    pub unregistered_stack: UnregisteredStack,
}

/// How a copy came; the better way is the smaller (spec §4.11.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From its author.
    Direct,
    /// By registered mediators only.
    Registered,
    /// Any other way.
    Other,
}

/// What is remembered of one seal, in the transaction that stores the message
/// (spec §4.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealMemory {
    /// `k`.
    pub key: Fingerprint,
    /// `n`.
    pub nonce: Nonce,
    /// `h`: another one with the same (k, n) is refused.
    pub digest: [u8; 32],
    /// Until when it is remembered, Unix seconds.
    pub keep_until: u64,
}

/// A message that was judged and that a recipient takes. Made by
/// [`Verdict::accept`] only.
#[derive(Clone, Debug)]
pub struct Accepted {
    mailbox: Address,
    provenance: Provenance,
    seals: Vec<SealMemory>,
    way: Way,
}

/// Judges.
pub fn judge(evidence: Evidence) -> Verdict {
    todo!("{evidence:?}")
}

impl Verdict {
    /// Why the message is refused, for every recipient; the answer to the
    /// transaction then. `None`: [`Verdict::accept`] asks each recipient.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// The author, verified or not (spec §4.8: the one address of From).
    pub fn author(&self) -> Option<&Identity> {
        todo!()
    }

    /// The seals, top first; none for unsealed mail.
    pub fn seals(&self) -> &[Seal] {
        &self.seals
    }

    /// What an administrator should hear about: a domain that speaks Email 2.0
    /// seems not to (spec §2.4).
    pub fn alarm(&self) -> Option<&str> {
        todo!()
    }

    /// Asks one recipient.
    ///
    /// # Errors
    /// The rejection for this recipient: the message's own, a block, the
    /// recipient's policy for unsealed mail or for unregistered mediators.
    pub fn accept(&self, policy: &RecipientPolicy<'_>) -> Result<Accepted, Rejection> {
        todo!("{policy:?}")
    }
}

impl Accepted {
    /// The mailbox that takes it.
    pub fn mailbox(&self) -> &Address {
        &self.mailbox
    }

    /// What is kept and shown about where it comes from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// What to remember, so that it is stored once.
    pub fn seals(&self) -> &[SealMemory] {
        &self.seals
    }

    /// How it came.
    pub fn way(&self) -> Way {
        self.way
    }
}

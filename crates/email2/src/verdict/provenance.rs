//! What is kept and shown about where a message comes from, in one stable
//! text form: the store's column and the field `Email2-Verdict` (spec §10.3).

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, Domain, Identity};
use crate::assurance::Assurance;

/// Where a message comes from, as judged at its acceptance (spec §4.10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The author sealed it, by a key learnt with assurance.
    Verified {
        /// From.
        author: Address,
        /// How the author's key was authenticated.
        assurance: Assurance,
        /// When it was accepted, Unix seconds.
        at: u64,
        /// What it came by, top first; empty is directly.
        via: Vec<Via>,
    },
    /// A registered mediator checked the author's seal; a class below
    /// `Verified` (spec §4.6.5).
    CheckedBy {
        /// From.
        author: Address,
        /// The domain of the mediator that checked.
        domain: Domain,
        /// When it was accepted, Unix seconds.
        at: u64,
    },
    /// A report sealed by a domain's service (spec §4.13).
    Service {
        /// The domain.
        domain: Domain,
        /// When it was accepted, Unix seconds.
        at: u64,
    },
    /// Nothing proves its author.
    Unverified {
        /// Why.
        reason: UnverifiedReason,
        /// When it was accepted, Unix seconds.
        at: u64,
    },
}

/// What a verified message came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A mediator sealed it on.
    Forwarder {
        /// `s` of its seal.
        signer: Identity,
        /// The recipient of the seal below that the mediator answered for.
        address: Address,
    },
    /// A hop that does not speak Email 2.0 (spec §4.15).
    UnsealedHop,
}

/// Why a message is unverified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnverifiedReason {
    /// It carries no seal that counts.
    Unsealed,
}

/// A text that is no provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the text form of a verdict")]
pub struct ProvenanceError;

impl Provenance {
    /// Whether it is shown as verified, and sets `$Email2Verified`.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified { .. })
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

impl FromStr for Provenance {
    type Err = ProvenanceError;
    fn from_str(text: &str) -> Result<Self, ProvenanceError> {
        todo!("{text}")
    }
}

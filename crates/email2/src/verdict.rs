//! The verdict: what a message is, judged once, from evidence alone.
//!
//! [`judge`] is the only maker of a [`Verdict`], and [`Verdict::accept`] the
//! only maker of an [`Accepted`]: a store that takes mail by `Accepted` cannot
//! hold a verified message that was not judged.

mod judge;
pub mod provenance;
mod signer;

use crate::address::{Address, Identity};
use crate::assurance::Assurance;
use crate::block::BlockPattern;
use crate::certificate::Fingerprint;
use crate::limits;
use crate::rejection::Rejection;
use crate::seal::{Nonce, Role, Seal, chain};

pub use judge::{Outline, foresee, foresee_signer, judge};
pub use provenance::{Provenance, ProvenanceError, UnverifiedReason, Via};

/// What a message is.
#[derive(Clone, Debug)]
pub struct Verdict {
    now: u64,
    authors: Vec<Identity>,
    seals: Vec<Seal>,
    outcome: Outcome,
    alarm: Option<String>,
}

/// What holds for every recipient.
#[derive(Clone, Debug)]
enum Outcome {
    /// Refused for all.
    Refused(Rejection),
    /// Every seal that counts verified.
    Sealed {
        standing: Standing,
        /// Whether the MAIL parameter announced it; else it came by an unsealed
        /// hop (spec §4.15).
        announced: bool,
    },
    /// No seal that counts.
    Unsealed,
}

/// How far the innermost seal is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The author's, by a key that was learnt with this assurance.
    Author(Assurance),
    /// The author's, by a key that only the mediator on top vouches for
    /// (spec §4.6.5).
    Vouched,
    /// A domain's service (spec §4.13).
    Service,
}

/// How a recipient treats unsealed mail (spec §10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Legacy {
    /// Takes it into the Inbox, marked unverified. Not built yet: refuses.
    Accept,
    /// Takes it into Junk. Not built yet: refuses.
    Junk,
    /// Refuses it.
    #[default]
    Reject,
}

/// What happens to sealed mail that nobody asked for this way: a stack whose
/// mediators are not all registered (spec §4.6.4), or mail for another address
/// that came by an unsealed hop (spec §4.15).
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

impl Verdict {
    /// Why the message is refused, for every recipient; the answer to the
    /// transaction then. `None`: [`Verdict::accept`] asks each recipient.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.outcome {
            Outcome::Refused(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// The author: `s` of the innermost seal, else the first address in From,
    /// which nothing proves.
    pub fn author(&self) -> Option<&Identity> {
        self.authors.first()
    }

    /// The seals, top first, as far as they could be read; none for unsealed
    /// mail.
    pub fn seals(&self) -> &[Seal] {
        &self.seals
    }

    /// What an administrator should hear about: a domain that speaks Email 2.0
    /// seems not to (spec §2.4).
    pub fn alarm(&self) -> Option<&str> {
        self.alarm.as_deref()
    }

    /// Asks one recipient.
    ///
    /// # Errors
    /// The rejection for this recipient: a block, the message's own, the
    /// recipient's policy for unsealed mail or for unregistered mediators.
    pub fn accept(&self, policy: &RecipientPolicy<'_>) -> Result<Accepted, Rejection> {
        self.check_blocks(policy)?;
        match &self.outcome {
            Outcome::Refused(rejection) => Err(rejection.clone()),
            // spec §10.4.1
            Outcome::Unsealed => match policy.legacy {
                Legacy::Accept | Legacy::Junk | Legacy::Reject => Err(Rejection::Unsealed),
            },
            Outcome::Sealed {
                standing,
                announced: true,
            } => self.accept_sealed(policy, *standing),
            Outcome::Sealed {
                standing,
                announced: false,
            } => self.accept_hop(policy, *standing),
        }
    }

    /// A block holds for whoever sealed, at either end, and for every address
    /// in From (spec §10.1.1).
    fn check_blocks(&self, policy: &RecipientPolicy<'_>) -> Result<(), Rejection> {
        let top = self.seals.first().map(|seal| &seal.signer);
        let mut who = self.authors.iter().chain(top);
        if who.any(|who| policy.blocks.iter().any(|block| block.matches(who))) {
            return Err(Rejection::Blocked);
        }
        Ok(())
    }

    fn accept_sealed(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
    ) -> Result<Accepted, Rejection> {
        let via = self.mediators(policy)?;
        let way = if via.is_empty() {
            Way::Direct
        } else {
            Way::Registered
        };
        self.accepted(policy, standing, via, way)
    }

    /// Without the MAIL parameter nothing says whom the hop was for: the
    /// innermost addressees must be this recipient's (spec §4.15.2).
    fn accept_hop(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
    ) -> Result<Accepted, Rejection> {
        let mut via = self.mediators(policy)?;
        let recipients = self.seals.first().map_or(&[][..], |top| &top.recipients);
        let is_own = |address: &Address| {
            *address == policy.mailbox
                || policy.aliases.contains(address)
                || policy.forwarders.contains(address)
        };
        if !recipients.iter().any(is_own) {
            return Err(Rejection::NotSealedFor {
                recipient: policy.mailbox.clone(),
            });
        }
        via.insert(0, Via::UnsealedHop);
        self.accepted(policy, standing, via, Way::Other)
    }

    /// The mediators, top first, every one of them registered (spec §4.6.4).
    fn mediators(&self, policy: &RecipientPolicy<'_>) -> Result<Vec<Via>, Rejection> {
        let pairs = self.seals.windows(2).filter_map(|pair| match pair {
            [upper, lower] => Some((upper, lower)),
            _ => None,
        });
        pairs
            .map(
                |(upper, lower)| match chain::registered(upper, lower, policy.forwarders) {
                    Some(address) => Ok(Via::Forwarder {
                        signer: upper.signer.clone(),
                        address: address.clone(),
                    }),
                    None => match policy.unregistered_stack {
                        UnregisteredStack::Reject => Err(Rejection::ForwarderUnknown {
                            forwarder: upper.signer.clone(),
                        }),
                    },
                },
            )
            .collect()
    }

    fn accepted(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
        via: Vec<Via>,
        way: Way,
    ) -> Result<Accepted, Rejection> {
        Ok(Accepted {
            mailbox: policy.mailbox.clone(),
            provenance: self.provenance(standing, via)?,
            seals: self.seals.iter().map(remember).collect(),
            way,
        })
    }

    fn provenance(&self, standing: Standing, via: Vec<Via>) -> Result<Provenance, Rejection> {
        let (Some(top), Some(innermost)) = (self.seals.first(), self.seals.last()) else {
            return Err(Rejection::SealMissing);
        };
        let at = self.now;
        match (standing, innermost.role, &innermost.signer) {
            (Standing::Author(assurance), Role::Author, Identity::Address(author)) => {
                Ok(Provenance::Verified {
                    author: author.clone(),
                    assurance,
                    at,
                    via,
                })
            }
            (Standing::Vouched, Role::Author, Identity::Address(author)) => {
                let domain = top.signer.domain().clone();
                Ok(Provenance::CheckedBy {
                    author: author.clone(),
                    domain,
                    at,
                })
            }
            (Standing::Service, Role::Service, Identity::Service(domain)) => {
                Ok(Provenance::Service {
                    domain: domain.clone(),
                    at,
                })
            }
            _ => Err(Rejection::RoleRule {
                rule: "the innermost seal is no author's",
            }),
        }
    }
}

/// spec §4.11.1.
fn remember(seal: &Seal) -> SealMemory {
    SealMemory {
        key: seal.key.clone(),
        nonce: seal.nonce,
        digest: seal.digest,
        keep_until: seal.created.saturating_add(limits::SEAL_MEMORY),
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

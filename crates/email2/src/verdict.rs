//! The verdict: what a message is, judged once, from evidence alone.
//!
//! [`judge`] is the only maker of a [`Verdict`], and [`Verdict::accept`] the
//! only maker of an [`Accepted`]: a store that takes mail by `Accepted` cannot
//! hold a verified message that was not judged.

mod judge;
mod ordinary;
pub mod provenance;
mod signer;

use crate::address::{Address, Identity};
use crate::assurance::Assurance;
use crate::block::BlockPattern;
use crate::certificate::Fingerprint;
use crate::evidence::OrdinaryEvidence;
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
    /// No seal that counts, and what else is known; `None`: nobody looked.
    Unsealed(Option<Box<OrdinaryEvidence>>),
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
    /// Takes it into the Inbox, marked unverified.
    Accept,
    /// Takes it into Junk, marked unverified.
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
    /// Waits in Requests (spec §4.6.4, §11.6.1).
    #[default]
    Requests,
    /// Refused with a sentence that says what to register.
    Reject,
}

/// Where an accepted message is to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Place {
    /// Among the mail that its owner reads.
    #[default]
    Inbox,
    /// Apart, until its owner decides.
    Requests,
    /// Among what is probably not wanted.
    Junk,
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
    place: Place,
    seals: Vec<SealMemory>,
    way: Way,
    answered: Vec<[u8; 32]>,
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

    /// All authors: the one who sealed, and every address in From.
    pub fn authors(&self) -> &[Identity] {
        &self.authors
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
            Outcome::Unsealed(ordinary) => self.accept_unsealed(policy, ordinary.as_deref()),
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
        let via = self.mediators(policy, standing)?;
        let way = match via.as_slice() {
            [] => Way::Direct,
            via if via.iter().all(Via::is_registered) => Way::Registered,
            _ => Way::Other,
        };
        self.accepted(policy, standing, via, way)
    }

    /// Without the MAIL parameter nothing says whom the hop was for: the top
    /// seal's recipients must be this recipient's own, or it waits (spec §4.15.2,
    /// §11.6.2).
    fn accept_hop(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
    ) -> Result<Accepted, Rejection> {
        let mut via = self.mediators(policy, standing)?;
        let recipients = self.seals.first().map_or(&[][..], |top| &top.recipients);
        let is_own = |address: &&Address| {
            **address == policy.mailbox
                || policy.aliases.contains(address)
                || policy.forwarders.contains(address)
        };
        let hop = match (recipients.iter().find(is_own), recipients.first()) {
            (None, Some(other)) if policy.unregistered_stack == UnregisteredStack::Requests => {
                Via::UnsealedHopFor {
                    address: other.clone(),
                }
            }
            (None, _) => {
                return Err(Rejection::NotSealedFor {
                    recipient: policy.mailbox.clone(),
                });
            }
            (Some(_), _) => Via::UnsealedHop,
        };
        via.insert(0, hop);
        self.accepted(policy, standing, via, Way::Other)
    }

    /// The mediators, top first; whether each is registered decides where the
    /// message lies (spec §4.6.4).
    fn mediators(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
    ) -> Result<Vec<Via>, Rejection> {
        let pairs = self.seals.windows(2).filter_map(|pair| match pair {
            [upper, lower] => Some((upper, lower)),
            _ => None,
        });
        let via: Vec<Via> = pairs
            .filter_map(|(upper, lower)| mediator(upper, lower, policy.forwarders))
            .collect();
        // Only a registered mediator vouches for an author (spec §4.6.5).
        let judged_by_it =
            standing == Standing::Vouched && via.first().is_none_or(|first| !first.is_registered());
        let refuses = policy.unregistered_stack == UnregisteredStack::Reject;
        match via.iter().find(|via| !via.is_registered()) {
            Some(Via::Unregistered { signer, .. }) if refuses || judged_by_it => {
                Err(Rejection::ForwarderUnknown {
                    forwarder: signer.clone(),
                })
            }
            _ => Ok(via),
        }
    }

    fn accepted(
        &self,
        policy: &RecipientPolicy<'_>,
        standing: Standing,
        via: Vec<Via>,
        way: Way,
    ) -> Result<Accepted, Rejection> {
        let place = if via.iter().all(Via::is_registered) {
            Place::Inbox
        } else {
            Place::Requests
        };
        Ok(Accepted {
            mailbox: policy.mailbox.clone(),
            provenance: self.provenance(standing, via)?,
            place,
            seals: self.seals.iter().map(remember).collect(),
            way,
            answered: Vec::new(),
        })
    }

    fn provenance(&self, standing: Standing, via: Vec<Via>) -> Result<Provenance, Rejection> {
        let (Some(top), Some(innermost)) = (self.seals.first(), self.seals.last()) else {
            return Err(Rejection::SealMissing);
        };
        let at = self.now;
        let is_registered = via.iter().all(Via::is_registered);
        match (standing, innermost.role, &innermost.signer) {
            (Standing::Author(assurance), Role::Author, Identity::Address(author))
                if !is_registered =>
            {
                Ok(Provenance::ForOthers {
                    author: author.clone(),
                    assurance,
                    at,
                    via,
                })
            }
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
                    via,
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

/// What a `forward` seal answered for (spec §4.6.4).
fn mediator(upper: &Seal, lower: &Seal, forwarders: &[Address]) -> Option<Via> {
    let signer = upper.signer.clone();
    if let Some(address) = chain::registered(upper, lower, forwarders) {
        let address = address.clone();
        return Some(Via::Forwarder { signer, address });
    }
    let mut named = lower.recipients.iter();
    let inside = named.find(|address| address.domain() == signer.domain());
    let address = inside.or(lower.recipients.first())?.clone();
    Some(Via::Unregistered { signer, address })
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

    /// Where it is to lie.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is forgotten of sent messages with it: reports about them were taken
    /// (spec §11.5.2).
    pub fn answered(&self) -> &[[u8; 32]] {
        &self.answered
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

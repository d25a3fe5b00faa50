//! What a recipient decided beforehand: blocks, mediators, ordinary mail (spec §4.6, §10).

use std::sync::Arc;

use email2::address::{Address, Identity};
use email2::block::BlockPattern;
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{
    Accepted, Legacy, Place, Provenance, RecipientPolicy, UnregisteredStack, UnverifiedReason,
};
use email2_store::Recipient;
use email2_store::mailbox::INBOX;

use crate::settings::{
    self, CONTACTS, Contact, FORWARDERS, LEGACY, REQUESTS, STRANGERS, VACATION, VACATION_DAYS,
};

/// The mailbox for what is probably not wanted (RFC 6154 `\\Junk`).
const JUNK: &str = "Junk";

/// A recipient's decisions, owned for the time of a transaction. What is long is shared with
/// others who decided the same: a transaction has up to a thousand recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preferences {
    mailbox: Address,
    aliases: Vec<Address>,
    legacy: Legacy,
    blocks: Arc<[BlockPattern]>,
    forwarders: Arc<[Address]>,
    /// Whom the recipient knows.
    contacts: Arc<[Contact]>,
    /// Where the mail of others waits: in Requests.
    requests: bool,
    /// What everybody is answered who writes (spec §14.3).
    vacation: Option<Arc<str>>,
    /// For how long nobody is answered again, seconds.
    pause: u64,
}

impl Preferences {
    /// Those of the recipient that `address` names; `legacy` is the domain's, for whoever chose
    /// nothing (spec §10.4).
    pub(crate) fn of(address: &Address, recipient: &Recipient, legacy: Legacy) -> Preferences {
        let mailbox = recipient.account.address.clone();
        let aliases = if *address == mailbox {
            Vec::new()
        } else {
            vec![address.clone()]
        };
        let of = |name| settings::of(recipient, name);
        Preferences {
            mailbox,
            aliases,
            legacy: of(LEGACY).and_then(settings::legacy).unwrap_or(legacy),
            blocks: recipient.blocks.as_slice().into(),
            forwarders: of(FORWARDERS)
                .map_or_else(Arc::default, |of| settings::forwarders(of).into()),
            contacts: of(CONTACTS).map_or_else(Arc::default, |of| settings::contacts(of).into()),
            requests: of(STRANGERS).is_some_and(settings::wait_in_requests),
            vacation: of(VACATION).and_then(settings::vacation).map(Arc::from),
            pause: of(VACATION_DAYS)
                .and_then(settings::vacation_pause)
                .unwrap_or(limits::ANSWER_PAUSE),
        }
    }

    /// Those of an address that has no mailbox: an alias for addresses elsewhere, a list.
    pub(crate) fn of_mediator(
        address: &Address,
        legacy: Legacy,
        blocks: Vec<BlockPattern>,
    ) -> Preferences {
        Preferences {
            mailbox: address.clone(),
            aliases: Vec::new(),
            legacy,
            blocks: blocks.into(),
            forwarders: Arc::default(),
            contacts: Arc::default(),
            requests: false,
            vacation: None,
            pause: limits::ANSWER_PAUSE,
        }
    }

    /// The same, where mail is taken that these mediators passed on.
    pub(crate) fn taking_from(mut self, mediators: Vec<Address>) -> Preferences {
        self.forwarders = self.forwarders.iter().cloned().chain(mediators).collect();
        self
    }

    /// The same, held once where another recipient decided alike.
    pub(crate) fn shared_with(mut self, other: &Preferences) -> Preferences {
        share(&mut self.blocks, &other.blocks);
        share(&mut self.forwarders, &other.forwarders);
        share(&mut self.contacts, &other.contacts);
        if self.vacation == other.vacation {
            self.vacation.clone_from(&other.vacation);
        }
        self
    }

    /// Refuses a signer who is blocked (spec §10.1.1).
    pub(crate) fn refuse_blocked(&self, signer: &Identity) -> Result<(), Rejection> {
        if self.blocks.iter().any(|block| block.matches(signer)) {
            return Err(Rejection::Blocked);
        }
        Ok(())
    }

    /// Would both give the same answer to any message? Blocks of the announced author were
    /// applied at RCPT already; those of another author below a mediator's seal were not.
    pub(crate) fn decide_like(&self, other: &Preferences, by_author: bool) -> bool {
        self.legacy == other.legacy
            && self.forwarders == other.forwarders
            && (by_author || self.blocks == other.blocks)
    }

    /// For the judge.
    pub(crate) fn policy(&self) -> RecipientPolicy<'_> {
        RecipientPolicy {
            mailbox: self.mailbox.clone(),
            aliases: &self.aliases,
            legacy: self.legacy,
            blocks: &self.blocks,
            forwarders: &self.forwarders,
            unregistered_stack: UnregisteredStack::Requests,
        }
    }

    /// May a message without a seal come into one of the mailboxes? Whoever takes no ordinary mail
    /// still gets what a registered mediator broke (spec §11.6.3).
    pub(crate) fn may_take_unsealed(&self) -> bool {
        self.legacy != Legacy::Reject || !self.forwarders.is_empty()
    }

    /// Where an accepted message is kept: what a stranger wrote waits in Requests, and the
    /// stranger is not told (spec §10.5.1).
    pub(crate) fn mailbox_for(&self, accepted: &Accepted, authors: &[Identity]) -> &'static str {
        match accepted.place() {
            Place::Junk => JUNK,
            Place::Requests => REQUESTS,
            Place::Inbox
                if self.requests
                    && is_by_a_person(accepted.provenance())
                    && !self.knows_all(authors) =>
            {
                REQUESTS
            }
            Place::Inbox => INBOX,
        }
    }

    /// Are all authors contacts?
    fn knows_all(&self, authors: &[Identity]) -> bool {
        let mut authors = authors.iter().map(Identity::address);
        authors.all(|author| author.is_some_and(|author| self.knows(author)))
    }

    /// Is this author the recipient, or one of their contacts?
    pub(crate) fn knows(&self, author: &Address) -> bool {
        *author == self.mailbox || self.contacts.iter().any(|contact| contact.is(author))
    }

    /// What everybody is answered who writes.
    pub(crate) fn vacation(&self) -> Option<&str> {
        self.vacation.as_deref()
    }

    /// For how long nobody is answered again, seconds.
    pub(crate) fn pause(&self) -> u64 {
        self.pause
    }

    /// Is it kept in the Inbox?
    pub(crate) fn is_for_inbox(&self, accepted: &Accepted, authors: &[Identity]) -> bool {
        self.mailbox_for(accepted, authors) == INBOX
    }

    /// Did this recipient register `address` as a mediator's (spec §4.6.4)?
    pub(crate) fn registered(&self, address: &Address) -> bool {
        self.forwarders.contains(address)
    }
}

fn share<T: PartialEq>(own: &mut Arc<[T]>, other: &Arc<[T]>) {
    if own == other {
        *own = Arc::clone(other);
    }
}

/// Reports are nobody's letters, and what a registered mediator vouches for is no stranger's.
fn is_by_a_person(provenance: &Provenance) -> bool {
    !matches!(
        provenance,
        Provenance::Service { .. }
            | Provenance::CheckedBy { .. }
            | Provenance::Unverified {
                reason: UnverifiedReason::Report,
                ..
            }
    )
}

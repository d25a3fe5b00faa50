//! What a recipient decided beforehand: blocks, mediators, ordinary mail (spec §4.6, §10).

use email2::address::{Address, Identity};
use email2::block::BlockPattern;
use email2::rejection::Rejection;
use email2::verdict::{Legacy, Provenance, RecipientPolicy, UnregisteredStack};
use email2_store::Recipient;
use email2_store::mailbox::INBOX;

use crate::settings::{self, CONTACTS, Contact, FORWARDERS, OF_RECIPIENTS, REQUESTS, STRANGERS};

/// A recipient's decisions, owned for the time of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preferences {
    mailbox: Address,
    aliases: Vec<Address>,
    legacy: Legacy,
    blocks: Vec<BlockPattern>,
    forwarders: Vec<Address>,
    /// Whom the recipient knows.
    contacts: Vec<Contact>,
    /// Where the mail of others waits: in Requests.
    requests: bool,
}

impl Preferences {
    /// Those of the recipient that `address` names.
    pub(crate) fn of(address: &Address, recipient: &Recipient) -> Preferences {
        let mailbox = recipient.account.address.clone();
        let aliases = if *address == mailbox {
            Vec::new()
        } else {
            vec![address.clone()]
        };
        let of = |name: &str| {
            let place = OF_RECIPIENTS.iter().position(|known| *known == name)?;
            recipient.settings.get(place)?.as_deref()
        };
        Preferences {
            mailbox,
            aliases,
            legacy: Legacy::Reject,
            blocks: recipient.blocks.clone(),
            forwarders: of(FORWARDERS).map(settings::forwarders).unwrap_or_default(),
            contacts: of(CONTACTS).map(settings::contacts).unwrap_or_default(),
            requests: of(STRANGERS).is_some_and(settings::wait_in_requests),
        }
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
            unregistered_stack: UnregisteredStack::Reject,
        }
    }

    /// Where an accepted message is kept: a verified stranger's waits in Requests, and the
    /// stranger is not told (spec §10.5.1).
    pub(crate) fn mailbox_for(&self, provenance: &Provenance) -> &'static str {
        match provenance {
            Provenance::Verified { author, .. } if self.requests && !self.knows(author) => REQUESTS,
            _ => INBOX,
        }
    }

    /// Is this author the recipient, or one of their contacts?
    pub(crate) fn knows(&self, author: &Address) -> bool {
        *author == self.mailbox || self.contacts.iter().any(|contact| contact.is(author))
    }

    /// Did this recipient register `address` as a mediator's (spec §4.6.4)?
    pub(crate) fn registered(&self, address: &Address) -> bool {
        self.forwarders.contains(address)
    }
}

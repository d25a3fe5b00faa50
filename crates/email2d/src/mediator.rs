//! Mail that comes to an address here and goes on from it (spec §14): forwarding rules, aliases
//! for addresses elsewhere, lists, and the reports about what they passed on.
//!
//! What is passed on was judged as any other mail; it goes on under a seal of ours, its author's
//! seal untouched below.

pub(crate) mod original;

pub(crate) mod forward;
pub(crate) mod list;
pub(crate) mod onward;
pub(crate) mod report;
pub(crate) mod return_path;
pub(crate) mod unsubscribe;
pub(crate) mod vacation;

mod letter;
mod secret;

use email2::address::Address;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Place, Provenance, UnregisteredStack, Verdict};
use email2_store::{Account, List};

use crate::inbound::accept;
use crate::inbound::envelope::{Admitted, Envelope};
use crate::inbound::policy::Preferences;
use crate::session::Caller;
use crate::strangers::ordinary;
use forward::Rule;
use original::Original;

/// A recipient whose mail goes on.
#[derive(Debug)]
pub(crate) struct Mediated {
    /// As RCPT named it.
    pub(crate) address: Address,
    /// What was decided about its mail beforehand.
    pub(crate) preferences: Preferences,
    /// Who passes it on.
    pub(crate) by: Mediator,
}

/// Who passes mail on.
#[derive(Debug)]
pub(crate) enum Mediator {
    /// The rule of an account's owner.
    Forward(Box<Admitted>, Rule),
    /// An alias for addresses elsewhere.
    Alias(Vec<Address>),
    /// A list, to its members.
    List(List),
    /// A list takes a command.
    Request(List),
    /// The owner of an address elsewhere takes what an account here passes on.
    Confirm(Account),
    /// A report about ordinary mail goes back to its sender.
    Return(Address),
}

impl Mediated {
    /// The account whose mailbox it may lie in as well.
    pub(crate) fn account(&self) -> Option<&Account> {
        match &self.by {
            Mediator::Forward(admitted, _) => Some(&admitted.account),
            Mediator::Confirm(account) => Some(account),
            _ => None,
        }
    }
}

/// Takes a judged message for the mediator, and gives the text of the 250.
///
/// # Errors
/// The message's own rejection, the mediator's, or the store failed.
pub(crate) async fn take(
    caller: &Caller,
    envelope: &Envelope,
    mediated: &Mediated,
    original: &Original,
    verdict: &Verdict,
) -> Result<String, Rejection> {
    if let Some(rejection) = verdict.rejection() {
        return Err(rejection.clone());
    }
    let preferences = mediated.preferences.clone();
    let preferences = match &mediated.by {
        // Who reads it in the end decides about the others who passed it on (spec §14.2.5).
        Mediator::Alias(_) => preferences.taking_from(original.mediators()),
        _ => preferences,
    };
    let mut policy = preferences.policy();
    if !matches!(mediated.by, Mediator::Forward(..)) {
        policy.unregistered_stack = UnregisteredStack::Reject;
    }
    let accepted = verdict.accept(&policy)?;
    let original = &original.judged(&caller.site, verdict).await?;
    if matches!(accepted.provenance(), Provenance::Service { .. }) {
        return report::take(caller, envelope, mediated, original, accepted).await;
    }
    let payer = original.mail.payer.as_ref();
    let cost = ordinary::admit_onward(&caller.site, &accepted, payer)?;
    let text = match &mediated.by {
        Mediator::Forward(to, rule) => {
            forward::by_rule(caller, envelope, to, rule, original, accepted).await
        }
        Mediator::Alias(targets) => {
            forward::by_alias(caller, envelope, targets, original, accepted).await
        }
        Mediator::List(list) => list::post(caller, envelope, list, original, accepted).await,
        Mediator::Request(list) => list::request(caller, list, original, &accepted).await,
        Mediator::Confirm(account) => forward::confirm(caller, account, &accepted).await,
        Mediator::Return(sender) => {
            return_path::back(caller, envelope, sender, original, accepted).await
        }
    }?;
    ordinary::charge(&caller.site, cost).await;
    Ok(text)
}

/// The text of a 250: it tells nobody where the mail goes.
fn taken(id: &str, accepted: &Accepted) -> String {
    match accepted.provenance() {
        Provenance::Verified { author, .. } | Provenance::CheckedBy { author, .. } => {
            format!("sealed by {author}, stored as {id}")
        }
        _ => format!("stored as {id}"),
    }
}

/// What has no mailbox to wait in is passed on at its best, or refused (spec §14.2.4).
fn refuse_doubtful(accepted: &Accepted) -> Result<(), Rejection> {
    match accepted.place() {
        Place::Inbox => Ok(()),
        Place::Junk | Place::Requests => Err(Rejection::Unsealed),
    }
}

/// What a store that fails means.
fn store_failed(error: email2_store::StoreError) -> Rejection {
    accept::store_failed(error)
}

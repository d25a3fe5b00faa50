//! Forwarding: an owner's rule (spec §14.2), an alias for addresses elsewhere (spec §14.1).

use email2::address::Address;
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance};
use email2_store::{Account, Delivery, Passage, PassageOutcome, Recipient, Scope};

use super::onward::{Onward, ordinary, sealed};
use super::original::Original;
use super::{refuse_doubtful, store_failed, taken};
use crate::inbound::accept;
use crate::inbound::envelope::{Admitted, Envelope};
use crate::session::Caller;
use crate::settings::{self, CONFIRMED, FORWARD};
use crate::trace::Hop;

/// The line of a rule that keeps a copy here.
const KEEP: &str = "keep";

/// Where an owner has mail passed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// To whom.
    pub(crate) to: Vec<Address>,
    /// A copy stays here.
    pub(crate) keep: bool,
}

/// Why a text is no rule; one ASCII sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    /// A line that is none.
    #[error("line {0} of forward is not an address, nor keep")]
    Line(usize),
    /// Too many.
    #[error("mail is passed on to at most {} addresses", limits::FORWARD_TARGETS)]
    TooMany,
}

impl Rule {
    /// Reads the setting: an address a line, and `keep`.
    pub(crate) fn parse(text: &str) -> Result<Rule, RuleError> {
        let mut rule = Rule {
            to: Vec::new(),
            keep: false,
        };
        for (index, line) in text.lines().map(str::trim).enumerate() {
            match line {
                "" => {}
                KEEP => rule.keep = true,
                line => {
                    let address = Address::parse(line).map_err(|_| RuleError::Line(index + 1))?;
                    rule.to.push(address);
                }
            }
        }
        if rule.to.len() > limits::FORWARD_TARGETS {
            return Err(RuleError::TooMany);
        }
        Ok(rule)
    }

    /// The rule that holds for an account: none as long as nobody took what it passes on
    /// (spec §14.2.3). As long as not all did, a copy stays.
    pub(crate) fn of(recipient: &Recipient) -> Option<Rule> {
        let text =
            |name| String::from_utf8_lossy(settings::of(recipient, name).unwrap_or_default());
        let mut rule = Rule::parse(&text(FORWARD)).ok()?;
        let confirmed = settings::forwarders(text(CONFIRMED).as_bytes());
        let named = rule.to.len();
        rule.to.retain(|to| confirmed.contains(to));
        rule.keep |= rule.to.len() < named;
        (!rule.to.is_empty()).then_some(rule)
    }
}

/// Passes a message on as its owner wants, and keeps a copy if the owner wants that, both in one
/// transaction. What does not belong in the Inbox is kept and not passed on: passing on raises no
/// verdict (spec §14.2.4).
pub(super) async fn by_rule(
    caller: &Caller,
    envelope: &Envelope,
    to: &Admitted,
    rule: &Rule,
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    let stays = !to.preferences.is_for_inbox(&accepted, &original.authors);
    let id = caller.site.new_id();
    let text = taken(&id, &accepted);
    let copy = (rule.keep || stays).then(|| {
        let now = caller.site.world.now();
        let hop = Hop::of(caller, envelope, now);
        accept::copy(
            &hop,
            to,
            accepted.clone(),
            &original.authors,
            &original.mail,
            now,
        )
    });
    let mut passages = Vec::new();
    if !stays {
        let onward = Onward {
            id,
            ..Onward::new(&caller.site, &to.address, &rule.to)
        };
        let passage = passage(caller, envelope, &onward, original, accepted).await?;
        passages.push(passage);
    }
    pass_on(caller, &to.address, copy, passages).await?;
    Ok(text)
}

/// Passes a message on to where an alias leads.
pub(super) async fn by_alias(
    caller: &Caller,
    envelope: &Envelope,
    targets: &[Address],
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    refuse_doubtful(&accepted)?;
    let by = accepted.mailbox().clone();
    let onward = Onward::new(&caller.site, &by, targets);
    let text = taken(&onward.id, &accepted);
    let passage = passage(caller, envelope, &onward, original, accepted).await?;
    pass_on(caller, &by, None, vec![passage]).await?;
    Ok(text)
}

/// The entries of a message, sealed or ordinary as it is, with the proof that it was judged.
pub(super) async fn passage(
    caller: &Caller,
    envelope: &Envelope,
    onward: &Onward<'_>,
    original: &Original,
    accepted: Accepted,
) -> Result<Passage, Rejection> {
    let entries = if matches!(accepted.provenance(), Provenance::Unverified { .. }) {
        ordinary(caller, envelope, onward, original).await?
    } else {
        sealed(caller, envelope, onward, original).await?
    };
    Ok(Passage {
        by: onward.by.clone(),
        accepted,
        entries,
        held: false,
    })
}

/// Keeps everything, or nothing; whether anything was new.
///
/// # Errors
/// A mailbox is full or gone, the seal was used for another message, or the store failed.
pub(super) async fn pass_on(
    caller: &Caller,
    by: &Address,
    copy: Option<Delivery>,
    passages: Vec<Passage>,
) -> Result<bool, Rejection> {
    let site = &caller.site;
    let copies = copy.into_iter().collect();
    let kept = site.store.pass_on(copies, passages).await;
    let (stored, passed) = kept.map_err(store_failed)?;
    for outcome in &stored {
        accept::refuse_unstored(by, outcome)?;
    }
    if passed.contains(&PassageOutcome::DifferentContent) {
        return Err(Rejection::NonceReused);
    }
    site.departures.announce();
    Ok(passed.contains(&PassageOutcome::Kept))
}

/// The owner of an address elsewhere takes what an account here passes on to it: nobody is sent
/// mail because somebody else entered their address (spec §14.2.3).
pub(super) async fn confirm(
    caller: &Caller,
    account: &Account,
    accepted: &Accepted,
) -> Result<String, Rejection> {
    let refused = || Rejection::NoSuchMailbox {
        recipient: accepted.mailbox().clone(),
    };
    // Written to this very address: what somebody passed on takes nothing for its author.
    let author = match accepted.provenance() {
        Provenance::Verified { author, via, .. } if via.is_empty() => author,
        _ => return Err(refused()),
    };
    let (store, scope) = (&caller.site.store, Scope::Account(account.id));
    let setting = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default());
    let rule = store.setting(scope, FORWARD).await.map_err(store_failed)?;
    let rule = setting(rule).map_err(|_| refused())?;
    let rule = Rule::parse(&rule).map_err(|_| refused())?;
    if !rule.to.contains(author) {
        return Err(refused());
    }
    let known = store
        .setting(scope, CONFIRMED)
        .await
        .map_err(store_failed)?;
    let known = setting(known).map_err(|_| refused())?;
    let line = author.to_string();
    if !known.lines().any(|known| known == line) {
        let value = format!("{known}{line}\n").into_bytes();
        let set = vec![(CONFIRMED.to_owned(), Some(value))];
        store.set(scope, set).await.map_err(store_failed)?;
    }
    tracing::info!(account = %account.address, to = %author, "forwarding confirmed");
    Ok(format!("mail for {} is passed on to you", account.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_addresses_and_keep() {
        let rule = Rule::parse("keep\r\n\r\n bob@example.org\n").unwrap();
        assert!(rule.keep);
        assert_eq!(rule.to, ["bob@example.org".parse::<Address>().unwrap()]);
        let error = Rule::parse("bob@example.org\n@example.org").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2 of forward is not an address, nor keep"
        );
        let most = "bob@example.org\n".repeat(limits::FORWARD_TARGETS);
        assert!(Rule::parse(&most).is_ok());
        let more = format!("{most}bob@example.org\n");
        assert_eq!(Rule::parse(&more), Err(RuleError::TooMany));
    }
}

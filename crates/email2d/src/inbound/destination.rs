//! Where mail for an address goes (spec §14.1): into a mailbox, or to somebody who passes it on.

use email2::address::Address;
use email2::rejection::Rejection;
use email2::verdict::Legacy;
use email2_store::{AliasTarget, Recipient, Scope, StoreError};

use super::envelope::Admitted;
use super::policy::Preferences;
use crate::handover;
use crate::mediator::forward::Rule;
use crate::mediator::return_path::Origin;
use crate::mediator::{Mediated, Mediator, list, return_path};
use crate::site::Site;

/// What stands behind an address.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A mailbox here.
    Mailbox(Box<Admitted>),
    /// Somebody passes it on.
    Mediated(Box<Mediated>),
}

/// The tag by which the owner of an address elsewhere takes what is passed on (spec §14.2.3).
const CONFIRM: &str = "confirm-forward";

/// What stands behind `address`; `None` when nothing does. The nearest thing counts: the address
/// itself (the domain's postmaster too), a list's office, what stands before `+`, a reverse-path of
/// ours, the domain's catch-all.
///
/// # Errors
/// As the store says.
pub(crate) async fn of(site: &Site, address: &Address) -> Result<Option<Destination>, StoreError> {
    if let Some(found) = named(site, address, address).await? {
        return Ok(Some(found));
    }
    if let Some(found) = list::office(site, address).await? {
        return Ok(Some(mediated(site, address, found).await?));
    }
    // What `+` means to the system behind, that system knows.
    if site.inner_of(address.domain()).is_none()
        && let Some(found) = sub_address(site, address).await?
    {
        return Ok(Some(found));
    }
    if let Some(origin) = return_path::original(site, address) {
        return back(site, address, origin).await;
    }
    let domain = site.config.domain(address.domain());
    let catch_all = domain.and_then(|domain| domain.catch_all.as_ref());
    match catch_all {
        Some(instead) => named(site, address, instead).await,
        None => Ok(None),
    }
}

/// A reverse-path of ours: a report goes back to whom SPF proved; about whom anybody may have
/// named the domain's postmaster reads it (spec §14.2.8).
async fn back(
    site: &Site,
    address: &Address,
    origin: Origin,
) -> Result<Option<Destination>, StoreError> {
    if origin.proved {
        let back = Mediator::Return(origin.sender);
        return Ok(Some(mediated(site, address, back).await?));
    }
    match Address::parse(&format!("postmaster@{}", address.domain())) {
        Ok(postmaster) => named(site, address, &postmaster).await,
        Err(_) => Ok(None),
    }
}

/// Somebody of whom only the mail system behind this server knows (spec §15.1.1).
///
/// # Errors
/// It cannot be asked, or the store failed.
pub(crate) async fn behind(
    site: &Site,
    address: &Address,
) -> Result<Option<Destination>, Rejection> {
    let known = handover::recipient(site, address).await?;
    Ok(known.map(|known| account(site, address, known)))
}

/// What is called `name`; it is written to as `address`.
async fn named(
    site: &Site,
    address: &Address,
    name: &Address,
) -> Result<Option<Destination>, StoreError> {
    if let Some(known) = site.recipient_for(name).await? {
        return Ok(Some(account(site, address, known)));
    }
    if let Some(alias) = site.store.alias(name).await? {
        return aliased(site, address, alias.target).await;
    }
    match site.store.list(name).await? {
        Some(list) => {
            let found = mediated(site, name, Mediator::List(list)).await?;
            Ok((address == name).then_some(found))
        }
        None => Ok(None),
    }
}

async fn aliased(
    site: &Site,
    address: &Address,
    target: AliasTarget,
) -> Result<Option<Destination>, StoreError> {
    match target {
        AliasTarget::Account { address: of, .. } => {
            let known = site.recipient_for(&of).await?;
            Ok(known.map(|known| account(site, address, known)))
        }
        AliasTarget::Elsewhere(targets) => {
            let alias = Mediator::Alias(targets);
            Ok(Some(mediated(site, address, alias).await?))
        }
    }
}

/// A mailbox, unless its owner has the mail passed on.
fn account(site: &Site, address: &Address, known: Recipient) -> Destination {
    let preferences = preferences(site, address, &known);
    let rule = Rule::of(&known);
    let admitted = Admitted {
        address: address.clone(),
        account: known.account,
        preferences,
    };
    // Where the mailboxes are behind, rules are too.
    let Some(rule) = rule.filter(|_| site.inner_of(address.domain()).is_none()) else {
        return Destination::Mailbox(Box::new(admitted));
    };
    Destination::Mediated(Box::new(Mediated {
        address: address.clone(),
        preferences: admitted.preferences.clone(),
        by: Mediator::Forward(Box::new(admitted), rule),
    }))
}

/// Only here `+` means anything (spec §14.1.3): what follows is a name for its owner, or the
/// word by which the owner of an address elsewhere takes what is passed on.
async fn sub_address(site: &Site, address: &Address) -> Result<Option<Destination>, StoreError> {
    let Some((base, tag)) = address.local().split_once('+') else {
        return Ok(None);
    };
    let Ok(base) = Address::from_parts(base.to_owned(), address.domain().clone()) else {
        return Ok(None);
    };
    if tag != CONFIRM {
        return named(site, address, &base).await;
    }
    let Some(known) = site.recipient_for(&base).await? else {
        return Ok(None);
    };
    let preferences = preferences(site, address, &known);
    Ok(Some(Destination::Mediated(Box::new(Mediated {
        address: address.clone(),
        by: Mediator::Confirm(known.account),
        preferences,
    }))))
}

fn preferences(site: &Site, address: &Address, known: &Recipient) -> Preferences {
    let legacy = site.config.legacy_of(known.account.address.domain());
    Preferences::of(address, known, legacy)
}

async fn mediated(site: &Site, address: &Address, by: Mediator) -> Result<Destination, StoreError> {
    let blocks = site.store.blocks(Scope::Server).await?;
    let legacy = match &by {
        Mediator::Return(_) => Legacy::Accept,
        Mediator::List(_) | Mediator::Request(_) => Legacy::Reject,
        _ => site.config.legacy_of(address.domain()),
    };
    Ok(Destination::Mediated(Box::new(Mediated {
        address: address.clone(),
        preferences: Preferences::of_mediator(address, legacy, blocks),
        by,
    })))
}

//! Which way an entry takes (spec §12.5.1): as Email 2.0, or as ordinary mail; or why it stays.

use email2::address::Domain;
use email2::rejection::{NO_DOMAIN_STATUS, NULL_MX_STATUS, Rejection};
use email2::{capability, limits};
use email2_remote::{Outcome, Reason, Scope, Spoken, WayError};
use email2_store::StoreError;
use email2_store::queue::{Claimed, QueueEntry};

use super::prepare::header_of;
use super::words::Words;
use crate::config::Inner;
use crate::site::Site;

/// The way of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the domain's hosts that speak Email 2.0: sealed and announced if it is sealed.
    Email2,
    /// To the domain's MX hosts; a seal travels as a field like any other.
    Ordinary,
    /// To our own people, on the path of `mx`.
    Here,
    /// To the mail system behind this server: it was judged here.
    Inner(Inner),
    /// It does not leave now, or never: the outcome for all who wait.
    Stays(Outcome),
    /// It is not tried: its author is to be told something.
    Nowhere,
}

/// Finds the way.
pub(super) async fn of(site: &Site, claim: &Claimed) -> Route {
    let entry = &claim.entry;
    if claim.alarm || entry.expires <= site.world.now() {
        return Route::Nowhere;
    }
    if Words::parse(&entry.details).behind {
        return behind(site, &entry.domain);
    }
    if site.serves(&entry.domain) {
        return Route::Here;
    }
    match site.remote.way_to(&entry.domain).await {
        Ok(Spoken::Email2) => Route::Email2,
        Ok(Spoken::Ordinary) => ordinary(site, entry).await,
        Err(error) => without_answer(&error),
    }
}

/// What was kept for the system behind waits where none is configured any more.
fn behind(site: &Site, domain: &Domain) -> Route {
    let why = || format!("no mail system behind is configured for {domain} any more");
    match site.inner_of(domain) {
        Some(inner) => Route::Inner(inner.clone()),
        None => Route::Stays(Outcome::Temporary(here(why()))),
    }
}

/// What an author of ours sealed, or has sealed here, may go on as ordinary mail unless they demand
/// Email 2.0 all the way.
async fn ordinary(site: &Site, entry: &QueueEntry) -> Route {
    if entry.announced.is_none() && !Words::parse(&entry.details).unprotected {
        return Route::Ordinary;
    }
    // By the key its author's program says that it found a domain of Email 2.0 there.
    let made_for_email2 = entry.recipients.iter().any(|to| to.etag.is_some());
    match demands_email2(site, entry).await {
        Ok(true) => Route::Stays(Outcome::Refused(no_email2_onward(&entry.domain))),
        Ok(false) if made_for_email2 => {
            Route::Stays(Outcome::Temporary(email2_gone(&entry.domain)))
        }
        Ok(false) => Route::Ordinary,
        Err(error) => {
            tracing::error!(%error, id = entry.id.0, "a queued message cannot be read");
            Route::Stays(Outcome::Temporary(here("it cannot be read now".to_owned())))
        }
    }
}

/// spec §12.5.2: the field stands below the seal, so that nobody adds or removes it on the way.
async fn demands_email2(site: &Site, entry: &QueueEntry) -> Result<bool, StoreError> {
    let body = site.store.entry_body(entry.id).await?;
    let octets = body.read(0, limits::HEADER_OCTETS).await?;
    Ok(capability::is_required(header_of(&octets)))
}

fn no_email2_onward(domain: &Domain) -> Reason {
    let rejection = Rejection::NoEmail2Onward {
        domain: domain.clone(),
    };
    Reason {
        enhanced: Some(rejection.enhanced().to_string()),
        ..here(rejection.sentence())
    }
}

/// What was made for a domain of Email 2.0 need not be readable in another; DNS that shows no trace
/// of Email 2.0 may lie, so that the mail waits (spec §12.5.2).
fn email2_gone(domain: &Domain) -> Reason {
    here(format!(
        "It was made for {domain} as a domain that speaks Email 2.0, which DNS does not show now: it waits"
    ))
}

/// As long as nothing definite is known, the mail waits (spec §12.1.4).
fn without_answer(error: &WayError) -> Route {
    Route::Stays(match error {
        WayError::NoDomain(_) => never(NO_DOMAIN_STATUS, error),
        WayError::NullMx(_) => never(NULL_MX_STATUS, error),
        WayError::Temporary(why) | WayError::Unanswered(why) => Outcome::Temporary(Reason {
            scope: Scope::Domain,
            ..here(why.clone())
        }),
    })
}

fn never(status: &str, error: &WayError) -> Outcome {
    Outcome::Refused(Reason {
        enhanced: Some(status.to_owned()),
        ..here(error.to_string())
    })
}

fn here(text: String) -> Reason {
    Reason {
        text,
        ..Reason::default()
    }
}

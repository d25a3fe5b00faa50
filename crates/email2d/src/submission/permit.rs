//! May the user who is signed in send this (spec §3.10.1, §13.3.2)?

use email2::address::{Address, Domain, Identity};
use email2::header::{HeaderFacts, parse_authors};
use email2::rejection::Rejection;
use email2::scan::Scanned;
use email2_store::Account;

use super::{Author, Written};
use crate::enrolment::Login;

/// Fields that name who writes or sends, besides From (RFC 5322 §3.6.2, §3.6.6).
const WRITERS: [&str; 3] = ["Sender", "Resent-From", "Resent-Sender"];

/// Is this sealed by the user, and from the user? Nobody is signed in at the mail exchanger's
/// doors: there the judge alone decides.
///
/// # Errors
/// No seal, another's seal, or another author in From (spec §3.10.1).
pub(crate) fn permit(login: Option<&Login>, scanned: &Scanned) -> Result<(), Rejection> {
    let Some(login) = login else {
        return Ok(());
    };
    let top = scanned
        .header
        .seals
        .first()
        .ok_or(Rejection::SubmitSealed)?;
    let seal = top.seal.as_ref().map_err(|_| Rejection::SealMalformed {
        what: "it does not parse",
    })?;
    if seal.signer != Identity::Address(login.account.address.clone()) {
        return Err(Rejection::SealNotYours);
    }
    from(&login.account, &scanned.header)
}

/// May this be sent: by a user whose key is held, or by somebody behind?
///
/// # Errors
/// `FromNotYours`, `SealNotYours`.
pub(super) fn permit_written(written: &Written, header: &HeaderFacts) -> Result<(), Rejection> {
    match &written.author {
        Author::Held(account) => permit_unsealed(account, header),
        Author::Behind(domains) => {
            let is_report = written.mail.from.address().is_none();
            permit_behind(domains, is_report, header)
        }
    }
}

/// Are all authors people of these domains (spec §15.2.1)? A report is written by a host of one.
fn permit_behind(
    domains: &[Domain],
    is_report: bool,
    header: &HeaderFacts,
) -> Result<(), Rejection> {
    if !header.seals.is_empty() {
        return Err(Rejection::SealNotYours);
    }
    let ours = |author: &Address| {
        let mut domains = domains.iter();
        domains.any(|domain| match is_report {
            true => author.domain().is_subdomain_of(domain),
            false => author.domain() == domain,
        })
    };
    match !header.authors.is_empty() && header.authors.iter().all(ours) {
        true => Ok(()),
        false => Err(Rejection::FromNotYours),
    }
}

/// Is a message that this server is to seal the user's own (case F13)? It has one From, which is
/// the account's address; nobody else stands as its sender; and it has no seal yet.
///
/// # Errors
/// `FromNotYours`, `SealNotYours`.
fn permit_unsealed(account: &Account, header: &HeaderFacts) -> Result<(), Rejection> {
    if !header.seals.is_empty() {
        return Err(Rejection::SealNotYours);
    }
    from(account, header)?;
    let writes = |name: &str| WRITERS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut writers = header.kept.iter().filter(|field| writes(&field.name));
    match writers.all(|field| is_only(&account.address, &field.value)) {
        true => Ok(()),
        false => Err(Rejection::FromNotYours),
    }
}

fn from(account: &Account, header: &HeaderFacts) -> Result<(), Rejection> {
    match &header.from {
        Ok(from) if from.address == account.address => Ok(()),
        _ => Err(Rejection::FromNotYours),
    }
}

fn is_only(own: &Address, value: &[u8]) -> bool {
    parse_authors(value).is_some_and(|named| named.iter().all(|address| address == own))
}

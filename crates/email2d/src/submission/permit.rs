//! May the user who is signed in send this (spec §3.10.1, §13.3.2)?

use email2::address::{Address, Identity};
use email2::header::{HeaderFacts, parse_authors};
use email2::rejection::Rejection;
use email2::scan::Scanned;
use email2::seal::Seal;
use email2_store::Account;

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
    let seal = Seal::parse(&top.value).map_err(|_| Rejection::SealMalformed {
        what: "it does not parse",
    })?;
    if seal.signer != Identity::Address(login.account.address.clone()) {
        return Err(Rejection::SealNotYours);
    }
    from(&login.account, &scanned.header)
}

/// Is a message that this server is to seal the user's own (case F13)? It has one From, which is
/// the account's address; nobody else stands as its sender; and it has no seal yet.
///
/// # Errors
/// `FromNotYours`, `SealNotYours`.
pub(super) fn permit_unsealed(account: &Account, header: &HeaderFacts) -> Result<(), Rejection> {
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

//! Mail from this server's own users: pre-sealed, for recipients here (spec §3.10).
//!
//! It takes the path of `mx`; this is the one question that comes before.

use email2::address::Identity;
use email2::rejection::Rejection;
use email2::scan::Scanned;
use email2::seal::Seal;

use crate::enrolment::Login;

/// May the user who is signed in send this? Nobody is signed in at the mail exchanger's doors:
/// there the judge alone decides.
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
    match &scanned.header.from {
        Ok(from) if from.address == login.account.address => Ok(()),
        _ => Err(Rejection::FromNotYours),
    }
}

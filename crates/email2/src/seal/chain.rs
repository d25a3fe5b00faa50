//! Stacks of seals and the rules inside one seal, as far as seals and From show
//! them (spec §4.4, §4.5, §4.6). Signatures are verified elsewhere.

use super::{Role, Seal, SealError};
use crate::address::{Address, Domain, Identity, ReversePath};
use crate::header::HeaderFacts;
use crate::limits;
use crate::rejection::Rejection;

/// The local part of the From of a report (spec §4.5.3).
const REPORTER: &str = "mailer-daemon";

/// Every seal of a message, top first.
///
/// # Errors
/// `TooManySeals`, `SealVersion`, `SealMalformed`.
pub fn read(header: &HeaderFacts) -> Result<Vec<Seal>, Rejection> {
    if header.seals.len() > limits::SEALS {
        return Err(Rejection::TooManySeals);
    }
    header
        .seals
        .iter()
        .map(|field| field.seal.clone().map_err(malformed))
        .collect()
}

fn malformed(error: SealError) -> Rejection {
    match error {
        SealError::Version => Rejection::SealVersion,
        SealError::Grammar(what) => Rejection::SealMalformed { what },
        _ => Rejection::SealMalformed { what: "grammar" },
    }
}

/// Judges the structure of a stack, top first, against From: everything but
/// envelope, clock, content and signatures.
///
/// # Errors
/// `SealMissing`, `TooManySeals`, `EnvelopeRule`, `SealLifetime`, `RoleRule`,
/// `FromDiffers`, `StackRule`.
pub fn check(seals: &[Seal], from: &Address) -> Result<(), Rejection> {
    let innermost = seals.last().ok_or(Rejection::SealMissing)?;
    if seals.len() > limits::SEALS {
        return Err(Rejection::TooManySeals);
    }
    for seal in seals {
        check_lifetime(seal)?;
        check_envelope(seal).map_err(|rule| Rejection::EnvelopeRule { rule })?;
        check_role(seal).map_err(|rule| Rejection::RoleRule { rule })?;
    }
    check_innermost(innermost, from)?;
    for pair in seals.windows(2) {
        if let [upper, lower] = pair {
            check_pair(upper, lower)?;
        }
    }
    check_span(seals)
}

/// The rules that one seal breaks or keeps by itself, for its maker.
pub(super) fn check_alone(seal: &Seal) -> Result<(), &'static str> {
    if seal.expires <= seal.created {
        return Err("it would expire before it is made");
    }
    check_lifetime(seal).map_err(|_| "it would be valid for more than 14 days")?;
    check_envelope(seal)?;
    check_role(seal)
}

/// spec §4.9.1.
fn check_lifetime(seal: &Seal) -> Result<(), Rejection> {
    if seal.expires > seal.created.saturating_add(limits::SEAL_LIFETIME_MAX) {
        return Err(Rejection::SealLifetime);
    }
    Ok(())
}

/// spec §4.4.2, §4.4.3.
fn check_envelope(seal: &Seal) -> Result<(), &'static str> {
    let [first, others @ ..] = seal.recipients.as_slice() else {
        return Err("it has no recipient");
    };
    if seal.recipients.len() > limits::SEAL_RECIPIENTS {
        return Err("it has more than 100 recipients");
    }
    if others.iter().any(|other| other.domain() != first.domain()) {
        return Err("its recipients are of several domains");
    }
    match &seal.reverse_path {
        ReversePath::Address(path) if path.domain() != seal.signer.domain() => {
            Err("the reverse path is of another domain than the signer")
        }
        _ => Ok(()),
    }
}

/// spec §4.5: who may have which role.
fn check_role(seal: &Seal) -> Result<(), &'static str> {
    match (seal.role, &seal.signer) {
        (Role::Author, Identity::Service(_)) => Err("a service never authors"),
        (Role::Service, Identity::Address(_)) => Err("a report is by a domain's service"),
        (Role::Service, _) if seal.reverse_path != ReversePath::Null => {
            Err("a report has an empty reverse path")
        }
        _ => Ok(()),
    }
}

/// spec §4.5.1, §4.5.3: From is the author, or the reporter of the domain.
fn check_innermost(seal: &Seal, from: &Address) -> Result<(), Rejection> {
    let agrees = match (seal.role, &seal.signer) {
        (Role::Forward, _) => {
            return Err(Rejection::RoleRule {
                rule: "a forwarder's seal is the innermost",
            });
        }
        (_, Identity::Address(signer)) => signer == from,
        (_, Identity::Service(domain)) => from.domain() == domain && from.local() == REPORTER,
    };
    if agrees {
        return Ok(());
    }
    Err(Rejection::FromDiffers {
        signer: seal.signer.clone(),
    })
}

/// spec §4.5.2, §4.6.2: a mediator forwards what came to it, in time.
fn check_pair(upper: &Seal, lower: &Seal) -> Result<(), Rejection> {
    if upper.role != Role::Forward {
        return Err(Rejection::RoleRule {
            rule: "only forwarders seal above another seal",
        });
    }
    if lower.role == Role::Service {
        return Err(Rejection::RoleRule {
            rule: "a report is made anew, not forwarded",
        });
    }
    let received = match &upper.signer {
        Identity::Address(signer) => lower.recipients.contains(signer),
        Identity::Service(domain) => lower.recipients.iter().any(|r| r.domain() == domain),
    };
    if !received {
        return Err(Rejection::StackRule {
            rule: "the forwarder was no recipient",
        });
    }
    if upper.created < lower.created {
        return Err(Rejection::StackRule {
            rule: "a seal is older than the one below",
        });
    }
    if upper.created > lower.expires {
        return Err(Rejection::StackRule {
            rule: "the seal below had expired",
        });
    }
    Ok(())
}

/// spec §4.6.1.
fn check_span(seals: &[Seal]) -> Result<(), Rejection> {
    let (Some(top), Some(innermost)) = (seals.first(), seals.last()) else {
        return Ok(());
    };
    if top.created.saturating_sub(innermost.created) > limits::STACK_LIFETIME {
        return Err(Rejection::StackRule {
            rule: "it is on its way for more than 28 days",
        });
    }
    Ok(())
}

/// Whether one of the domains that the message is for has already passed it on
/// for one of its recipients (spec §4.6.6).
pub fn is_loop(seals: &[Seal], recipients: &[Address]) -> bool {
    seals.windows(2).any(|pair| match pair {
        [upper, lower] => recipients.iter().any(|recipient| {
            recipient.domain() == upper.signer.domain() && lower.recipients.contains(recipient)
        }),
        _ => false,
    })
}

/// What a `forward` seal answered for: the address in its own domain that the
/// seal below was for and that this recipient registered; `None` when there is
/// none (spec §4.6.4).
pub fn registered<'a>(
    upper: &Seal,
    lower: &'a Seal,
    forwarders: &[Address],
) -> Option<&'a Address> {
    let domain: &Domain = upper.signer.domain();
    lower
        .recipients
        .iter()
        .find(|recipient| recipient.domain() == domain && forwarders.contains(recipient))
}

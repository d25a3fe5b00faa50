//! Judging: the seals of a message against envelope, clock, From, content and
//! the keys of their signers, in the order of spec §4.12.

use super::signer::{self, Refusal};
use super::{Outcome, Standing, Verdict, ordinary};
use crate::address::{Address, Domain, Identity, ReversePath};
use crate::evidence::{Announced, Evidence, Reported, SignerEvidence};
use crate::header::HeaderFacts;
use crate::limits;
use crate::rejection::Rejection;
use crate::seal::vouched::Vouched;
use crate::seal::{Role, Seal, chain, verify};

/// All that is known of an announced message before its body (spec §4.12).
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// The server's clock, Unix seconds.
    pub now: u64,
    /// The reverse-path of the transaction.
    pub mail_from: &'a ReversePath,
    /// The accepted recipients of the transaction.
    pub recipients: &'a [Address],
    /// The header section of the message.
    pub header: &'a HeaderFacts,
}

/// Judges an announced message by all but its body and its signers' keys, so
/// that what is wrong with the rest is refused before the body comes
/// (spec §4.12). [`judge`] comes to the same, and to the end.
///
/// # Errors
/// What [`judge`] will say.
pub fn foresee(outline: &Outline<'_>, announced: &Announced) -> Result<(), Rejection> {
    let seals = chain::read(outline.header)?;
    check_announced(announced, &seals)?;
    check_envelope(outline, &seals)?;
    check_header(outline, &seals)
}

/// Judges the top seal of an announced message by what is known of its signer already, so that
/// what is forged is refused before the body comes (spec §4.12). What may be otherwise when all
/// have been asked is left to [`judge`].
///
/// # Errors
/// What [`judge`] will say, if the body has no other fault.
pub fn foresee_signer(header: &HeaderFacts, signer: &SignerEvidence) -> Result<(), Rejection> {
    let seals = chain::read(header)?;
    let top = seals.first().ok_or(Rejection::SealMissing)?;
    match signer::check(top, signer) {
        Err(refusal) if !refusal.rejection.is_temporary() => Err(refusal.rejection),
        _ => Ok(()),
    }
}

/// Judges a message.
pub fn judge(mut evidence: Evidence) -> Verdict {
    let seals = chain::read(&evidence.scanned.header);
    let found = evidence.ordinary.take();
    let (outcome, alarm) = match &evidence.announced {
        Some(announced) => judge_announced(&evidence, announced, &seals),
        None => judge_unannounced(&evidence, &seals),
    };
    let (outcome, seals) = match outcome {
        Outcome::Unsealed(_) => (ordinary::judge(&evidence.scanned.header, found), Vec::new()),
        sealed => (sealed, seals.unwrap_or_default()),
    };
    Verdict {
        now: evidence.now,
        authors: authors(&seals, &evidence.scanned.header),
        seals,
        outcome,
        alarm,
    }
}

type Seals = Result<Vec<Seal>, Rejection>;

fn judge_announced(
    evidence: &Evidence,
    announced: &Announced,
    seals: &Seals,
) -> (Outcome, Option<String>) {
    let judged = || {
        let seals = seals.as_deref().map_err(Clone::clone)?;
        check_announced(announced, seals)?;
        check_envelope(&outline(evidence), seals)?;
        check_message(evidence, seals)?;
        let standing = check_signers(evidence, seals)?;
        check_asked(evidence, seals, standing)
    };
    match judged() {
        Ok(standing) => (
            Outcome::Sealed {
                standing,
                announced: true,
            },
            None,
        ),
        Err(refusal) => (Outcome::Refused(refusal.rejection), refusal.alarm),
    }
}

/// Without the MAIL parameter a seal that does not verify is no seal; only one
/// whose digest is right and whose key could not be asked waits (spec §4.15.1).
fn judge_unannounced(evidence: &Evidence, seals: &Seals) -> (Outcome, Option<String>) {
    let seals = seals.as_deref().unwrap_or_default();
    let is_report = seals
        .last()
        .is_none_or(|innermost| innermost.role == Role::Service);
    if is_report || check_message(evidence, seals).is_err() {
        return (Outcome::Unsealed(None), None);
    }
    match check_signers(evidence, seals) {
        Ok(standing) => (
            Outcome::Sealed {
                standing,
                announced: false,
            },
            None,
        ),
        Err(refusal) if refusal.rejection.is_temporary() => {
            (Outcome::Refused(refusal.rejection), refusal.alarm)
        }
        Err(refusal) => (Outcome::Unsealed(None), refusal.alarm),
    }
}

/// The MAIL parameter equals f and s of the top seal (spec §3.2.1).
fn check_announced(announced: &Announced, seals: &[Seal]) -> Result<(), Rejection> {
    let top = seals.first().ok_or(Rejection::SealMissing)?;
    if top.role != announced.role || top.signer != announced.signer {
        return Err(Rejection::AnnouncedDiffers);
    }
    Ok(())
}

/// The top seal against the transaction (spec §4.4.1).
fn check_envelope(outline: &Outline<'_>, seals: &[Seal]) -> Result<(), Rejection> {
    let top = seals.first().ok_or(Rejection::SealMissing)?;
    if top.reverse_path != *outline.mail_from {
        return Err(Rejection::ReversePathDiffers);
    }
    match outline
        .recipients
        .iter()
        .find(|recipient| !top.recipients.contains(recipient))
    {
        Some(recipient) => Err(Rejection::NotSealedFor {
            recipient: recipient.clone(),
        }),
        None => Ok(()),
    }
}

/// All that seals and content show by themselves.
fn check_message(evidence: &Evidence, seals: &[Seal]) -> Result<(), Rejection> {
    let scanned = &evidence.scanned;
    if let Some(fault) = &scanned.fault {
        return Err(fault.clone());
    }
    check_header(&outline(evidence), seals)?;
    check_digests(seals, &scanned.digests)
}

/// All that seals and header show by themselves.
fn check_header(outline: &Outline<'_>, seals: &[Seal]) -> Result<(), Rejection> {
    let header = outline.header;
    if let Some(fault) = &header.fault {
        return Err(fault.clone());
    }
    let from = header.from.as_ref().map_err(Clone::clone)?;
    chain::check(seals, &from.address)?;
    if chain::is_loop(seals, outline.recipients) {
        return Err(Rejection::Loop);
    }
    check_report(seals, header)?;
    check_time(seals, outline.now)
}

fn outline(evidence: &Evidence) -> Outline<'_> {
    Outline {
        now: evidence.now,
        mail_from: &evidence.mail_from,
        recipients: &evidence.recipients,
        header: &evidence.scanned.header,
    }
}

/// A report is one multipart/report of delivery-status (spec §4.13).
fn check_report(seals: &[Seal], header: &HeaderFacts) -> Result<(), Rejection> {
    let is_report = seals
        .last()
        .is_some_and(|innermost| innermost.role == Role::Service);
    if !is_report || header.is_delivery_report() {
        return Ok(());
    }
    Err(Rejection::RoleRule {
        rule: "a service seals delivery reports only",
    })
}

/// The top seal against the clock; the lower ones were judged against the ones
/// above them (spec §4.9.2, §4.6.1).
fn check_time(seals: &[Seal], clock: u64) -> Result<(), Rejection> {
    let (Some(top), Some(innermost)) = (seals.first(), seals.last()) else {
        return Err(Rejection::SealMissing);
    };
    if top.created > clock.saturating_add(limits::SEAL_AHEAD) {
        return Err(Rejection::SealInFuture { clock });
    }
    if top.expires < clock {
        return Err(Rejection::SealExpired { clock });
    }
    if clock > innermost.created.saturating_add(limits::STACK_LIFETIME) {
        return Err(Rejection::StackRule {
            rule: "it is on its way for more than 28 days",
        });
    }
    Ok(())
}

/// spec §4.3.1, for every seal of the stack.
fn check_digests(seals: &[Seal], digests: &[[u8; 32]]) -> Result<(), Rejection> {
    let right = seals.len() == digests.len()
        && seals
            .iter()
            .zip(digests)
            .all(|(seal, digest)| seal.digest == *digest);
    if right {
        Ok(())
    } else {
        Err(Rejection::DigestWrong)
    }
}

/// Every seal whose signer was asked, top first; the innermost decides. Only
/// below a mediator may a signer stay unasked (spec §4.6.5).
fn check_signers(evidence: &Evidence, seals: &[Seal]) -> Result<Standing, Refusal> {
    let (innermost, mediators) = seals.split_last().ok_or(Rejection::SealMissing)?;
    let signer = |index: usize| {
        evidence
            .signers
            .get(index)
            .unwrap_or(&SignerEvidence::NotAsked)
    };
    for (index, seal) in mediators.iter().enumerate() {
        if index == 0 || !matches!(signer(index), SignerEvidence::NotAsked) {
            signer::check(seal, signer(index))?;
        }
    }
    if !mediators.is_empty() && matches!(signer(mediators.len()), SignerEvidence::NotAsked) {
        return Ok(check_vouched(innermost, &evidence.scanned.header)?);
    }
    let assurance = signer::check(innermost, signer(mediators.len()))?;
    Ok(match innermost.role {
        Role::Service => Standing::Service,
        _ => Standing::Author(assurance),
    })
}

/// A report answers, for each of its recipients, a message that they sealed (spec §4.13.3).
fn check_asked(
    evidence: &Evidence,
    seals: &[Seal],
    standing: Standing,
) -> Result<Standing, Refusal> {
    let (Standing::Service, Some(innermost)) = (standing, seals.last()) else {
        return Ok(standing);
    };
    let reporter = innermost.signer.domain();
    let is_asked = |to: &Address| {
        let mut inside = evidence.reported.iter();
        inside.any(|reported| answers(reported, to, reporter, evidence.now))
    };
    if evidence.recipients.iter().all(is_asked) {
        Ok(standing)
    } else {
        Err(Rejection::ReportUnasked.into())
    }
}

/// The domain that reports is that of a recipient, or the author's own, whose queue gave up
/// (RFC 5321 §6.1).
fn answers(reported: &Reported, to: &Address, reporter: &Domain, now: u64) -> bool {
    let seal = &reported.seal;
    let mut recipients = seal.recipients.iter();
    seal.reverse_path == ReversePath::Address(to.clone())
        && (to.domain() == reporter || recipients.any(|r| r.domain() == reporter))
        && now <= seal.created.saturating_add(limits::SEAL_MEMORY)
        && signer::check(seal, &reported.signer).is_ok()
}

/// The innermost seal by the certificate that the mediator on top checked: only
/// the field directly below the top seal counts (spec §4.6.5).
fn check_vouched(innermost: &Seal, header: &HeaderFacts) -> Result<Standing, Rejection> {
    let unknown = || Rejection::SignerUnreachable {
        signer: innermost.signer.clone(),
        why: "not asked, and the mediator vouches for no key".to_owned(),
    };
    let field = header
        .seals
        .first()
        .and_then(|top| top.key.as_deref())
        .ok_or_else(unknown)?;
    let vouched = Vouched::parse(field).map_err(|_| unknown())?;
    verify(innermost, &vouched.certificate, &vouched.flags)
        .map_err(|error| signer::rejection(&innermost.signer, error))?;
    Ok(Standing::Vouched)
}

fn authors(seals: &[Seal], header: &HeaderFacts) -> Vec<Identity> {
    let sealed = seals.last().map(|innermost| innermost.signer.clone());
    let named = header
        .authors
        .iter()
        .cloned()
        .map(<Identity as From<Address>>::from);
    let mut all: Vec<Identity> = sealed.into_iter().chain(named).collect();
    all.dedup();
    all
}

//! Judging mail in which no seal counts: who its authors are, whether they
//! always seal, and what its recipient wants of such mail (spec §11).

use super::provenance::Provenance;
use super::{Accepted, Legacy, Outcome, Place, RecipientPolicy, UnverifiedReason, Verdict, Way};
use crate::address::{Address, Domain, Identity};
use crate::evidence::{AuthorEvidence, CheckResult, Demand, OrdinaryEvidence, SenderPolicy};
use crate::header::HeaderFacts;
use crate::limits;
use crate::rejection::Rejection;

/// What holds for every recipient: that it is known who the authors are. Where
/// nobody looked, nobody wants such mail, whoever wrote it.
pub(super) fn judge(header: &HeaderFacts, found: Option<OrdinaryEvidence>) -> Outcome {
    let Some(found) = found else {
        return Outcome::Unsealed(None);
    };
    match check_authors(header) {
        Ok(()) => Outcome::Unsealed(Some(Box::new(found))),
        Err(rejection) => Outcome::Refused(rejection),
    }
}

/// One From field with at least one address and not too many (spec §11.1.1).
fn check_authors(header: &HeaderFacts) -> Result<(), Rejection> {
    if let Err(rejection @ (Rejection::FieldTwice { .. } | Rejection::FromMissing)) = &header.from {
        return Err(rejection.clone());
    }
    match header.authors.len() {
        0 => Err(Rejection::FromMalformed {
            found: "no address that can be read",
        }),
        count if count > limits::AUTHORS => Err(Rejection::FromMalformed {
            found: "more than 16 addresses",
        }),
        _ => Ok(()),
    }
}

impl Verdict {
    /// Asks one recipient about a message in which no seal counts.
    pub(super) fn accept_unsealed(
        &self,
        policy: &RecipientPolicy<'_>,
        found: Option<&OrdinaryEvidence>,
    ) -> Result<Accepted, Rejection> {
        // spec §10.4.1: where nobody looked, nobody wants it.
        let found = found.ok_or(Rejection::Unsealed)?;
        if is_registered_forward(found, policy.forwarders) {
            return Ok(self.unverified(policy, Place::Requests, UnverifiedReason::Forwarded));
        }
        if let Some(report) = self.report(policy, found) {
            return Ok(report);
        }
        check_policies(&found.authors)?;
        let place = match policy.legacy {
            Legacy::Reject => return Err(Rejection::Unsealed),
            Legacy::Junk => Place::Junk,
            Legacy::Accept => Place::Inbox,
        };
        let (reason, worse) = reason(policy, found);
        Ok(self.unverified(policy, worse.unwrap_or(place), reason))
    }

    /// A report of an ordinary hop is taken whatever the recipient wants of
    /// ordinary mail, but never in the name of who seals, or has sealed to them
    /// (spec §11.5.1).
    fn report(&self, policy: &RecipientPolicy<'_>, found: &OrdinaryEvidence) -> Option<Accepted> {
        let mut answered = found.answered.iter();
        let answered = answered.find(|answered| answered.mailbox == policy.mailbox)?;
        let seals = |author: &AuthorEvidence| {
            let open = [SenderPolicy::Open, SenderPolicy::Overdue];
            author.speaks || !open.contains(&author.policy)
        };
        let had_sealed = found.acquainted.contains(&policy.mailbox);
        if had_sealed || found.authors.iter().any(seals) {
            return None;
        }
        let report = self.unverified(policy, Place::Inbox, UnverifiedReason::Report);
        Some(Accepted {
            answered: answered.sent.clone(),
            ..report
        })
    }

    fn unverified(
        &self,
        policy: &RecipientPolicy<'_>,
        place: Place,
        reason: UnverifiedReason,
    ) -> Accepted {
        Accepted {
            mailbox: policy.mailbox.clone(),
            provenance: Provenance::Unverified {
                reason,
                at: self.now,
            },
            place,
            seals: Vec::new(),
            way: Way::Other,
            answered: Vec::new(),
        }
    }
}

/// The severest policy of all authors (spec §11.2.1).
fn check_policies(authors: &[AuthorEvidence]) -> Result<(), Rejection> {
    let severest = authors.iter().max_by_key(|author| author.policy.severity());
    match severest.map(|author| (&author.policy, &author.author)) {
        Some((SenderPolicy::Strict, author)) => Err(Rejection::UnsealedFromStrict {
            author: Identity::Address(author.clone()),
        }),
        Some((SenderPolicy::Unknown { why }, author)) => Err(Rejection::PolicyUnknown {
            domain: author.domain().clone(),
            why: why.clone(),
        }),
        _ => Ok(()),
    }
}

/// Why it is unverified, and where it lies if that is worse than its recipient
/// wants for all such mail.
fn reason(
    policy: &RecipientPolicy<'_>,
    found: &OrdinaryEvidence,
) -> (UnverifiedReason, Option<Place>) {
    let any = |policy: &SenderPolicy| found.authors.iter().any(|a| a.policy == *policy);
    // spec §11.4.1
    if found.acquainted.contains(&policy.mailbox) {
        return (UnverifiedReason::SealedBefore, Some(Place::Junk));
    }
    // spec §11.2.4
    if any(&SenderPolicy::Unconfirmed) {
        return (UnverifiedReason::PolicyUnconfirmed, Some(Place::Junk));
    }
    // spec §11.3.2
    if found.dmarc.result == CheckResult::Fail && found.dmarc.demand != Demand::None {
        return (UnverifiedReason::DmarcFailed, Some(Place::Junk));
    }
    if any(&SenderPolicy::Overdue) {
        return (UnverifiedReason::PolicyUnknown, None);
    }
    (UnverifiedReason::Unsealed, None)
}

/// Did a mediator that the recipient registered sign it on its way
/// (spec §11.6.3)? Its DKIM domain is the registered address's, or one above it.
fn is_registered_forward(found: &OrdinaryEvidence, forwarders: &[Address]) -> bool {
    let signed = |domain: &Domain| found.dkim.iter().any(|signer| signs_for(signer, domain));
    forwarders.iter().any(|address| signed(address.domain()))
}

/// A domain signs for itself and what lies below it; a single label for nobody.
fn signs_for(signer: &Domain, domain: &Domain) -> bool {
    signer.parent().is_some() && domain.is_subdomain_of(signer)
}

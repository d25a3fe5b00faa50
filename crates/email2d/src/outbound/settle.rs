//! What became of an attempt is written down, in one transaction with the reports about it and
//! with what it says about the domain.

mod outlook;

use std::collections::BTreeSet;

use email2::rejection::Rejection;
use email2_remote::Outcome;
use email2_remote::deliver::Reason;
use email2_store::StoreError;
use email2_store::queue::{Claimed, QueueEntry, QueueRecipient, RecipientState, Settlement};

use super::again;
use super::deliver::Outcomes;
use super::dsn::{self, Reports};
use super::rekey;
use crate::site::Site;

/// What is said of a recipient whose time is over before any server answered.
const TOO_LATE: &str = "no server of the domain took it in time";

/// What became of a claimed entry, to be written down.
///
/// # Errors
/// The store failed; the entry is claimed again when its lease is over.
pub(super) async fn settlement(
    site: &Site,
    claim: &Claimed,
    outcomes: &Outcomes,
) -> Result<Settlement, StoreError> {
    let now = site.world.now();
    let mut entry = after(claim, outcomes, now);
    let rekeyed = rekey::entry(site, &claim.entry, outcomes).await?;
    if let Some(rekeyed) = &rekeyed {
        rekey::set_aside(&mut entry, rekeyed);
    }
    let reports = match report(site, claim, &entry, now).await {
        Ok(reports) => reports,
        Err(error) => {
            // No report leaves unsealed (spec §4.13.1): what it is about waits until it can.
            tracing::error!(%error, "a report cannot be made");
            unrefuse(&claim.entry, &mut entry);
            Reports::default()
        }
    };
    log(claim, &entry, &reports);
    let outlook = outlook::of(claim, outcomes, now, &mut site.world.rng());
    Ok(Settlement {
        finished: !entry.recipients.iter().any(is_waiting),
        recipients: entry.recipients,
        body: again::renewed(site, &claim.entry, outcomes).await,
        next_attempt: outlook.next_attempt.map(|next| next.min(entry.expires)),
        delayed: reports.delayed,
        said: said(outcomes),
        domain: outlook.news,
        reports: reports.here,
        onward: reports.onward.into_iter().chain(rekeyed).collect(),
        ..Settlement::of(entry.id, claim.epoch, now)
    })
}

/// Who is told what: failures at once, once that the others are late (spec §12.5.7).
async fn report(
    site: &Site,
    claim: &Claimed,
    entry: &QueueEntry,
    now: u64,
) -> Result<Reports, dsn::ReportError> {
    let failed: Vec<&QueueRecipient> = newly_refused(&claim.entry, entry).collect();
    let mut reports = dsn::failed(site, entry, &failed).await?;
    if outlook::is_late(&claim.entry, now) && claim.alarm {
        let late: Vec<&QueueRecipient> = entry
            .recipients
            .iter()
            .filter(|to| is_waiting(to))
            .collect();
        reports.join(dsn::late(site, entry, &late).await?);
        reports.delayed = true;
    }
    Ok(reports)
}

/// The entry as it will be: whoever still waits when its time is over is refused.
fn after(claim: &Claimed, outcomes: &Outcomes, now: u64) -> QueueEntry {
    let mut entry = claim.entry.clone();
    let over = entry.expires <= now;
    for to in entry.recipients.iter_mut().filter(|to| is_waiting(to)) {
        let found = outcomes.iter().find(|(address, _)| *address == to.address);
        if let Some((_, outcome)) = found {
            take(to, outcome);
        }
        if claim.alarm && to.reply.is_none() {
            to.reply.clone_from(&claim.why);
        }
        if over && is_waiting(to) {
            to.state = RecipientState::Refused;
            to.reply.get_or_insert_with(|| TOO_LATE.to_owned());
        }
    }
    entry
}

fn take(to: &mut QueueRecipient, outcome: &Outcome) {
    let (state, reply) = match outcome {
        Outcome::Accepted(said) => (RecipientState::Delivered, said.clone()),
        Outcome::Temporary(reason) => (RecipientState::Waiting, words(reason)),
        Outcome::Refused(reason) => (RecipientState::Refused, words(reason)),
        // A new key is the author's to judge: the message goes back (spec §3.3.2).
        Outcome::KeyChanged(etag) => {
            let etag = etag.clone();
            let said = Rejection::KeyChanged { etag }.to_string();
            (RecipientState::Refused, said)
        }
    };
    to.state = state;
    to.reply = Some(reply);
}

fn words(reason: &Reason) -> String {
    match (reason.code, &reason.enhanced) {
        (Some(code), _) => format!("{code} {}", reason.text),
        (None, Some(enhanced)) => format!("{enhanced} {}", reason.text),
        (None, None) => reason.text.clone(),
    }
}

/// Why the attempt failed, each reason once.
fn said(outcomes: &Outcomes) -> Option<String> {
    let reasons = outcomes.iter().filter_map(|(to, outcome)| match outcome {
        Outcome::Temporary(reason) | Outcome::Refused(reason) => Some(reason.to_string()),
        Outcome::KeyChanged(_) => Some(format!("the key of {to} changed")),
        Outcome::Accepted(_) => None,
    });
    let reasons: BTreeSet<String> = reasons.collect();
    let reasons: Vec<String> = reasons.into_iter().take(REASONS).collect();
    (!reasons.is_empty()).then(|| reasons.join("\n"))
}

/// Reasons of one attempt that are kept.
const REASONS: usize = 8;

/// Is this recipient still to be delivered to?
pub(super) fn is_waiting(to: &QueueRecipient) -> bool {
    to.state == RecipientState::Waiting
}

fn newly_refused<'a>(
    before: &'a QueueEntry,
    after: &'a QueueEntry,
) -> impl Iterator<Item = &'a QueueRecipient> {
    let pairs = before.recipients.iter().zip(&after.recipients);
    pairs
        .filter(|(before, after)| is_waiting(before) && after.state == RecipientState::Refused)
        .map(|(_, after)| after)
}

fn unrefuse(before: &QueueEntry, after: &mut QueueEntry) {
    let pairs = before.recipients.iter().zip(&mut after.recipients);
    for (before, after) in pairs {
        if is_waiting(before) && after.state == RecipientState::Refused {
            after.state = RecipientState::Waiting;
        }
    }
}

/// What nobody is told of stands in the log at least: a report that cannot be delivered is
/// dropped and causes none (spec §12.5.8).
fn log(claim: &Claimed, entry: &QueueEntry, reports: &Reports) {
    for to in &entry.recipients {
        let (state, reply) = (to.state.as_str(), to.reply.as_deref());
        tracing::info!(group = entry.group, to = %to.address, state, reply, "onward");
    }
    let refused = newly_refused(&claim.entry, entry).count();
    let silent = reports.here.is_empty() && reports.onward.is_empty() && !reports.by_mediator;
    if refused > 0 && silent {
        let from = entry.mail_from.to_string();
        tracing::warn!(
            group = entry.group,
            from,
            refused,
            "dropped without a report"
        );
    }
}

#[cfg(test)]
mod tests {
    use email2::address::{Address, ReversePath};
    use email2_store::queue::{DomainState, QueueId};

    use super::*;

    fn claim(alarm: bool) -> Claimed {
        let waiting = |address: &str| QueueRecipient {
            address: Address::parse(address).unwrap(),
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        };
        Claimed {
            entry: QueueEntry {
                id: QueueId(1),
                group: "g".to_owned(),
                domain: email2::Domain::parse("example.com").unwrap(),
                mail_from: ReversePath::Null,
                announced: None,
                recipients: vec![waiting("alice@example.com"), waiting("carol@example.com")],
                size: 1,
                details: String::new(),
                created: 1000,
                expires: 500_000,
                next_attempt: 1000,
                attempts: 1,
                leased_until: None,
                held: false,
                delayed: false,
            },
            epoch: 1,
            domain: DomainState::default(),
            why: Some("mx.example.com: no answer in time".to_owned()),
            alarm,
        }
    }

    fn outcomes() -> Outcomes {
        let reason = |code, text: &str| Reason {
            code: Some(code),
            text: text.to_owned(),
            ..Reason::default()
        };
        vec![
            (
                Address::parse("alice@example.com").unwrap(),
                Outcome::Temporary(reason(451, "4.3.0 later")),
            ),
            (
                Address::parse("carol@example.com").unwrap(),
                Outcome::Refused(reason(550, "5.1.1 nobody")),
            ),
        ]
    }

    #[test]
    fn each_recipient_has_its_own_outcome() {
        let before = claim(false);
        let after = after(&before, &outcomes(), 2000);
        assert_eq!(after.recipients[0].state, RecipientState::Waiting);
        assert_eq!(
            after.recipients[0].reply.as_deref(),
            Some("451 4.3.0 later")
        );
        let refused: Vec<_> = newly_refused(&before.entry, &after).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].reply.as_deref(), Some("550 5.1.1 nobody"));
    }

    #[test]
    fn who_waits_when_the_time_is_over_is_refused_with_the_last_words() {
        let late = after(&claim(false), &outcomes(), 500_000);
        assert_eq!(late.recipients[0].state, RecipientState::Refused);
        assert_eq!(late.recipients[0].reply.as_deref(), Some("451 4.3.0 later"));
        let never = after(&claim(false), &Vec::new(), 500_000);
        assert_eq!(never.recipients[0].reply.as_deref(), Some(TOO_LATE));
    }

    #[test]
    fn who_never_had_a_turn_hears_why_the_domain_takes_nothing() {
        let late = after(&claim(true), &Vec::new(), 500_000);
        let reply = late.recipients[0].reply.as_deref();
        assert_eq!(reply, Some("mx.example.com: no answer in time"));
    }

    #[test]
    fn what_cannot_be_reported_is_not_refused_yet() {
        let before = claim(false);
        let mut refused = after(&before, &outcomes(), 2000);
        unrefuse(&before.entry, &mut refused);
        assert!(refused.recipients.iter().all(is_waiting));
    }

    #[test]
    fn reasons_are_kept_once_each() {
        let mut twice = outcomes();
        twice.extend(outcomes());
        assert_eq!(
            said(&twice).as_deref(),
            Some("451 4.3.0 later\n550 5.1.1 nobody")
        );
        assert_eq!(said(&Vec::new()), None);
    }
}

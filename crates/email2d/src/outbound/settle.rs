//! What became of an attempt is written down, in one transaction with the report to the author.

use email2::limits;
use email2::rejection::Rejection;
use email2_remote::Outcome;
use email2_remote::deliver::Reason;
use email2_store::queue::{Claimed, QueueEntry, QueueRecipient, RecipientState, Settlement};
use rand_core::RngCore;

use super::deliver::Outcomes;
use super::dsn::{self, ReportError};
use crate::site::Site;

/// What is said of a recipient whose time is over before any server answered.
const TOO_LATE: &str = "no server of the domain took it in time";

/// Writes down what became of a claimed entry.
///
/// # Errors
/// The store failed, or a report cannot be made; the entry is claimed again when its lease is
/// over.
pub(super) async fn settle(
    site: &Site,
    claim: Claimed,
    outcomes: &Outcomes,
) -> Result<(), ReportError> {
    let now = site.world.now();
    let entry = after(&claim.entry, outcomes, now);
    let waits = entry.recipients.iter().any(is_waiting);
    let failed: Vec<&QueueRecipient> = newly_refused(&claim.entry, &entry).collect();
    let reports = dsn::reports(site, &entry, &failed).await?;
    log(&entry);
    let settlement = Settlement {
        id: entry.id,
        epoch: claim.epoch,
        recipients: entry.recipients.clone(),
        next_attempt: Some(next_attempt(&entry, now, &mut site.world.rng())),
        body: None,
        details: None,
        finished: !waits,
        reports,
    };
    site.store.settle(vec![settlement]).await?;
    Ok(())
}

/// The entry as it will be: whoever still waits when its time is over is refused.
fn after(entry: &QueueEntry, outcomes: &Outcomes, now: u64) -> QueueEntry {
    let mut entry = entry.clone();
    let over = entry.expires <= now;
    for to in entry.recipients.iter_mut().filter(|to| is_waiting(to)) {
        let found = outcomes.iter().find(|(address, _)| *address == to.address);
        if let Some((_, outcome)) = found {
            take(to, outcome);
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
    match reason.code {
        Some(code) => format!("{code} {}", reason.text),
        None => reason.text.clone(),
    }
}

fn is_waiting(to: &QueueRecipient) -> bool {
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

/// Minutes at first, then growing, each a quarter more or less so that entries do not march in
/// step; never beyond the entry's own time (spec §8.1).
fn next_attempt(entry: &QueueEntry, now: u64, rng: &mut impl RngCore) -> u64 {
    let exponent = entry.attempts.saturating_sub(1).min(16);
    let pause = limits::BACKOFF_FIRST.saturating_mul(1 << exponent);
    let pause = pause.min(limits::BACKOFF_MAX);
    let jitter = u64::from(rng.next_u32()) % (pause / 2).max(1);
    let next = now + pause - pause / 4 + jitter;
    next.min(entry.expires.max(now))
}

fn log(entry: &QueueEntry) {
    for to in &entry.recipients {
        let (state, reply) = (to.state.as_str(), to.reply.as_deref());
        tracing::info!(group = entry.group, to = %to.address, state, reply, "onward");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use email2::address::{Address, ReversePath};
    use email2_io::entropy::{OsEntropy, Rng};
    use email2_store::queue::QueueId;

    use super::*;

    fn entry(attempts: u32) -> QueueEntry {
        let waiting = |address: &str| QueueRecipient {
            address: Address::parse(address).unwrap(),
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        };
        QueueEntry {
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
            attempts,
            leased_until: None,
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
        let before = entry(1);
        let after = after(&before, &outcomes(), 2000);
        assert_eq!(after.recipients[0].state, RecipientState::Waiting);
        assert_eq!(
            after.recipients[0].reply.as_deref(),
            Some("451 4.3.0 later")
        );
        let refused: Vec<_> = newly_refused(&before, &after).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].reply.as_deref(), Some("550 5.1.1 nobody"));
    }

    #[test]
    fn who_waits_when_the_time_is_over_is_refused_with_the_last_words() {
        let late = after(&entry(9), &outcomes(), 500_000);
        assert_eq!(late.recipients[0].state, RecipientState::Refused);
        assert_eq!(late.recipients[0].reply.as_deref(), Some("451 4.3.0 later"));
        let never = after(&entry(1), &Vec::new(), 500_000);
        assert_eq!(never.recipients[0].reply.as_deref(), Some(TOO_LATE));
    }

    #[test]
    fn pauses_grow_from_a_minute_to_four_hours_and_end_with_the_entry() {
        let mut rng = Rng::new(Arc::new(OsEntropy));
        let mut pause = |attempts| next_attempt(&entry(attempts), 10_000, &mut rng) - 10_000;
        assert!((45..=75).contains(&pause(1)), "{}", pause(1));
        assert!((90..=150).contains(&pause(2)));
        assert!((10_800..=18_000).contains(&pause(30)));
        let mut last = entry(30);
        last.expires = 10_100;
        assert_eq!(next_attempt(&last, 10_000, &mut rng), 10_100);
    }
}

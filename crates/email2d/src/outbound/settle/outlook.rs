//! What an attempt says about the next one, and about the domain (spec §12.5.4, §12.5.5).

use email2::limits;
use email2_remote::{Outcome, Scope};
use email2_store::queue::{Claimed, DomainNews, QueueEntry, RecipientState};
use rand_core::RngCore;

use crate::outbound::deliver::Outcomes;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outlook {
    /// When the entry is tried again, Unix seconds; `None` leaves what was.
    pub(super) next_attempt: Option<u64>,
    /// What was learnt of the domain.
    pub(super) news: DomainNews,
}

/// Judges an attempt.
pub(super) fn of(
    claim: &Claimed,
    outcomes: &Outcomes,
    now: u64,
    rng: &mut impl RngCore,
) -> Outlook {
    if outcomes.is_empty() {
        // Of an entry that could not be read nothing is known; of one that was not tried nothing
        // changes.
        let unread = !claim.alarm;
        return Outlook {
            next_attempt: unread.then(|| now + pause(claim.entry.attempts, rng)),
            news: DomainNews::Nothing,
        };
    }
    let took = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::Accepted(_));
    let pause = match outcomes.iter().any(took) {
        true => pause(claim.entry.attempts, rng),
        false => pause(claim.entry.attempts.max(claim.domain.failures + 1), rng),
    };
    let until = now + pause;
    let news = match failure(claim, outcomes, now) {
        _ if outcomes.iter().any(took) => DomainNews::Accepted,
        Some(why) => DomainNews::Failed {
            before: claim.domain.failures,
            until,
            why,
        },
        None => DomainNews::Nothing,
    };
    Outlook {
        next_attempt: Some(until),
        news,
    }
}

/// Why no other message needs to be tried now: the domain is not reached or says goodbye, or it
/// takes nothing of this and took nothing else for an hour.
fn failure(claim: &Claimed, outcomes: &Outcomes, now: u64) -> Option<String> {
    let takes = claim.domain.accepted;
    let takes = takes.is_some_and(|at| now < at.saturating_add(limits::DOMAIN_TAKES));
    let least = match takes {
        true => Scope::Domain,
        false => Scope::Transaction,
    };
    let mut why = None;
    for (_, outcome) in outcomes {
        match outcome {
            Outcome::Temporary(reason) if reason.scope >= least => {
                why.get_or_insert_with(|| reason.to_string());
            }
            Outcome::Temporary(reason) if reason.scope == Scope::Recipient => {}
            // Whoever refuses one recipient for good is there.
            _ => return None,
        }
    }
    why
}

/// A minute at first, then growing to four hours, each a quarter more or less so that entries do
/// not march in step (spec §8.1).
fn pause(attempts: u32, rng: &mut impl RngCore) -> u64 {
    let exponent = attempts.saturating_sub(1).min(16);
    let pause = limits::BACKOFF_FIRST.saturating_mul(1 << exponent);
    let pause = pause.min(limits::BACKOFF_MAX);
    let jitter = u64::from(rng.next_u32()) % (pause / 2).max(1);
    pause - pause / 4 + jitter
}

/// Whether its author is to be told, once, that it is late (spec §12.5.7).
pub(super) fn is_late(entry: &QueueEntry, now: u64) -> bool {
    let waits = |to: &email2_store::QueueRecipient| to.state == RecipientState::Waiting;
    let since = entry.created.saturating_add(limits::DELAY_REPORT);
    !entry.delayed && since <= now && now < entry.expires && entry.recipients.iter().any(waits)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use email2::address::{Address, ReversePath};
    use email2_io::entropy::{OsEntropy, Rng};
    use email2_remote::Reason;
    use email2_store::queue::{DomainState, QueueId};

    use super::*;

    fn rng() -> Rng {
        Rng::new(Arc::new(OsEntropy))
    }

    fn claim(failures: u32, accepted: Option<u64>) -> Claimed {
        Claimed {
            entry: QueueEntry {
                id: QueueId(1),
                group: "g".to_owned(),
                domain: email2::Domain::parse("example.com").unwrap(),
                mail_from: ReversePath::Null,
                announced: None,
                recipients: Vec::new(),
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
            domain: DomainState { failures, accepted },
            why: None,
            alarm: false,
        }
    }

    fn later(scope: Scope) -> Outcomes {
        let reason = Reason {
            text: "later".to_owned(),
            scope,
            ..Reason::default()
        };
        let to = Address::parse("alice@example.com").unwrap();
        vec![(to, Outcome::Temporary(reason))]
    }

    fn failed(claim: &Claimed, scope: Scope) -> Option<u64> {
        match of(claim, &later(scope), 10_000, &mut rng()).news {
            DomainNews::Failed { until, .. } => Some(until - 10_000),
            _ => None,
        }
    }

    #[test]
    fn pauses_grow_from_a_minute_to_four_hours() {
        let mut rng = rng();
        assert!((45..=75).contains(&pause(1, &mut rng)));
        assert!((90..=150).contains(&pause(2, &mut rng)));
        assert!((10_800..=18_000).contains(&pause(30, &mut rng)));
    }

    #[test]
    fn what_concerns_a_recipient_alone_holds_nobody_up() {
        assert_eq!(failed(&claim(0, None), Scope::Recipient), None);
    }

    #[test]
    fn a_domain_that_is_not_reached_has_a_growing_pause() {
        assert!((45..=75).contains(&failed(&claim(0, Some(9_999)), Scope::Domain).unwrap()));
        assert!((360..=600).contains(&failed(&claim(3, None), Scope::Domain).unwrap()));
    }

    #[test]
    fn who_took_mail_within_the_hour_is_not_in_trouble_by_one_that_it_puts_off() {
        assert!(failed(&claim(0, None), Scope::Transaction).is_some());
        assert!(failed(&claim(0, Some(10_000 - 3_600)), Scope::Transaction).is_some());
        assert_eq!(failed(&claim(0, Some(9_000)), Scope::Transaction), None);
    }

    #[test]
    fn what_was_taken_ends_the_trouble() {
        let mut outcomes = later(Scope::Domain);
        let to = Address::parse("carol@example.com").unwrap();
        outcomes.push((to, Outcome::Accepted("2.0.0 ok".to_owned())));
        let outlook = of(&claim(5, None), &outcomes, 10_000, &mut rng());
        assert_eq!(outlook.news, DomainNews::Accepted);
        assert!(outlook.next_attempt.unwrap() <= 10_075);
    }
}

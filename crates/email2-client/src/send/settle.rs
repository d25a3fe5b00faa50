//! What became of an attempt is written down: done, tried again, held for its
//! author, or refused (spec §3.3.2, §4.9.3).

use std::time::Duration;

use email2::address::Address;
use email2::limits;
use email2_remote::{Outcome, deliver::Reason};
use email2_store::StoreError;
use email2_store::queue::{Claimed, QueueEntry, QueueRecipient, RecipientState, Settlement};

use super::deliver::{Outcomes, Trying};
use super::outbox::{self, Kind};
use super::protect::Protection;
use super::report::{Manner, Report, State};
use super::{Author, again, seal};
use crate::learnt::Teller;
use crate::{Client, autocrypt, pin};

/// Does the entry wait for a further attempt?
#[must_use]
pub fn is_waiting(entry: &QueueEntry) -> bool {
    entry
        .recipients
        .iter()
        .any(|to| to.state == RecipientState::Waiting)
}

/// One report a recipient of an entry that stays.
pub fn reports(entry: &QueueEntry) -> Vec<Report> {
    let waiting = entry
        .recipients
        .iter()
        .filter(|to| to.state == RecipientState::Waiting);
    waiting.map(|to| report(entry, to)).collect()
}

/// After a delivery in this manner: each recipient's outcome is written down; a seal out of time is renewed, a
/// key that changed is followed where that is allowed.
///
/// # Errors
/// The store failed.
pub async fn sealed(
    client: &Client,
    author: Option<&Author<'_>>,
    claim: Claimed,
    (outcomes, manner): (Outcomes, Manner),
) -> Result<Vec<Report>, StoreError> {
    let details = Kind::Sealed { manner }.text();
    let claim = Claimed {
        entry: QueueEntry {
            details: details.clone(),
            ..claim.entry
        },
        ..claim
    };
    let entry = &claim.entry;
    let mut next = Next {
        details: Some(details),
        ..Next::default()
    };
    let mut changed = Vec::new();
    for to in &entry.recipients {
        let outcome = outcomes.iter().find(|(address, _)| *address == to.address);
        if let Some((_, outcome)) = outcome {
            next.take(to, outcome);
            if let Outcome::KeyChanged(_) = outcome {
                changed.push(to.address.clone());
            }
        }
    }
    note_encrypted(client, entry, &next).await?;
    if let (Some(clock), Some(author)) = (next.clock, author) {
        next.body = Some(renewed(client, author, entry, clock).await?);
    }
    for address in changed {
        again::follow(client, author, entry, &address, &mut next).await?;
    }
    next.settle(client, claim).await
}

/// The author's copy goes to the mailbox Sent; it stays here while others of its group may need
/// the text again.
///
/// # Errors
/// The store failed.
pub async fn copy(client: &Client, claim: Claimed) -> Result<Vec<Report>, StoreError> {
    let entry = &claim.entry;
    let all = client.store.entries().await?;
    let needed = all
        .iter()
        .any(|other| other.group == entry.group && other.id != entry.id);
    let mut next = Next::default();
    let sent = again::is_filed(entry);
    if !sent {
        let octets = outbox::octets(&client.store, entry.id).await?;
        match crate::imap::append_sent(client, &octets).await {
            Ok(()) => next.details = Some(again::filed()),
            Err(error) => {
                tracing::warn!(%error, "the copy for Sent waits in the outbox");
                next.retry = true;
            }
        }
    }
    next.finished = !needed && !next.retry;
    next.retry |= needed;
    next.settle(client, claim).await
}

/// Recipients whose key could not be asked for are asked again.
///
/// # Errors
/// The store failed.
pub async fn unprepared(
    client: &Client,
    author: Option<&Author<'_>>,
    claim: Claimed,
    trying: Trying,
) -> Result<Vec<Report>, StoreError> {
    let mut next = Next::default();
    match author {
        Some(author) => again::prepare(client, author, (&claim.entry, trying), &mut next).await?,
        None => next.retry = true,
    }
    next.settle(client, claim).await
}

/// What this version does not know stays.
///
/// # Errors
/// The store failed.
pub async fn untouched(client: &Client, claim: Claimed) -> Result<Vec<Report>, StoreError> {
    let next = Next {
        retry: true,
        ..Next::default()
    };
    next.settle(client, claim).await
}

/// What is written down.
#[derive(Debug, Default)]
pub(crate) struct Next {
    pub(crate) recipients: Vec<QueueRecipient>,
    pub(crate) body: Option<email2_store::SpooledBody>,
    pub(crate) details: Option<String>,
    /// The server's clock, where it refused the seal's time.
    clock: Option<u64>,
    pub(crate) retry: bool,
    pub(crate) finished: bool,
}

impl Next {
    fn take(&mut self, to: &QueueRecipient, outcome: &Outcome) {
        let (state, words) = match outcome {
            Outcome::Accepted(words) => (RecipientState::Delivered, words.clone()),
            Outcome::Temporary(reason) => {
                self.clock = self.clock.or(reason.clock);
                (RecipientState::Waiting, words(reason))
            }
            Outcome::Refused(reason) => (RecipientState::Refused, words(reason)),
            Outcome::KeyChanged(etag) => (RecipientState::Waiting, format!("key-changed {etag}")),
        };
        self.set(to, state, words);
    }

    /// Sets what became of a recipient.
    pub(crate) fn set(&mut self, to: &QueueRecipient, state: RecipientState, words: String) {
        self.recipients.retain(|known| known.address != to.address);
        self.recipients.push(QueueRecipient {
            state,
            reply: Some(words),
            ..to.clone()
        });
    }

    async fn settle(self, client: &Client, claim: Claimed) -> Result<Vec<Report>, StoreError> {
        let mut entry = after(&claim.entry, &self.recipients);
        if let Some(details) = &self.details {
            entry.details.clone_from(details);
        }
        let now = client.world.now();
        let open = |to: &QueueRecipient| {
            matches!(to.state, RecipientState::Waiting | RecipientState::Held)
        };
        let stays = entry.recipients.iter().any(open) || self.retry;
        let finished = self.finished || !stays;
        let settled = entry
            .recipients
            .iter()
            .filter(|to| to.state != RecipientState::Waiting);
        let reports = settled.map(|to| report(&entry, to)).collect();
        let settlement = Settlement {
            recipients: self.recipients,
            next_attempt: Some(now + backoff(entry.attempts).as_secs()),
            body: self.body,
            details: self.details,
            finished,
            ..Settlement::of(entry.id, claim.epoch, now)
        };
        client.store.settle(vec![settlement]).await?;
        Ok(reports)
    }
}

/// The entry as it will be.
fn after(entry: &QueueEntry, changed: &[QueueRecipient]) -> QueueEntry {
    let mut entry = entry.clone();
    for to in &mut entry.recipients {
        if let Some(new) = changed.iter().find(|new| new.address == to.address) {
            *to = new.clone();
        }
    }
    entry
}

/// Minutes at first, then growing (spec §8.1).
fn backoff(attempts: u32) -> Duration {
    let doubled = limits::BACKOFF_FIRST.saturating_mul(1 << attempts.min(16));
    Duration::from_secs(doubled.min(limits::BACKOFF_MAX))
}

async fn renewed(
    client: &Client,
    author: &Author<'_>,
    entry: &QueueEntry,
    clock: u64,
) -> Result<email2_store::SpooledBody, StoreError> {
    let octets = outbox::octets(&client.store, entry.id).await?;
    let octets = match seal::again(author, &octets, clock, &mut client.world.rng()) {
        Ok(renewed) => renewed,
        Err(error) => {
            tracing::warn!(%error, "the seal cannot be renewed");
            octets
        }
    };
    outbox::spool(&client.store, &octets).await
}

async fn note_encrypted(
    client: &Client,
    entry: &QueueEntry,
    next: &Next,
) -> Result<(), StoreError> {
    let manner = manner(entry);
    if manner.is_none_or(|manner| manner.protection == Protection::Signed) {
        return Ok(());
    }
    let (store, now) = (&client.store, client.world.now());
    let delivered = |to: &&QueueRecipient| to.state == RecipientState::Delivered;
    for to in next.recipients.iter().filter(delivered) {
        if manner.and_then(|manner| manner.key) == Some(Teller::Autocrypt) {
            autocrypt::note_encrypted(store, &to.address, now).await?;
        }
        match pin::note_encrypted(store, &to.address, now).await {
            Err(pin::PinError::Store(error)) => return Err(error),
            Err(error) => tracing::warn!(%error, "a known key cannot be read"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// How a sealed copy leaves.
fn manner(entry: &QueueEntry) -> Option<Manner> {
    match Kind::of(entry) {
        Some(Kind::Sealed { manner }) => Some(manner),
        _ => None,
    }
}

fn report(entry: &QueueEntry, to: &QueueRecipient) -> Report {
    let state = match to.state {
        RecipientState::Waiting => State::Waiting,
        RecipientState::Delivered => State::Delivered,
        RecipientState::Refused => State::Refused,
        RecipientState::Held => State::Held,
    };
    Report {
        manner: manner(entry),
        words: to.reply.clone().unwrap_or_default(),
        outbox: matches!(state, State::Waiting | State::Held).then_some(entry.id.0),
        undecided: state == State::Held && outbox::is_undecided(entry),
        ..Report::of(to.address.clone(), state)
    }
}

fn words(reason: &Reason) -> String {
    match reason.code {
        Some(code) => format!("{code} {}", reason.text),
        None => reason.text.clone(),
    }
}

/// Who, for messages about one recipient.
pub(crate) fn recipient<'a>(entry: &'a QueueEntry, who: &Address) -> Option<&'a QueueRecipient> {
    entry.recipients.iter().find(|to| to.address == *who)
}

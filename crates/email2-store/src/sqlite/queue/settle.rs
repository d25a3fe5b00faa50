//! What became of a claimed entry, in one transaction with what follows from it.

use rusqlite::{Connection, OptionalExtension};

use super::schedule::{reschedule, take_news};
use super::{delete, insert};
use crate::body::SpooledBody;
use crate::error::StoreError;
use crate::message::Outcome;
use crate::queue::{ATTEMPTS_KEPT, Prepared, QueueId, QueueRecipient, Settlement};
use crate::sqlite::body::{self, Directory};
use crate::sqlite::delivery;
use crate::sqlite::writer::Change;

use super::row::role_word;

/// When an author who could not be told something is told, seconds.
const ALARM_AGAIN: u64 = 10 * 60;

/// Settles; `false` where the claim was lost or is settled already.
pub(super) fn settle(
    change: &mut Change<'_>,
    directory: &Directory,
    settlement: &Settlement,
) -> Result<bool, StoreError> {
    let Some(domain) = end_lease(change.connection, settlement)? else {
        return Ok(false);
    };
    let id = settlement.id;
    // What goes is not written first.
    for recipient in settlement
        .recipients
        .iter()
        .filter(|_| !settlement.finished)
    {
        settle_recipient(change.connection, id, recipient)?;
    }
    if let Some(body) = &settlement.body {
        replace_body(change, directory, id, body)?;
    }
    if let Some(said) = &settlement.said {
        note_attempt(change.connection, id, settlement.now, said)?;
    }
    for report in &settlement.reports {
        let outcome = delivery::generate(change, report)?;
        if !matches!(outcome, Outcome::Stored { .. }) {
            tracing::warn!(account = report.account.0, ?outcome, "a report was dropped");
        }
    }
    for entry in &settlement.onward {
        let made = insert(change, entry)?;
        if settlement.hands_down {
            hand_down(change.connection, id, made)?;
        }
    }
    if settlement.finished {
        delete(change, directory, id, "?2 >= 0", 0)?;
    }
    take_news(
        change.connection,
        &domain,
        id,
        &settlement.domain,
        settlement.now,
    )?;
    reschedule(change.connection, &domain, settlement.now)?;
    Ok(true)
}

/// Ends the lease; the domain of the entry, if the claim held.
fn end_lease(
    connection: &Connection,
    settlement: &Settlement,
) -> Result<Option<String>, StoreError> {
    let mut free = connection.prepare_cached(
        "UPDATE queue SET leased_until = NULL, next_attempt = coalesce(?3, next_attempt),
         due = CASE WHEN held THEN NULL ELSE coalesce(?3, next_attempt) END,
         details = coalesce(?4, details), delayed = max(delayed, ?5),
         alarm = max(CASE WHEN max(delayed, ?5) THEN expires ELSE alarm END, ?6)
         WHERE id = ?1 AND epoch = ?2 AND leased_until IS NOT NULL RETURNING domain",
    )?;
    let domain = free.query_row(
        (
            settlement.id.0,
            settlement.epoch,
            settlement.next_attempt,
            &settlement.details,
            settlement.delayed,
            settlement.now + ALARM_AGAIN,
        ),
        |row| row.get(0),
    );
    Ok(domain.optional()?)
}

/// The octets of an entry stay as what another was made of.
fn hand_down(connection: &Connection, from: QueueId, to: QueueId) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE queue SET source = (SELECT body FROM queue WHERE id = ?1) WHERE id = ?2",
    )?;
    update.execute((from.0, to.0))?;
    Ok(())
}

fn settle_recipient(
    connection: &Connection,
    id: QueueId,
    recipient: &QueueRecipient,
) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE queue_recipient SET etag = ?3, state = ?4, reply = ?5
         WHERE entry = ?1 AND address = ?2",
    )?;
    update.execute((
        id.0,
        recipient.address.to_string(),
        recipient.etag.as_ref().map(|etag| etag.as_str()),
        recipient.state.as_str(),
        &recipient.reply,
    ))?;
    Ok(())
}

fn note_attempt(
    connection: &Connection,
    id: QueueId,
    now: u64,
    said: &str,
) -> Result<(), StoreError> {
    let mut note = connection.prepare_cached(
        "INSERT OR REPLACE INTO queue_attempt (entry, number, at, said)
         SELECT id, attempts, ?2, ?3 FROM queue WHERE id = ?1",
    )?;
    note.execute((id.0, now, said))?;
    let mut forget = connection.prepare_cached(
        "DELETE FROM queue_attempt WHERE entry = ?1
         AND number <= (SELECT attempts FROM queue WHERE id = ?1) - ?2",
    )?;
    forget.execute((id.0, ATTEMPTS_KEPT))?;
    Ok(())
}

/// Keeps the message as it leaves, while the claim holds.
pub(super) fn prepare(
    change: &mut Change<'_>,
    directory: &Directory,
    id: QueueId,
    epoch: u64,
    prepared: &Prepared,
) -> Result<bool, StoreError> {
    let (role, signer) = match &prepared.announced {
        Some((role, signer)) => (Some(role_word(*role)), Some(signer.to_string())),
        None => (None, None),
    };
    let sql = "UPDATE queue SET role = ?3, signer = ?4, details = ?5, expires = ?6,
               alarm = CASE WHEN delayed THEN ?6 ELSE min(alarm, ?6) END
               WHERE id = ?1 AND epoch = ?2 AND leased_until IS NOT NULL";
    let held = change.connection.prepare_cached(sql)?.execute((
        id.0,
        epoch,
        role,
        signer,
        &prepared.details,
        prepared.expires,
    ))?;
    if held == 0 {
        return Ok(false);
    }
    replace_body(change, directory, id, &prepared.body)?;
    Ok(true)
}

fn replace_body(
    change: &mut Change<'_>,
    directory: &Directory,
    id: QueueId,
    body: &SpooledBody,
) -> Result<(), StoreError> {
    let select = "SELECT body FROM queue WHERE id = ?1";
    let old: i64 = change
        .connection
        .query_row(select, [id.0], |row| row.get(0))?;
    let new = body::keep(change, body)?;
    change.connection.execute(
        "UPDATE queue SET body = ?2, front = x'' WHERE id = ?1",
        (id.0, new),
    )?;
    body::release(change, directory, &[old])
}

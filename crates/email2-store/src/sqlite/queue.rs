//! The queue: claims with lease and epoch, settled together with reports.

use std::sync::Arc;

use async_trait::async_trait;
use email2::seal::Role;
use email2::{Identity, ReversePath};
use rusqlite::{Connection, OptionalExtension, Row};

use super::body::{self, BodyRow, Directory};
use super::certificate::read_identity;
use super::row::{collect, first, parsed, parsed_or_null};
use super::writer::Change;
use super::{SqliteStore, delivery};
use crate::body::{BodyReader, SpooledBody};
use crate::error::StoreError;
use crate::queue::{
    Claimed, NewEntry, Queue, QueueEntry, QueueId, QueueRecipient, RecipientState, Settlement,
};

const SELECT: &str = "SELECT id, grp, domain, mail_from, role, signer, details, created, expires,
       next_attempt, attempts, leased_until, epoch,
       (SELECT size FROM body WHERE body.id = queue.body)
FROM queue";

#[async_trait]
impl Queue for SqliteStore {
    async fn enqueue(&self, entries: Vec<NewEntry>) -> Result<Vec<QueueId>, StoreError> {
        self.write(move |change| entries.iter().map(|entry| insert(change, entry)).collect())
            .await
    }

    async fn claim(&self, now: u64, lease: u64, limit: u32) -> Result<Vec<Claimed>, StoreError> {
        self.write(move |change| {
            let mut due = change.connection.prepare_cached(
                "SELECT id FROM queue WHERE next_attempt <= ?1
                 AND (leased_until IS NULL OR leased_until <= ?1)
                 ORDER BY next_attempt, id LIMIT ?2",
            )?;
            let due = collect(due.query((now, limit))?, |row| Ok(QueueId(row.get(0)?)))?;
            claim_free(change.connection, &due, now, lease)
        })
        .await
    }

    async fn claim_these(
        &self,
        ids: &[QueueId],
        now: u64,
        lease: u64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let ids = ids.to_vec();
        self.write(move |change| claim_free(change.connection, &ids, now, lease))
            .await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            settlements
                .iter()
                .map(|settlement| settle(change, &bodies, settlement))
                .collect()
        })
        .await
    }

    async fn entry_body(&self, id: QueueId) -> Result<Box<dyn BodyReader>, StoreError> {
        let found = self
            .read(move |connection| body_row(connection, id))
            .await?;
        self.reading(Vec::new(), found.ok_or_else(missing)?)
    }

    async fn entries(&self) -> Result<Vec<QueueEntry>, StoreError> {
        self.read(|connection| {
            let sql = format!("{SELECT} ORDER BY id");
            let mut select = connection.prepare_cached(&sql)?;
            collect(select.query([])?, |row| Ok(read(connection, row)?.entry))
        })
        .await
    }

    async fn retry_now(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |change| {
            let due = "UPDATE queue SET next_attempt = ?2 WHERE id = ?1";
            let wait = "UPDATE queue_recipient SET state = 'waiting'
                        WHERE entry = ?1 AND state = 'held'";
            let mut due = change.connection.prepare_cached(due)?;
            let mut wait = change.connection.prepare_cached(wait)?;
            let mut count = 0;
            for id in &ids {
                count += due.execute((id.0, now))?;
                wait.execute([id.0])?;
            }
            Ok(count as u64)
        })
        .await
    }

    async fn drop_entries(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            let mut count = 0;
            for id in &ids {
                let free = "leased_until IS NULL OR leased_until <= ?2";
                count += u64::from(delete(change, &bodies, *id, free, now)?);
            }
            Ok(count)
        })
        .await
    }
}

fn missing() -> StoreError {
    StoreError::NotFound("such queue entry".to_owned())
}

fn insert(change: &mut Change<'_>, entry: &NewEntry) -> Result<QueueId, StoreError> {
    let body = body::keep(change, &entry.body)?;
    let (role, signer) = match &entry.announced {
        Some((role, signer)) => (Some(role_word(*role)), Some(signer.to_string())),
        None => (None, None),
    };
    let mut insert = change.connection.prepare_cached(
        "INSERT INTO queue (grp, domain, mail_from, role, signer, body, details, created, expires,
                            next_attempt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let id = insert.insert((
        &entry.group,
        entry.domain.as_str(),
        entry.mail_from.to_string(),
        role,
        signer,
        body,
        &entry.details,
        entry.created,
        entry.expires,
        entry.next_attempt,
    ))?;
    for (position, recipient) in entry.recipients.iter().enumerate() {
        insert_recipient(change.connection, id, position, recipient)?;
    }
    Ok(QueueId(id))
}

fn insert_recipient(
    connection: &Connection,
    entry: i64,
    position: usize,
    recipient: &QueueRecipient,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue_recipient (entry, position, address, etag, state, reply)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute((
        entry,
        position,
        recipient.address.to_string(),
        recipient.etag.as_ref().map(|etag| etag.as_str()),
        recipient.state.as_str(),
        &recipient.reply,
    ))?;
    Ok(())
}

/// Claims those of `ids` that nobody works on.
fn claim_free(
    connection: &Connection,
    ids: &[QueueId],
    now: u64,
    lease: u64,
) -> Result<Vec<Claimed>, StoreError> {
    let mut take = connection.prepare_cached(
        "UPDATE queue SET leased_until = ?2, epoch = epoch + 1, attempts = attempts + 1
         WHERE id = ?1 AND (leased_until IS NULL OR leased_until <= ?3)",
    )?;
    let sql = format!("{SELECT} WHERE id = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    let mut claimed = Vec::new();
    for id in ids {
        if take.execute((id.0, now + lease, now))? > 0 {
            claimed.extend(first(select.query([id.0])?, |row| read(connection, row))?);
        }
    }
    Ok(claimed)
}

fn settle(
    change: &mut Change<'_>,
    directory: &Directory,
    settlement: &Settlement,
) -> Result<bool, StoreError> {
    let free = "UPDATE queue SET leased_until = NULL, next_attempt = coalesce(?3, next_attempt),
                details = coalesce(?4, details) WHERE id = ?1 AND epoch = ?2";
    let held = change.connection.prepare_cached(free)?.execute((
        settlement.id.0,
        settlement.epoch,
        settlement.next_attempt,
        &settlement.details,
    ))?;
    if held == 0 {
        return Ok(false);
    }
    for recipient in &settlement.recipients {
        settle_recipient(change.connection, settlement.id, recipient)?;
    }
    if let Some(body) = &settlement.body {
        replace_body(change, directory, settlement.id, body)?;
    }
    for report in &settlement.reports {
        delivery::generate(change, report)?;
    }
    if settlement.finished {
        delete(change, directory, settlement.id, "?2 >= 0", 0)?;
    }
    Ok(true)
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
    change
        .connection
        .execute("UPDATE queue SET body = ?2 WHERE id = ?1", (id.0, new))?;
    body::release(change, directory, &[old])
}

/// Deletes an entry if the condition holds, and its body if nobody else has it.
fn delete(
    change: &mut Change<'_>,
    directory: &Directory,
    id: QueueId,
    condition: &str,
    now: u64,
) -> Result<bool, StoreError> {
    let sql = format!("DELETE FROM queue WHERE id = ?1 AND ({condition}) RETURNING body");
    let body: Option<i64> = change
        .connection
        .query_row(&sql, (id.0, now), |row| row.get(0))
        .optional()?;
    if let Some(body) = body {
        body::release(change, directory, &[body])?;
    }
    Ok(body.is_some())
}

fn body_row(connection: &Connection, id: QueueId) -> Result<Option<BodyRow>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT name, size, octets FROM body WHERE id = (SELECT body FROM queue WHERE id = ?1)",
    )?;
    first(select.query([id.0])?, |row| {
        Ok(BodyRow {
            name: row.get(0)?,
            size: row.get(1)?,
            octets: row.get(2)?,
        })
    })
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<Claimed, StoreError> {
    let id = QueueId(row.get(0)?);
    let entry = QueueEntry {
        id,
        group: row.get(1)?,
        domain: parsed(row, 2)?,
        mail_from: read_reverse_path(row)?,
        announced: read_announced(row)?,
        recipients: recipients(connection, id)?,
        size: row.get(13)?,
        details: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        next_attempt: row.get(9)?,
        attempts: row.get(10)?,
        leased_until: row.get(11)?,
    };
    Ok(Claimed {
        entry,
        epoch: row.get(12)?,
    })
}

fn read_reverse_path(row: &Row<'_>) -> Result<ReversePath, StoreError> {
    let text: String = row.get(3)?;
    ReversePath::parse(&text)
        .map_err(|_| StoreError::Unreadable(format!("the reverse-path {text:?}")))
}

fn read_announced(row: &Row<'_>) -> Result<Option<(Role, Identity)>, StoreError> {
    let word: Option<String> = row.get(4)?;
    let Some(word) = word else { return Ok(None) };
    let role = [Role::Author, Role::Forward, Role::Service]
        .into_iter()
        .find(|role| role_word(*role) == word)
        .ok_or_else(|| StoreError::Unreadable(format!("the role {word:?}")))?;
    Ok(Some((role, read_identity(row, 5)?)))
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Author => "author",
        Role::Forward => "forward",
        Role::Service => "service",
    }
}

fn recipients(connection: &Connection, id: QueueId) -> Result<Vec<QueueRecipient>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT address, etag, state, reply FROM queue_recipient WHERE entry = ?1 ORDER BY position",
    )?;
    collect(select.query([id.0])?, |row| {
        let state: String = row.get(2)?;
        Ok(QueueRecipient {
            address: parsed(row, 0)?,
            etag: parsed_or_null(row, 1)?,
            state: RecipientState::parse(&state)
                .ok_or_else(|| StoreError::Unreadable(format!("the state {state:?}")))?,
            reply: row.get(3)?,
        })
    })
}

//! The queue: claims with lease and epoch, settled together with reports.

mod row;
mod schedule;
mod settle;

use std::sync::Arc;

use async_trait::async_trait;
use email2::{Domain, ReversePath, limits};
use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::body::{self, Directory};
use super::row::{collect, first};
use super::writer::Change;
use crate::body::BodyReader;
use crate::error::StoreError;
use crate::queue::{
    Attempt, Claimed, EntryFilter, NewEntry, Prepared, Queue, QueueEntry, QueueId, QueueRecipient,
    Settlement, WaitingDomain,
};
use row::role_word;
use schedule::{Lease, reschedule};

#[async_trait]
impl Queue for SqliteStore {
    async fn enqueue(&self, entries: Vec<NewEntry>) -> Result<Vec<QueueId>, StoreError> {
        self.write(move |change| entries.iter().map(|entry| insert(change, entry)).collect())
            .await
    }

    async fn claim(&self, now: u64, lease: u64, limit: u32) -> Result<Vec<Claimed>, StoreError> {
        let lease = self.lease(now, lease);
        self.write(move |change| schedule::claim(change.connection, lease, limit))
            .await
    }

    async fn claim_next(
        &self,
        domain: &Domain,
        now: u64,
        lease: u64,
    ) -> Result<Option<Claimed>, StoreError> {
        let (domain, lease) = (domain.clone(), self.lease(now, lease));
        self.write(move |change| schedule::claim_next(change.connection, domain.as_str(), lease))
            .await
    }

    async fn claim_these(
        &self,
        ids: &[QueueId],
        now: u64,
        lease: u64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (ids, lease) = (ids.to_vec(), self.lease(now, lease));
        self.write(move |change| {
            let claimed = schedule::claim_free(change.connection, &ids, lease)?;
            for claim in &claimed {
                reschedule(change.connection, claim.entry.domain.as_str(), now)?;
            }
            Ok(claimed)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<u64>, StoreError> {
        self.read(schedule::next_due).await
    }

    async fn end_leases(&self, now: u64) -> Result<u64, StoreError> {
        let worker = self.worker;
        self.write(move |change| schedule::end_leases(change.connection, now, worker))
            .await
    }

    async fn renew(&self, id: QueueId, epoch: u64, until: u64) -> Result<bool, StoreError> {
        self.write(move |change| {
            let renew = "UPDATE queue SET leased_until = ?3,
                         due = CASE WHEN held THEN NULL ELSE ?3 END
                         WHERE id = ?1 AND epoch = ?2 AND leased_until IS NOT NULL";
            let mut renew = change.connection.prepare_cached(renew)?;
            Ok(renew.execute((id.0, epoch, until))? > 0)
        })
        .await
    }

    async fn prepare(
        &self,
        id: QueueId,
        epoch: u64,
        prepared: Prepared,
    ) -> Result<bool, StoreError> {
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| settle::prepare(change, &bodies, id, epoch, &prepared))
            .await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            settlements
                .iter()
                .map(|settlement| settle::settle(change, &bodies, settlement))
                .collect()
        })
        .await
    }

    async fn entry_body(&self, id: QueueId) -> Result<Box<dyn BodyReader>, StoreError> {
        let found = self
            .read(move |connection| row::body_row(connection, id))
            .await?;
        let (front, body) = found.ok_or_else(missing)?;
        self.reading(front, body)
    }

    async fn entry_source(&self, id: QueueId) -> Result<Option<Box<dyn BodyReader>>, StoreError> {
        let found = self
            .read(move |connection| row::source_row(connection, id))
            .await?;
        found
            .map(|found| self.reading(Vec::new(), found))
            .transpose()
    }

    async fn entries(&self) -> Result<Vec<QueueEntry>, StoreError> {
        self.read(|connection| {
            let sql = format!("{} ORDER BY id", row::SELECT);
            let mut select = connection.prepare_cached(&sql)?;
            collect(select.query([])?, |found| row::entry(connection, found))
        })
        .await
    }

    async fn entries_after(
        &self,
        after: QueueId,
        filter: &EntryFilter,
        limit: u32,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| {
            // One statement a kind of filter, so that each has its index.
            let by = match (&filter.group, &filter.domain) {
                (Some(_), _) => "grp = ?2 AND (?3 IS NULL OR domain = ?3)",
                (None, Some(_)) => "?2 IS NULL AND +domain = ?3",
                (None, None) => "?2 IS NULL AND ?3 IS NULL",
            };
            let sql = format!(
                "{} WHERE id > ?1 AND {by} AND (?4 IS NULL OR held = ?4) ORDER BY id LIMIT ?5",
                row::SELECT
            );
            let mut select = connection.prepare_cached(&sql)?;
            let domain = filter.domain.as_ref().map(Domain::as_str);
            let found = select.query((after.0, &filter.group, domain, filter.held, limit))?;
            collect(found, |found| row::entry(connection, found))
        })
        .await
    }

    async fn entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{} WHERE id = ?1", row::SELECT);
            let mut select = connection.prepare_cached(&sql)?;
            first(select.query([id.0])?, |found| row::entry(connection, found))
        })
        .await
    }

    async fn attempts(&self, id: QueueId) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT number, at, said FROM queue_attempt WHERE entry = ?1 ORDER BY number";
            let mut select = connection.prepare_cached(sql)?;
            collect(select.query([id.0])?, row::attempt)
        })
        .await
    }

    async fn waiting_domains(
        &self,
        after: Option<&Domain>,
        limit: u32,
    ) -> Result<Vec<WaitingDomain>, StoreError> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT domain, due, failures, accepted, why,
                 (SELECT count(*) FROM queue WHERE queue.domain = queue_domain.domain)
                 FROM queue_domain WHERE domain > ?1
                 AND EXISTS (SELECT 1 FROM queue WHERE queue.domain = queue_domain.domain)
                 ORDER BY domain LIMIT ?2",
            )?;
            collect(select.query((after, limit))?, row::waiting_domain)
        })
        .await
    }

    async fn forget_domains(&self, before: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM queue_domain WHERE due IS NULL
                 AND coalesce(accepted, 0) < ?1
                 AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.domain = queue_domain.domain)";
            Ok(change.connection.execute(delete, [before])? as u64)
        })
        .await
    }

    async fn hold(&self, ids: &[QueueId], held: bool, now: u64) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |change| {
            let sql = "UPDATE queue SET held = ?2,
                       due = CASE WHEN ?2 THEN NULL
                                  WHEN leased_until > ?3 THEN leased_until
                                  ELSE next_attempt END
                       WHERE id = ?1 AND held <> ?2 RETURNING domain";
            let mut changed = 0;
            for id in &ids {
                let mut hold = change.connection.prepare_cached(sql)?;
                let domain: Option<String> = hold
                    .query_row((id.0, held, now), |row| row.get(0))
                    .optional()?;
                if let Some(domain) = domain {
                    reschedule(change.connection, &domain, now)?;
                    changed += 1;
                }
            }
            Ok(changed)
        })
        .await
    }

    async fn wait_again(&self, ids: &[QueueId]) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |change| {
            let wait = "UPDATE queue_recipient SET state = 'waiting'
                        WHERE entry = ?1 AND state = 'held'";
            let mut wait = change.connection.prepare_cached(wait)?;
            let mut count = 0;
            for id in &ids {
                count += wait.execute([id.0])? as u64;
            }
            Ok(count)
        })
        .await
    }

    async fn retry_now(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |change| {
            let mut count = 0;
            for id in &ids {
                count += u64::from(retry(change.connection, *id, now)?);
            }
            Ok(count)
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
                if let Some(domain) = delete(change, &bodies, *id, free, now)? {
                    reschedule(change.connection, &domain, now)?;
                    count += 1;
                }
            }
            Ok(count)
        })
        .await
    }
}

impl SqliteStore {
    fn lease(&self, now: u64, seconds: u64) -> Lease {
        Lease {
            now,
            seconds,
            worker: self.worker,
        }
    }
}

fn missing() -> StoreError {
    StoreError::NotFound("such queue entry".to_owned())
}

pub(super) fn insert(change: &mut Change<'_>, entry: &NewEntry) -> Result<QueueId, StoreError> {
    let body = body::keep(change, &entry.body)?;
    let (role, signer) = match &entry.announced {
        Some((role, signer)) => (Some(role_word(*role)), Some(signer.to_string())),
        None => (None, None),
    };
    let mut insert = change.connection.prepare_cached(
        "INSERT INTO queue (grp, domain, mail_from, role, signer, body, front, details, created,
                            expires, next_attempt, due, alarm)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)",
    )?;
    let id = insert.insert((
        &entry.group,
        entry.domain.as_str(),
        entry.mail_from.to_string(),
        role,
        signer,
        body,
        &entry.front,
        &entry.details,
        entry.created,
        entry.expires,
        entry.next_attempt,
        alarm(entry),
    ))?;
    for (position, recipient) in entry.recipients.iter().enumerate() {
        insert_recipient(change.connection, id, position, recipient)?;
    }
    reschedule(change.connection, entry.domain.as_str(), entry.created)?;
    Ok(QueueId(id))
}

/// Keeps an entry that leaves when somebody says so.
pub(super) fn insert_held(change: &mut Change<'_>, entry: &NewEntry) -> Result<(), StoreError> {
    let id = insert(change, entry)?;
    let hold = "UPDATE queue SET held = 1, due = NULL WHERE id = ?1";
    change.connection.prepare_cached(hold)?.execute([id.0])?;
    reschedule(change.connection, entry.domain.as_str(), entry.created)
}

/// Nobody is told that a report is late.
fn alarm(entry: &NewEntry) -> u64 {
    match entry.mail_from {
        ReversePath::Null => entry.expires,
        ReversePath::Address(_) => entry.expires.min(entry.created + limits::DELAY_REPORT),
    }
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

/// Makes one entry due.
fn retry(connection: &Connection, id: QueueId, now: u64) -> Result<bool, StoreError> {
    let sql = "UPDATE queue SET next_attempt = ?2,
               due = CASE WHEN leased_until > ?2 THEN leased_until ELSE ?2 END
               WHERE id = ?1 AND NOT held RETURNING domain";
    let mut due = connection.prepare_cached(sql)?;
    let domain: Option<String> = due.query_row((id.0, now), |row| row.get(0)).optional()?;
    let Some(domain) = domain else {
        return Ok(false);
    };
    schedule::unblock(connection, &domain)?;
    reschedule(connection, &domain, now)?;
    Ok(true)
}

/// Deletes an entry if the condition holds, and its body if nobody else has it; its domain.
fn delete(
    change: &mut Change<'_>,
    directory: &Directory,
    id: QueueId,
    condition: &str,
    now: u64,
) -> Result<Option<String>, StoreError> {
    let sql =
        format!("DELETE FROM queue WHERE id = ?1 AND ({condition}) RETURNING body, source, domain");
    let mut delete = change.connection.prepare_cached(&sql)?;
    let gone: Option<(i64, Option<i64>, String)> = delete
        .query_row((id.0, now), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    drop(delete);
    let Some((body, source, domain)) = gone else {
        return Ok(None);
    };
    let bodies: Vec<i64> = source.into_iter().chain([body]).collect();
    body::release(change, directory, &bodies)?;
    Ok(Some(domain))
}

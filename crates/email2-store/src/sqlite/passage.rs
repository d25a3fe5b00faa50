//! Mail that is passed on: the memory of its seals and its entries, together.

use std::sync::Arc;

use async_trait::async_trait;
use email2::seal::Nonce;
use email2::verdict::{SealMemory, Way};
use email2::{Address, Fingerprint};
use rusqlite::Connection;

use super::accepted_seal::{read_way, way_number};
use super::row::{collect, first};
use super::writer::Change;
use super::{SqliteStore, delivery, queue};
use crate::account::AccountId;
use crate::error::StoreError;
use crate::message::{Delivery, Outcome};
use crate::passage::{Passage, PassageOutcome, Passages, Passed, Waiting};
use crate::queue::{NewEntry, QueueId};

#[async_trait]
impl Passages for SqliteStore {
    async fn pass_on(
        &self,
        deliveries: Vec<Delivery>,
        passages: Vec<Passage>,
    ) -> Result<(Vec<Outcome>, Vec<PassageOutcome>), StoreError> {
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            let mut stored = Vec::new();
            for delivery in &deliveries {
                stored.push(delivery::deliver(change, &bodies, delivery)?);
            }
            let is_kept =
                |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. } | Outcome::Duplicate);
            let mut kept = Vec::new();
            if stored.iter().all(is_kept) {
                for passage in &passages {
                    kept.push(keep(change, passage)?);
                }
            }
            Ok((stored, kept))
        })
        .await
    }

    async fn passed(
        &self,
        by: &Address,
        key: &Fingerprint,
        nonce: Nonce,
    ) -> Result<Option<Passed>, StoreError> {
        let (by, key) = (by.clone(), key.clone());
        self.read(move |connection| {
            let found = find(connection, &by, &key, nonce)?;
            Ok(found.map(|(passed, _)| passed))
        })
        .await
    }

    async fn report_passage(
        &self,
        by: &Address,
        key: &Fingerprint,
        nonce: Nonce,
        report: NewEntry,
    ) -> Result<bool, StoreError> {
        let (by, key) = (by.to_string(), key.clone());
        self.write(move |change| {
            let mark = "UPDATE passed_seal SET reported = 1
                        WHERE mediator = ?1 AND key = ?2 AND nonce = ?3 AND reported = 0";
            let marked =
                change
                    .connection
                    .prepare_cached(mark)?
                    .execute((&by, key.as_bytes(), nonce.0))?;
            if marked > 0 {
                queue::insert(change, &report)?;
            }
            Ok(marked > 0)
        })
        .await
    }

    async fn report_once(
        &self,
        group: &str,
        until: u64,
        report: NewEntry,
    ) -> Result<bool, StoreError> {
        let group = group.to_owned();
        self.write(move |change| {
            let insert = "INSERT INTO reported (grp, keep_until) VALUES (?1, ?2)
                          ON CONFLICT DO NOTHING";
            let row = (&group, until);
            let fresh = change.connection.prepare_cached(insert)?.execute(row)?;
            if fresh > 0 {
                queue::insert(change, &report)?;
            }
            Ok(fresh > 0)
        })
        .await
    }

    async fn answer_once(
        &self,
        account: AccountId,
        sender: &Address,
        since: u64,
        answer: NewEntry,
    ) -> Result<bool, StoreError> {
        let sender = sender.to_string();
        self.write(move |change| {
            let insert = "INSERT INTO answered (account, sender, at) VALUES (?1, ?2, ?3)
                          ON CONFLICT DO UPDATE SET at = excluded.at WHERE at < ?4";
            let row = (account.0, &sender, answer.created, since);
            let fresh = change.connection.prepare_cached(insert)?.execute(row)?;
            if fresh > 0 {
                queue::insert(change, &answer)?;
            }
            Ok(fresh > 0)
        })
        .await
    }

    async fn waiting(&self, by: &Address) -> Result<Vec<Waiting>, StoreError> {
        let by = by.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT grp, min(id), count(*), min(created), min(expires) FROM queue
                 WHERE mail_from = ?1 AND held GROUP BY grp ORDER BY min(id)",
            )?;
            collect(select.query([by])?, |row| {
                Ok(Waiting {
                    group: row.get(0)?,
                    entry: QueueId(row.get(1)?),
                    entries: row.get(2)?,
                    created: row.get(3)?,
                    expires: row.get(4)?,
                })
            })
        })
        .await
    }

    async fn held(&self, by: &Address, group: &str) -> Result<Vec<QueueId>, StoreError> {
        let (by, group) = (by.to_string(), group.to_owned());
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id FROM queue WHERE grp = ?2 AND mail_from = ?1 AND held",
            )?;
            collect(select.query([by, group])?, |row| Ok(QueueId(row.get(0)?)))
        })
        .await
    }

    async fn undecided(&self, now: u64) -> Result<Vec<QueueId>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id FROM queue WHERE held AND expires < ?1
                 AND mail_from IN (SELECT address FROM list)",
            )?;
            collect(select.query([now])?, |row| Ok(QueueId(row.get(0)?)))
        })
        .await
    }

    async fn forget_passages(&self, now: u64, answers: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let seals = "DELETE FROM passed_seal WHERE keep_until < ?1";
            let seals = change.connection.execute(seals, [now])?;
            let reports = "DELETE FROM reported WHERE keep_until < ?1";
            let reports = change.connection.execute(reports, [now])?;
            let old = "DELETE FROM answered WHERE at < ?1";
            let old = change.connection.execute(old, [answers])?;
            Ok((seals + reports + old) as u64)
        })
        .await
    }
}

fn keep(change: &mut Change<'_>, passage: &Passage) -> Result<PassageOutcome, StoreError> {
    let (seals, way) = (passage.accepted.seals(), passage.accepted.way());
    match look(change.connection, &passage.by, seals, way)? {
        PassageOutcome::Kept => {}
        known => return Ok(known),
    }
    for seal in seals {
        remember(change.connection, &passage.by, seal, way)?;
    }
    for entry in &passage.entries {
        match passage.held {
            true => queue::insert_held(change, entry)?,
            false => drop(queue::insert(change, entry)?),
        }
    }
    Ok(PassageOutcome::Kept)
}

/// A copy suppresses only those that came no better way (spec §4.11.4).
fn look(
    connection: &Connection,
    by: &Address,
    seals: &[SealMemory],
    way: Way,
) -> Result<PassageOutcome, StoreError> {
    let mut outcome = PassageOutcome::Kept;
    for seal in seals {
        let Some((passed, before)) = find(connection, by, &seal.key, seal.nonce)? else {
            continue;
        };
        if passed.digest != seal.digest {
            return Ok(PassageOutcome::DifferentContent);
        }
        if before <= way {
            outcome = PassageOutcome::Duplicate;
        }
    }
    Ok(outcome)
}

fn find(
    connection: &Connection,
    by: &Address,
    key: &Fingerprint,
    nonce: Nonce,
) -> Result<Option<(Passed, Way)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT digest, reported, way FROM passed_seal
         WHERE mediator = ?1 AND key = ?2 AND nonce = ?3",
    )?;
    let row = (by.to_string(), key.as_bytes(), nonce.0);
    first(select.query(row)?, |row| {
        let passed = Passed {
            digest: row.get(0)?,
            reported: row.get(1)?,
        };
        Ok((passed, read_way(row.get(2)?)?))
    })
}

fn remember(
    connection: &Connection,
    by: &Address,
    seal: &SealMemory,
    way: Way,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO passed_seal (mediator, key, nonce, digest, way, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET way = excluded.way,
           keep_until = max(keep_until, excluded.keep_until)",
    )?;
    insert.execute((
        by.to_string(),
        seal.key.as_bytes(),
        seal.nonce.0,
        seal.digest,
        way_number(way),
        seal.keep_until,
    ))?;
    Ok(())
}

//! The memory of accepted seals.

use async_trait::async_trait;
use email2::Fingerprint;
use email2::seal::Nonce;
use email2::verdict::{Accepted, Way};
use rusqlite::Connection;

use super::SqliteStore;
use super::row::first;
use crate::accepted_seal::{AcceptedSeals, Remembered};
use crate::account::AccountId;
use crate::error::StoreError;

pub(super) type Row = Remembered;

#[async_trait]
impl AcceptedSeals for SqliteStore {
    async fn remembered(
        &self,
        account: AccountId,
        key: &Fingerprint,
        nonce: Nonce,
    ) -> Result<Option<Remembered>, StoreError> {
        let key = key.clone();
        let found = self
            .read(move |connection| find(connection, account, &key, nonce))
            .await?;
        Ok(found.map(|(remembered, _)| remembered))
    }

    async fn forget_seals(&self, now: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM accepted_seal WHERE keep_until < ?1";
            Ok(change.connection.execute(delete, [now])? as u64)
        })
        .await
    }
}

/// What is remembered, and the body that was stored.
pub(super) fn find(
    connection: &Connection,
    account: AccountId,
    key: &Fingerprint,
    nonce: Nonce,
) -> Result<Option<(Row, i64)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT digest, way, keep_until, body FROM accepted_seal
         WHERE account = ?1 AND key = ?2 AND nonce = ?3",
    )?;
    first(select.query((account.0, key.as_bytes(), nonce.0))?, |row| {
        let remembered = Row {
            digest: row.get(0)?,
            way: read_way(row.get(1)?)?,
            keep_until: row.get(2)?,
        };
        Ok((remembered, row.get(3)?))
    })
}

/// Remembers every seal of what was stored; a better copy's way counts from now on.
pub(super) fn insert(
    connection: &Connection,
    account: AccountId,
    accepted: &Accepted,
    body: i64,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO accepted_seal (account, key, nonce, digest, way, body, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET way = excluded.way, body = excluded.body,
           keep_until = max(keep_until, excluded.keep_until)",
    )?;
    let way = way_number(accepted.way());
    for seal in accepted.seals() {
        let (key, nonce) = (seal.key.as_bytes(), seal.nonce.0);
        insert.execute((
            account.0,
            key,
            nonce,
            seal.digest,
            way,
            body,
            seal.keep_until,
        ))?;
    }
    Ok(())
}

pub(super) fn way_number(way: Way) -> u8 {
    match way {
        Way::Direct => 0,
        Way::Registered => 1,
        Way::Other => 2,
    }
}

pub(super) fn read_way(number: u8) -> Result<Way, StoreError> {
    [Way::Direct, Way::Registered, Way::Other]
        .into_iter()
        .find(|way| way_number(*way) == number)
        .ok_or_else(|| StoreError::Unreadable(format!("the way {number}")))
}

//! Blocks.

use async_trait::async_trait;
use email2::block::BlockPattern;
use rusqlite::Connection;

use super::SqliteStore;
use super::row::{collect, parsed};
use crate::account::AccountId;
use crate::block::{Blocks, Scope};
use crate::error::StoreError;

#[async_trait]
impl Blocks for SqliteStore {
    async fn blocks(&self, scope: Scope) -> Result<Vec<BlockPattern>, StoreError> {
        self.read(move |connection| {
            let mut select = connection
                .prepare_cached("SELECT pattern FROM block WHERE account IS ?1 ORDER BY id")?;
            collect(select.query([account(scope)])?, |row| parsed(row, 0))
        })
        .await
    }

    async fn add_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
        now: u64,
    ) -> Result<u64, StoreError> {
        let patterns = patterns.to_vec();
        self.write(move |change| add(change.connection, scope, &patterns, now))
            .await
    }

    async fn remove_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
    ) -> Result<u64, StoreError> {
        let patterns = patterns.to_vec();
        self.write(move |change| {
            let delete = "DELETE FROM block WHERE account IS ?1 AND pattern = ?2";
            let mut delete = change.connection.prepare_cached(delete)?;
            let mut removed = 0;
            for pattern in &patterns {
                removed += delete.execute((account(scope), pattern.to_string()))?;
            }
            Ok(removed as u64)
        })
        .await
    }

    async fn replace_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
        now: u64,
    ) -> Result<(), StoreError> {
        let patterns = patterns.to_vec();
        self.write(move |change| {
            let delete = "DELETE FROM block WHERE account IS ?1";
            change.connection.execute(delete, [account(scope)])?;
            add(change.connection, scope, &patterns, now).map(|_| ())
        })
        .await
    }
}

/// All that hold for an account: the server's, then its own.
pub(super) fn of_recipient(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<BlockPattern>, StoreError> {
    // In the words of the index, so that it is used.
    let mut select = connection.prepare_cached(
        "SELECT pattern FROM block WHERE coalesce(account, 0) IN (0, ?1)
         ORDER BY account IS NOT NULL, id",
    )?;
    collect(select.query([account.0])?, |row| parsed(row, 0))
}

/// The column of a scope; NULL is the server's.
pub(super) fn account(scope: Scope) -> Option<i64> {
    match scope {
        Scope::Server => None,
        Scope::Account(id) => Some(id.0),
    }
}

fn add(
    connection: &Connection,
    scope: Scope,
    patterns: &[BlockPattern],
    now: u64,
) -> Result<u64, StoreError> {
    let insert = "INSERT OR IGNORE INTO block (account, pattern, created) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(insert)?;
    let mut added = 0;
    for pattern in patterns {
        added += insert.execute((account(scope), pattern.to_string(), now))?;
    }
    Ok(added as u64)
}

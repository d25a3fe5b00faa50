//! What changed.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::watch;

use super::row::collect;
use super::{SqliteStore, message};
use crate::account::AccountId;
use crate::change::{Changed, Changes};
use crate::error::StoreError;
use crate::mailbox::MailboxId;

#[async_trait]
impl Changes for SqliteStore {
    fn watch(&self, account: AccountId) -> watch::Receiver<u64> {
        self.watches.watch(account)
    }

    async fn changes_since(&self, mailbox: MailboxId, modseq: u64) -> Result<Changed, StoreError> {
        self.read(move |connection| since(connection, mailbox, modseq))
            .await
    }
}

fn since(connection: &Connection, mailbox: MailboxId, modseq: u64) -> Result<Changed, StoreError> {
    let highest: Option<u64> = connection
        .prepare_cached("SELECT modseq FROM mailbox WHERE id = ?1")?
        .query_row([mailbox.0], |row| row.get(0))
        .optional()?;
    let mut vanished = connection.prepare_cached(
        "SELECT uid FROM vanished WHERE mailbox = ?1 AND modseq > ?2 ORDER BY uid",
    )?;
    Ok(Changed {
        highest_modseq: highest.ok_or_else(|| StoreError::NotFound("such mailbox".to_owned()))?,
        changed: message::since(connection, mailbox, modseq)?,
        vanished: collect(vanished.query((mailbox.0, modseq))?, |row| Ok(row.get(0)?))?,
    })
}

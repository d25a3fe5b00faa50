//! Who sealed mail to whom, and which sent messages may be reported.

use async_trait::async_trait;
use email2::Address;
use email2::verdict::Accepted;
use rusqlite::Connection;

use super::SqliteStore;
use super::author::had;
use crate::account::AccountId;
use crate::correspondence::Correspondence;
use crate::error::StoreError;

/// So many rows are read by whoever asks; more may take a while.
const FEW: usize = 8;

#[async_trait]
impl Correspondence for SqliteStore {
    async fn had_sealed(
        &self,
        accounts: &[AccountId],
        authors: &[Address],
    ) -> Result<Vec<AccountId>, StoreError> {
        let few = accounts.len() * authors.len() <= FEW;
        let accounts = accounts.to_vec();
        let authors: Vec<Address> = authors.iter().map(Address::loose).collect();
        let work = move |connection: &Connection| {
            let mut found = Vec::new();
            for account in accounts {
                for author in &authors {
                    if had(connection, account, author)? {
                        found.push(account);
                        break;
                    }
                }
            }
            Ok(found)
        };
        match few {
            true => self.look(work).await,
            false => self.read(work).await,
        }
    }

    async fn remember_sent(
        &self,
        account: AccountId,
        sent: Vec<[u8; 32]>,
        keep_until: u64,
    ) -> Result<(), StoreError> {
        self.write(move |change| {
            let mut insert = change.connection.prepare_cached(
                "INSERT INTO sent_message (account, sent, keep_until) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET keep_until = max(keep_until, excluded.keep_until)",
            )?;
            for sent in &sent {
                insert.execute((account.0, sent, keep_until))?;
            }
            Ok(())
        })
        .await
    }

    async fn sent(
        &self,
        account: AccountId,
        sent: &[[u8; 32]],
        now: u64,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let sent = sent.to_vec();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT 1 FROM sent_message WHERE account = ?1 AND sent = ?2 AND keep_until >= ?3",
            )?;
            let mut found = Vec::new();
            for sent in sent {
                if select.exists((account.0, sent, now))? {
                    found.push(sent);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn forget_sent(&self, now: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM sent_message WHERE keep_until < ?1";
            Ok(change.connection.execute(delete, [now])? as u64)
        })
        .await
    }
}

/// Forgets the sent messages that a report is about; whether it is the first one about
/// any of them, or no report at all (spec §11.5.2).
pub(super) fn answer(
    connection: &Connection,
    account: AccountId,
    accepted: &Accepted,
) -> Result<bool, StoreError> {
    let answered = accepted.answered();
    let delete = "DELETE FROM sent_message WHERE account = ?1 AND sent = ?2";
    let mut delete = connection.prepare_cached(delete)?;
    let mut is_first = answered.is_empty();
    for sent in answered {
        is_first |= delete.execute((account.0, sent))? > 0;
    }
    Ok(is_first)
}

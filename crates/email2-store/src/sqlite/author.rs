//! Whose verified mail an account has had.

use async_trait::async_trait;
use email2::verdict::{Accepted, Provenance};
use email2::{Address, Domain};
use rusqlite::Connection;

use super::SqliteStore;
use crate::account::AccountId;
use crate::author::{Acquaintance, Authors};
use crate::error::StoreError;

#[async_trait]
impl Authors for SqliteStore {
    async fn acquaintance(
        &self,
        account: AccountId,
        author: &Address,
        domain: &Domain,
        before: u64,
    ) -> Result<Acquaintance, StoreError> {
        let (author, domain) = (author.loose(), backwards(domain));
        self.read(move |connection| {
            Ok(Acquaintance {
                author: had(connection, account, &author)?,
                domain: had_of(connection, Some(account), &domain, before)?,
                domain_here: had_of(connection, None, &domain, before)?,
            })
        })
        .await
    }
}

/// Remembers the author of what was stored, if it was verified.
pub(super) fn remember(
    connection: &Connection,
    account: AccountId,
    accepted: &Accepted,
    now: u64,
) -> Result<(), StoreError> {
    let Provenance::Verified { author, .. } = accepted.provenance() else {
        return Ok(());
    };
    let author = author.loose();
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO author (account, domain, local, first) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute((account.0, backwards(author.domain()), author.local(), now))?;
    Ok(())
}

/// Has `account` had verified mail of this author, given in the loose form?
pub(super) fn had(
    connection: &Connection,
    account: AccountId,
    author: &Address,
) -> Result<bool, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT 1 FROM author WHERE account = ?1 AND domain = ?2 AND local = ?3")?;
    Ok(select.exists((account.0, backwards(author.domain()), author.local()))?)
}

/// Has `account` (somebody, without) had mail of the domain or below it?
fn had_of(
    connection: &Connection,
    account: Option<AccountId>,
    domain: &str,
    before: u64,
) -> Result<bool, StoreError> {
    // What begins with the domain and a dot stands before the domain and a slash.
    let (below, end) = (format!("{domain}."), format!("{domain}/"));
    let named = "(domain = ?1 OR domain > ?2 AND domain < ?3) AND first <= ?4";
    let found = match account {
        Some(account) => connection
            .prepare_cached(&format!(
                "SELECT 1 FROM author WHERE account = ?5 AND {named} LIMIT 1"
            ))?
            .exists((domain, below, end, before, account.0))?,
        None => connection
            .prepare_cached(&format!("SELECT 1 FROM author WHERE {named} LIMIT 1"))?
            .exists((domain, below, end, before))?,
    };
    Ok(found)
}

/// The labels from the right, so that a domain stands beside those below it.
fn backwards(domain: &Domain) -> String {
    let labels: Vec<&str> = domain.as_str().rsplit('.').collect();
    labels.join(".")
}

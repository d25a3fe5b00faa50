//! Whose verified mail an account has had.

use async_trait::async_trait;
use email2::verdict::{Accepted, Provenance};
use email2::{Address, Domain};
use rusqlite::Connection;

use super::SqliteStore;
use crate::account::AccountId;
use crate::author::{Acquaintance, Authors, Met};
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
        self.look(move |connection| {
            Ok(Acquaintance {
                author: had(connection, account, &author)?,
                domain: had_of(connection, Some(account), &domain, before)?,
                domain_here: had_of(connection, None, &domain, before)?,
            })
        })
        .await
    }

    async fn met_domain(
        &self,
        account: AccountId,
        domain: &Domain,
        before: u64,
    ) -> Result<Met, StoreError> {
        let domain = domain.to_string();
        self.look(move |connection| {
            let mut own = connection.prepare_cached(
                "SELECT 1 FROM met_domain WHERE account = ?1 AND domain = ?2 AND first <= ?3",
            )?;
            let mut any = connection
                .prepare_cached("SELECT 1 FROM met_domain WHERE domain = ?1 AND first <= ?2")?;
            Ok(Met {
                by_account: own.exists((account.0, &domain, before))?,
                by_anybody: any.exists((&domain, before))?,
            })
        })
        .await
    }

    async fn meet_domain(
        &self,
        account: AccountId,
        domain: &Domain,
        now: u64,
    ) -> Result<(), StoreError> {
        let domain = domain.to_string();
        let row = (account.0, domain.clone(), now.saturating_sub(NOTED));
        let noted = self.look(move |connection| {
            let mut noted = connection.prepare_cached(
                "SELECT 1 FROM met_domain WHERE account = ?1 AND domain = ?2 AND last > ?3",
            )?;
            Ok(noted.exists(row)?)
        });
        if noted.await? {
            return Ok(());
        }
        self.write(move |change| {
            let mut note = change.connection.prepare_cached(
                "INSERT INTO met_domain (account, domain, first, last) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT DO UPDATE SET last = excluded.last",
            )?;
            note.execute((account.0, &domain, now))?;
            Ok(())
        })
        .await
    }

    async fn forget_met_domains(&self, before: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM met_domain WHERE last < ?1";
            Ok(change.connection.execute(delete, [before])? as u64)
        })
        .await
    }
}

/// How often it is written down that a domain wrote again, seconds.
const NOTED: u64 = 24 * 60 * 60;

/// Remembers the author of what was stored, if it was verified; whether `account` had had no
/// verified mail of them.
pub(super) fn remember(
    connection: &Connection,
    account: AccountId,
    accepted: &Accepted,
    now: u64,
) -> Result<bool, StoreError> {
    match accepted.provenance() {
        Provenance::Verified { author, .. } => {
            let author = author.loose();
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO author (account, domain, local, first)
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            let row = (account.0, backwards(author.domain()), author.local(), now);
            Ok(insert.execute(row)? > 0)
        }
        Provenance::ForOthers { author, .. } => Ok(!had(connection, account, &author.loose())?),
        _ => Ok(false),
    }
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
    let found = match account {
        // Two questions, for with OR the index is used up to the account alone.
        Some(account) => connection
            .prepare_cached(
                "SELECT 1 FROM author WHERE account = ?5 AND domain = ?1 AND first <= ?4
                 UNION ALL
                 SELECT 1 FROM author
                 WHERE account = ?5 AND domain > ?2 AND domain < ?3 AND first <= ?4 LIMIT 1",
            )?
            .exists((domain, below, end, before, account.0))?,
        None => connection
            .prepare_cached(
                "SELECT 1 FROM author
                 WHERE (domain = ?1 OR domain > ?2 AND domain < ?3) AND first <= ?4 LIMIT 1",
            )?
            .exists((domain, below, end, before))?,
    };
    Ok(found)
}

/// The labels from the right, so that a domain stands beside those below it.
fn backwards(domain: &Domain) -> String {
    let labels: Vec<&str> = domain.as_str().rsplit('.').collect();
    labels.join(".")
}

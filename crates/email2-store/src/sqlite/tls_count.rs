//! How TLS went, counted.

use async_trait::async_trait;
use rusqlite::Row;

use super::SqliteStore;
use super::row::collect;
use crate::error::StoreError;
use crate::tls_count::{TlsCount, TlsCounts};

#[async_trait]
impl TlsCounts for SqliteStore {
    async fn count_tls(&self, counts: Vec<TlsCount>) -> Result<(), StoreError> {
        self.write(move |change| {
            let mut add = change.connection.prepare_cached(
                "INSERT INTO tls_count (day, domain, policy, host, result, count)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?;
            for c in &counts {
                let TlsCount {
                    day,
                    domain,
                    policy,
                    host,
                    result,
                    count,
                } = c;
                add.execute((day, domain, policy, host, result, count))?;
            }
            Ok(())
        })
        .await
    }

    async fn tls_counts(
        &self,
        since: u64,
        after: Option<&TlsCount>,
        limit: u32,
    ) -> Result<Vec<TlsCount>, StoreError> {
        let after = after.cloned();
        self.read(move |connection| {
            let (day, domain, policy, host, result) = match after {
                Some(c) => (c.day.max(since), c.domain, c.policy, c.host, c.result),
                None => (
                    since,
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                ),
            };
            let mut select = connection.prepare_cached(
                "SELECT day, domain, policy, host, result, count FROM tls_count
                 WHERE (day, domain, policy, host, result) > (?1, ?2, ?3, ?4, ?5)
                 ORDER BY day, domain, policy, host, result LIMIT ?6",
            )?;
            collect(
                select.query((day, domain, policy, host, result, limit))?,
                read,
            )
        })
        .await
    }

    async fn forget_tls_counts(&self, before: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM tls_count WHERE day < ?1";
            Ok(change.connection.execute(delete, [before])? as u64)
        })
        .await
    }
}

fn read(row: &Row<'_>) -> Result<TlsCount, StoreError> {
    Ok(TlsCount {
        day: row.get(0)?,
        domain: row.get(1)?,
        policy: row.get(2)?,
        host: row.get(3)?,
        result: row.get(4)?,
        count: row.get(5)?,
    })
}

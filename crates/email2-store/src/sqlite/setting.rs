//! Settings.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::SqliteStore;
use super::block::account;
use super::row::collect;
use crate::account::AccountId;
use crate::block::Scope;
use crate::error::StoreError;
use crate::setting::Settings;

#[async_trait]
impl Settings for SqliteStore {
    async fn setting(&self, scope: Scope, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection| get(connection, scope, &name))
            .await
    }

    async fn settings(
        &self,
        scope: Scope,
        prefix: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT name, value FROM setting
                 WHERE account IS ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name",
            )?;
            collect(select.query((account(scope), prefix))?, |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        })
        .await
    }

    async fn set(
        &self,
        scope: Scope,
        values: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM setting WHERE account IS ?1 AND name = ?2";
            let insert = "INSERT INTO setting (account, name, value) VALUES (?1, ?2, ?3)";
            let mut delete = change.connection.prepare_cached(delete)?;
            let mut insert = change.connection.prepare_cached(insert)?;
            for (name, value) in &values {
                delete.execute((account(scope), name))?;
                if let Some(value) = value {
                    insert.execute((account(scope), name, value))?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// The value of a setting.
pub(super) fn get(
    connection: &Connection,
    scope: Scope,
    name: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    // In the words of the index, so that it is used.
    let select = "SELECT value FROM setting WHERE coalesce(account, 0) = ?1 AND name = ?2";
    let mut select = connection.prepare_cached(select)?;
    let owner = account(scope).unwrap_or(0);
    Ok(select
        .query_row((owner, name), |row| row.get(0))
        .optional()?)
}

/// The values of these settings, in the same order, by one statement.
pub(super) fn of_account(
    connection: &Connection,
    account: AccountId,
    names: &[&str],
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let wanted = vec!["?"; names.len()].join(", ");
    let select = format!(
        "SELECT name, value FROM setting WHERE coalesce(account, 0) = ? AND name IN ({wanted})"
    );
    let mut select = connection.prepare_cached(&select)?;
    select.raw_bind_parameter(1, account.0)?;
    for (at, name) in names.iter().enumerate() {
        select.raw_bind_parameter(at + 2, name)?;
    }
    let mut values = vec![None; names.len()];
    let mut rows = select.raw_query();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let at = names.iter().position(|wanted| *wanted == name);
        if let Some(value) = at.and_then(|at| values.get_mut(at)) {
            *value = Some(row.get(1)?);
        }
    }
    Ok(values)
}

//! Accounts.

use async_trait::async_trait;
use email2::Address;
use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{collect, first, parsed};
use super::writer::Change;
use super::{SqliteStore, block, body, certificate, mailbox, setting};
use crate::account::{Account, AccountId, Accounts, NewAccount, Recipient};
use crate::error::StoreError;

const SELECT: &str = "SELECT id, address, quota, used, strict, unlisted, created FROM account";

#[async_trait]
impl Accounts for SqliteStore {
    async fn add_account(&self, account: &NewAccount, now: u64) -> Result<Account, StoreError> {
        let account = account.clone();
        self.write(move |change| add(change, account, now)).await
    }

    async fn account(&self, address: &Address) -> Result<Option<Account>, StoreError> {
        let address = address.clone();
        self.read(move |connection| by_address(connection, &address))
            .await
    }

    async fn recipient(
        &self,
        address: &Address,
        settings: &[&'static str],
    ) -> Result<Option<Recipient>, StoreError> {
        let (address, settings) = (address.clone(), settings.to_vec());
        self.look(move |connection| recipient(connection, &address, &settings))
            .await
    }

    async fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, StoreError> {
        let addresses = addresses.to_vec();
        self.read(move |connection| {
            addresses
                .iter()
                .map(|address| by_address(connection, address))
                .collect()
        })
        .await
    }

    async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(&format!("{SELECT} ORDER BY address"))?;
            collect(select.query([])?, read)
        })
        .await
    }

    async fn set_quota(&self, id: AccountId, quota: Option<u64>) -> Result<(), StoreError> {
        self.write(move |change| {
            let set = "UPDATE account SET quota = ?2 WHERE id = ?1";
            found(change.connection.execute(set, (id.0, quota))?)
        })
        .await
    }

    async fn set_strict(&self, id: AccountId, strict: bool) -> Result<(), StoreError> {
        self.write(move |change| {
            let set = "UPDATE account SET strict = ?2 WHERE id = ?1";
            found(change.connection.execute(set, (id.0, strict))?)
        })
        .await
    }

    async fn remove_account(&self, id: AccountId, now: u64) -> Result<(), StoreError> {
        let bodies = std::sync::Arc::clone(&self.bodies);
        self.write(move |change| remove(change, &bodies, id, now))
            .await
    }
}

fn add(change: &mut Change<'_>, new: NewAccount, now: u64) -> Result<Account, StoreError> {
    if by_address(change.connection, &new.address)?.is_some() {
        return Err(StoreError::Exists(format!("the account {}", new.address)));
    }
    let id = change
        .connection
        .prepare_cached(
            "INSERT INTO account (address, quota, strict, unlisted, created)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert((
            new.address.to_string(),
            new.quota,
            new.strict,
            new.unlisted,
            now,
        ))?;
    let id = AccountId(id);
    mailbox::make_first(change, id, now)?;
    let NewAccount {
        address,
        quota,
        strict,
        unlisted,
    } = new;
    Ok(Account {
        id,
        address,
        quota,
        used: 0,
        strict,
        unlisted,
        created: now,
    })
}

fn by_address(connection: &Connection, address: &Address) -> Result<Option<Account>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE address = ?1"))?;
    first(select.query([address.to_string()])?, read)
}

fn recipient(
    connection: &Connection,
    address: &Address,
    settings: &[&str],
) -> Result<Option<Recipient>, StoreError> {
    let Some(account) = by_address(connection, address)? else {
        return Ok(None);
    };
    Ok(Some(Recipient {
        blocks: block::of_recipient(connection, account.id)?,
        settings: setting::of_account(connection, account.id, settings)?,
        account,
    }))
}

/// The account of this row.
pub(super) fn by_id(connection: &Connection, id: AccountId) -> Result<Option<Account>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    first(select.query([id.0])?, read)
}

fn read(row: &Row<'_>) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId(row.get(0)?),
        address: parsed(row, 1)?,
        quota: row.get(2)?,
        used: row.get(3)?,
        strict: row.get(4)?,
        unlisted: row.get(5)?,
        created: row.get(6)?,
    })
}

fn remove(
    change: &mut Change<'_>,
    directory: &body::Directory,
    id: AccountId,
    now: u64,
) -> Result<(), StoreError> {
    let select = "SELECT address FROM account WHERE id = ?1";
    let address = change
        .connection
        .query_row(select, [id.0], |row| row.get(0))
        .optional()?;
    let address: String = address.ok_or_else(missing)?;
    let mut used = change.connection.prepare_cached(
        "SELECT DISTINCT body FROM message WHERE mailbox IN
         (SELECT id FROM mailbox WHERE account = ?1)",
    )?;
    let used = used
        .query_map([id.0], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    change
        .connection
        .execute("DELETE FROM account WHERE id = ?1", [id.0])?;
    body::release(change, directory, &used)?;
    certificate::mark_hard(change.connection, &address, None)?;
    tracing::info!(address, now, "account removed");
    change.touch(id);
    Ok(())
}

fn missing() -> StoreError {
    StoreError::NotFound("such account".to_owned())
}

/// Whether the one row was there.
fn found(rows: usize) -> Result<(), StoreError> {
    if rows == 0 { Err(missing()) } else { Ok(()) }
}

/// Has its quota room for so much more?
pub(super) fn has_room(
    connection: &Connection,
    id: AccountId,
    octets: u64,
) -> Result<bool, StoreError> {
    let mut room = connection.prepare_cached(
        "SELECT 1 FROM account WHERE id = ?1 AND (quota IS NULL OR used + ?2 <= quota)",
    )?;
    Ok(room.exists((id.0, octets))?)
}

/// Adds to what the account holds, if its quota has room for it; whether it had.
pub(super) fn charge_within_quota(
    connection: &Connection,
    id: AccountId,
    octets: u64,
) -> Result<bool, StoreError> {
    let mut charge = connection.prepare_cached(
        "UPDATE account SET used = used + ?2
         WHERE id = ?1 AND (quota IS NULL OR used + ?2 <= quota)",
    )?;
    Ok(charge.execute((id.0, octets))? == 1)
}

/// Adds to what the account holds; octets, negative when they go.
pub(super) fn charge(
    connection: &Connection,
    id: AccountId,
    octets: i64,
) -> Result<(), StoreError> {
    let mut charge =
        connection.prepare_cached("UPDATE account SET used = max(0, used + ?2) WHERE id = ?1")?;
    charge.execute((id.0, octets))?;
    Ok(())
}

//! Aliases.

use async_trait::async_trait;
use email2::Address;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::row::{collect, first, parsed, parsed_or_null};
use crate::alias::{Alias, AliasTarget, Aliases};
use crate::error::StoreError;

const SELECT: &str = "SELECT alias.address, account.address, alias.linked, alias.targets,
       alias.created
FROM alias LEFT JOIN account ON account.id = alias.account";

#[async_trait]
impl Aliases for SqliteStore {
    async fn add_alias(&self, alias: &Alias) -> Result<(), StoreError> {
        let alias = alias.clone();
        self.write(move |change| insert(change.connection, &alias))
            .await
    }

    async fn alias(&self, address: &Address) -> Result<Option<Alias>, StoreError> {
        let address = address.to_string();
        self.look(move |connection| {
            let sql = format!("{SELECT} WHERE alias.address = ?1");
            let mut select = connection.prepare_cached(&sql)?;
            first(select.query([address])?, read)
        })
        .await
    }

    async fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        self.read(|connection| {
            let sql = format!("{SELECT} ORDER BY alias.address");
            let mut select = connection.prepare_cached(&sql)?;
            collect(select.query([])?, read)
        })
        .await
    }

    async fn remove_alias(&self, address: &Address) -> Result<bool, StoreError> {
        let address = address.to_string();
        self.write(move |change| {
            let delete = "DELETE FROM alias WHERE address = ?1";
            Ok(change.connection.execute(delete, [address])? > 0)
        })
        .await
    }
}

fn insert(connection: &Connection, alias: &Alias) -> Result<(), StoreError> {
    refuse_taken(connection, &alias.address)?;
    let (account, linked, targets) = match &alias.target {
        AliasTarget::Account { address, linked } => {
            (Some(account(connection, address)?), *linked, String::new())
        }
        AliasTarget::Elsewhere(targets) => (None, false, lines(targets)),
    };
    connection.execute(
        "INSERT INTO alias (address, account, linked, targets, created)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            alias.address.to_string(),
            account,
            linked,
            targets,
            alias.created,
        ),
    )?;
    Ok(())
}

/// One address names one thing.
pub(super) fn refuse_taken(connection: &Connection, address: &Address) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT 'the account' FROM account WHERE address = ?1
         UNION ALL SELECT 'the alias' FROM alias WHERE address = ?1
         UNION ALL SELECT 'the list' FROM list WHERE address = ?1",
    )?;
    let taken: Option<String> = first(select.query([address.to_string()])?, |row| Ok(row.get(0)?))?;
    taken.map_or(Ok(()), |what| {
        Err(StoreError::Exists(format!("{what} {address}")))
    })
}

fn account(connection: &Connection, address: &Address) -> Result<i64, StoreError> {
    let mut select = connection.prepare_cached("SELECT id FROM account WHERE address = ?1")?;
    let found = first(select.query([address.to_string()])?, |row| Ok(row.get(0)?))?;
    found.ok_or_else(|| StoreError::NotFound(format!("account {address}")))
}

fn lines(targets: &[Address]) -> String {
    targets.iter().map(|target| format!("{target}\n")).collect()
}

fn read(row: &Row<'_>) -> Result<Alias, StoreError> {
    let account: Option<Address> = parsed_or_null(row, 1)?;
    let target = match account {
        Some(address) => AliasTarget::Account {
            address,
            linked: row.get(2)?,
        },
        None => AliasTarget::Elsewhere(read_lines(&row.get::<_, String>(3)?)?),
    };
    Ok(Alias {
        address: parsed(row, 0)?,
        target,
        created: row.get(4)?,
    })
}

fn read_lines(text: &str) -> Result<Vec<Address>, StoreError> {
    let unreadable = |line: &str| StoreError::Unreadable(format!("the address {line:?}"));
    text.lines()
        .map(|line| Address::parse(line).map_err(|_| unreadable(line)))
        .collect()
}

//! Mailing lists.

use async_trait::async_trait;
use email2::Address;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::alias::refuse_taken;
use super::row::{collect, first, parsed};
use crate::error::StoreError;
use crate::list::{List, Lists, Member, Standing};

const SELECT: &str =
    "SELECT address, announcement, moderated, open, hidden, one_click, owner, created FROM list";

#[async_trait]
impl Lists for SqliteStore {
    async fn add_list(&self, list: &List) -> Result<(), StoreError> {
        let list = list.clone();
        self.write(move |change| insert(change.connection, &list))
            .await
    }

    async fn change_list(&self, list: &List) -> Result<(), StoreError> {
        let list = list.clone();
        self.write(move |change| update(change.connection, &list))
            .await
    }

    async fn list(&self, address: &Address) -> Result<Option<List>, StoreError> {
        let address = address.to_string();
        self.look(move |connection| {
            let mut select = connection.prepare_cached(&format!("{SELECT} WHERE address = ?1"))?;
            first(select.query([address])?, read)
        })
        .await
    }

    async fn lists(&self) -> Result<Vec<List>, StoreError> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(&format!("{SELECT} ORDER BY address"))?;
            collect(select.query([])?, read)
        })
        .await
    }

    async fn remove_list(&self, address: &Address) -> Result<bool, StoreError> {
        let address = address.to_string();
        self.write(move |change| {
            let delete = "DELETE FROM list WHERE address = ?1";
            Ok(change.connection.execute(delete, [address])? > 0)
        })
        .await
    }

    async fn members(&self, list: &Address) -> Result<Vec<Member>, StoreError> {
        let list = list.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT address, standing, since FROM list_member
                 WHERE list = (SELECT id FROM list WHERE address = ?1) ORDER BY domain, address",
            )?;
            collect(select.query([list])?, read_member)
        })
        .await
    }

    async fn set_member(&self, list: &Address, member: &Member) -> Result<(), StoreError> {
        let (list, member) = (list.clone(), member.clone());
        self.write(move |change| set_member(change.connection, &list, &member))
            .await
    }

    async fn remove_member(&self, list: &Address, member: &Address) -> Result<bool, StoreError> {
        let (list, member) = (list.to_string(), member.to_string());
        self.write(move |change| {
            let delete = "DELETE FROM list_member
                          WHERE list = (SELECT id FROM list WHERE address = ?1) AND address = ?2";
            Ok(change.connection.execute(delete, [list, member])? > 0)
        })
        .await
    }
}

fn insert(connection: &Connection, list: &List) -> Result<(), StoreError> {
    refuse_taken(connection, &list.address)?;
    connection.execute(
        "INSERT INTO list
           (address, announcement, moderated, open, hidden, one_click, owner, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            list.address.to_string(),
            list.announcement,
            list.moderated,
            list.open,
            list.hidden,
            list.one_click,
            list.owner.to_string(),
            list.created,
        ),
    )?;
    Ok(())
}

fn update(connection: &Connection, list: &List) -> Result<(), StoreError> {
    let changed = connection.execute(
        "UPDATE list SET announcement = ?2, moderated = ?3, open = ?4, hidden = ?5,
           one_click = ?6, owner = ?7 WHERE address = ?1",
        (
            list.address.to_string(),
            list.announcement,
            list.moderated,
            list.open,
            list.hidden,
            list.one_click,
            list.owner.to_string(),
        ),
    )?;
    match changed {
        0 => Err(StoreError::NotFound(format!("list {}", list.address))),
        _ => Ok(()),
    }
}

fn set_member(connection: &Connection, list: &Address, member: &Member) -> Result<(), StoreError> {
    let changed = connection.execute(
        "INSERT INTO list_member (list, address, domain, standing, since)
         SELECT id, ?2, ?3, ?4, ?5 FROM list WHERE address = ?1
         ON CONFLICT DO UPDATE SET standing = excluded.standing",
        (
            list.to_string(),
            member.address.to_string(),
            member.address.domain().as_str(),
            member.standing.as_str(),
            member.since,
        ),
    )?;
    if changed == 0 {
        return Err(StoreError::NotFound(format!("list {list}")));
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<List, StoreError> {
    Ok(List {
        address: parsed(row, 0)?,
        announcement: row.get(1)?,
        moderated: row.get(2)?,
        open: row.get(3)?,
        hidden: row.get(4)?,
        one_click: row.get(5)?,
        owner: parsed(row, 6)?,
        created: row.get(7)?,
    })
}

fn read_member(row: &Row<'_>) -> Result<Member, StoreError> {
    let word: String = row.get(1)?;
    Ok(Member {
        address: parsed(row, 0)?,
        standing: Standing::parse(&word)
            .ok_or_else(|| StoreError::Unreadable(format!("the standing {word:?}")))?,
        since: row.get(2)?,
    })
}

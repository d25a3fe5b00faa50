//! Mailboxes and their counter rows.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{collect, first};
use super::writer::Change;
use super::{SqliteStore, message};
use crate::account::AccountId;
use crate::error::StoreError;
use crate::mailbox::{INBOX, Mailbox, MailboxId, Mailboxes, SpecialUse};

/// Octets of a name at most.
const NAME_LIMIT: usize = 255;

/// What every account begins with besides INBOX.
const FIRST: [(&str, SpecialUse); 5] = [
    ("Archive", SpecialUse::Archive),
    ("Drafts", SpecialUse::Drafts),
    ("Junk", SpecialUse::Junk),
    ("Sent", SpecialUse::Sent),
    ("Trash", SpecialUse::Trash),
];

const SELECT: &str =
    "SELECT id, account, name, special_use, subscribed, uid_validity, uid_next, modseq,
       (SELECT count(*) FROM message WHERE mailbox = mailbox.id),
       (SELECT count(*) FROM message WHERE mailbox = mailbox.id AND flags & 1 = 0),
       (SELECT count(*) FROM message WHERE mailbox = mailbox.id AND flags & 8 = 8),
       (SELECT coalesce(sum(size), 0) FROM message WHERE mailbox = mailbox.id)
FROM mailbox";

#[async_trait]
impl Mailboxes for SqliteStore {
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{SELECT} WHERE account = ?1 ORDER BY name <> ?2, name");
            collect(
                connection.prepare_cached(&sql)?.query((account.0, INBOX))?,
                read,
            )
        })
        .await
    }

    async fn mailbox(&self, account: AccountId, name: &str) -> Result<Option<Mailbox>, StoreError> {
        let name = canonical(name).to_owned();
        self.read(move |connection| by_name(connection, account, &name))
            .await
    }

    async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        now: u64,
    ) -> Result<Mailbox, StoreError> {
        let name = canonical(name).to_owned();
        self.write(move |change| {
            check_name(&name)?;
            make_levels_above(change, account, &name, now)?;
            make(change, account, &name, special_use, now)?;
            by_name(change.connection, account, &name)?.ok_or_else(|| missing(&name))
        })
        .await
    }

    async fn delete_mailbox(&self, account: AccountId, name: &str) -> Result<(), StoreError> {
        let name = canonical(name).to_owned();
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            if name == INBOX {
                return Err(StoreError::Refused("INBOX cannot be deleted"));
            }
            let id = id(change.connection, account, &name)?.ok_or_else(|| missing(&name))?;
            message::remove_all(change, &bodies, account, id)?;
            change
                .connection
                .execute("DELETE FROM mailbox WHERE id = ?1", [id.0])?;
            Ok(())
        })
        .await
    }

    async fn rename_mailbox(
        &self,
        account: AccountId,
        from: &str,
        to: &str,
        now: u64,
    ) -> Result<(), StoreError> {
        let (from, to) = (canonical(from).to_owned(), canonical(to).to_owned());
        self.write(move |change| {
            check_name(&to)?;
            make_levels_above(change, account, &to, now)?;
            if from == INBOX {
                empty_inbox(change, account, &to, now)
            } else {
                rename(change, account, &from, &to)
            }
        })
        .await
    }

    async fn subscribe(
        &self,
        account: AccountId,
        name: &str,
        subscribed: bool,
    ) -> Result<(), StoreError> {
        let name = canonical(name).to_owned();
        self.write(move |change| {
            let set = "UPDATE mailbox SET subscribed = ?3 WHERE account = ?1 AND name = ?2";
            let rows = change
                .connection
                .execute(set, (account.0, &name, subscribed))?;
            if rows == 0 {
                Err(missing(&name))
            } else {
                Ok(())
            }
        })
        .await
    }
}

fn missing(name: &str) -> StoreError {
    StoreError::NotFound(format!("mailbox {name:?}"))
}

/// INBOX in the one form that is kept.
fn canonical(name: &str) -> &str {
    if name.eq_ignore_ascii_case(INBOX) {
        INBOX
    } else {
        name
    }
}

fn check_name(name: &str) -> Result<(), StoreError> {
    let level = |level: &str| !level.is_empty() && !level.chars().any(char::is_control);
    if name.len() <= NAME_LIMIT && name.split('/').all(level) {
        Ok(())
    } else {
        Err(StoreError::Refused(
            "a mailbox name has no empty level, no control characters and at most 255 octets",
        ))
    }
}

/// The mailboxes that every account has.
pub(super) fn make_first(
    change: &mut Change<'_>,
    account: AccountId,
    now: u64,
) -> Result<(), StoreError> {
    make(change, account, INBOX, None, now)?;
    for (name, special_use) in FIRST {
        make(change, account, name, Some(special_use), now)?;
    }
    Ok(())
}

fn make(
    change: &mut Change<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
    now: u64,
) -> Result<MailboxId, StoreError> {
    if id(change.connection, account, name)?.is_some() {
        return Err(StoreError::Exists(format!("the mailbox {name:?}")));
    }
    let mut insert = change.connection.prepare_cached(
        "INSERT INTO mailbox (account, name, special_use, subscribed, uid_validity)
         VALUES (?1, ?2, ?3, 1, ?4)",
    )?;
    let id = insert.insert((
        account.0,
        name,
        special_use.map(SpecialUse::as_str),
        uid_validity(change.connection, now)?,
    ))?;
    change.touch(account);
    Ok(MailboxId(id))
}

/// UIDVALIDITY of a new mailbox: the time, but never one that was given
/// before, so that a mailbox made anew under its old name is seen to be new
/// (RFC 9051 §2.3.1.1).
fn uid_validity(connection: &Connection, now: u64) -> Result<u32, StoreError> {
    let given: u64 = connection.query_row(
        "UPDATE state SET uid_validity = max(uid_validity + 1, ?1) RETURNING uid_validity",
        [now],
        |row| row.get(0),
    )?;
    u32::try_from(given).map_err(|_| StoreError::Refused("the clock is beyond the year 2106"))
}

fn make_levels_above(
    change: &mut Change<'_>,
    account: AccountId,
    name: &str,
    now: u64,
) -> Result<(), StoreError> {
    let ends = name.match_indices('/').map(|(end, _)| end);
    for level in ends.filter_map(|end| name.get(..end)) {
        ensure(change, account, level, now)?;
    }
    Ok(())
}

/// The mailbox of this name, if there is one.
pub(super) fn existing(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<Option<MailboxId>, StoreError> {
    id(connection, account, canonical(name))
}

/// The mailbox of this name, made if there is none.
pub(super) fn ensure(
    change: &mut Change<'_>,
    account: AccountId,
    name: &str,
    now: u64,
) -> Result<MailboxId, StoreError> {
    let name = canonical(name);
    match id(change.connection, account, name)? {
        Some(id) => Ok(id),
        None => make(change, account, name, None, now),
    }
}

fn id(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<Option<MailboxId>, StoreError> {
    let select = "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2";
    let mut select = connection.prepare_cached(select)?;
    Ok(select
        .query_row((account.0, name), |row| row.get(0))
        .optional()?
        .map(MailboxId))
}

/// Whose mailbox that is.
pub(super) fn owner(connection: &Connection, id: MailboxId) -> Result<AccountId, StoreError> {
    let mut select = connection.prepare_cached("SELECT account FROM mailbox WHERE id = ?1")?;
    let account = select.query_row([id.0], |row| row.get(0)).optional()?;
    account
        .map(AccountId)
        .ok_or_else(|| StoreError::NotFound("such mailbox".to_owned()))
}

fn by_name(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<Option<Mailbox>, StoreError> {
    let sql = format!("{SELECT} WHERE account = ?1 AND name = ?2");
    first(
        connection.prepare_cached(&sql)?.query((account.0, name))?,
        read,
    )
}

fn read(row: &Row<'_>) -> Result<Mailbox, StoreError> {
    let special_use: Option<String> = row.get(3)?;
    Ok(Mailbox {
        id: MailboxId(row.get(0)?),
        account: AccountId(row.get(1)?),
        name: row.get(2)?,
        special_use: special_use.as_deref().and_then(SpecialUse::parse),
        subscribed: row.get(4)?,
        uid_validity: row.get(5)?,
        uid_next: row.get(6)?,
        highest_modseq: row.get(7)?,
        messages: row.get(8)?,
        unseen: row.get(9)?,
        deleted: row.get(10)?,
        size: row.get(11)?,
    })
}

fn rename(
    change: &mut Change<'_>,
    account: AccountId,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    id(change.connection, account, from)?.ok_or_else(|| missing(from))?;
    if id(change.connection, account, to)?.is_some() {
        return Err(StoreError::Exists(format!("the mailbox {to:?}")));
    }
    let below = format!("{from}/");
    if to.starts_with(&below) {
        return Err(StoreError::Refused(
            "a mailbox cannot be moved below itself",
        ));
    }
    change.connection.execute(
        "UPDATE mailbox SET name = ?3 || substr(name, length(?2) + 1)
         WHERE account = ?1 AND (name = ?2 OR substr(name, 1, length(?4)) = ?4)",
        (account.0, from, to, &below),
    )?;
    change.touch(account);
    Ok(())
}

/// Renaming INBOX moves its messages to a new mailbox (RFC 9051 §6.3.6).
fn empty_inbox(
    change: &mut Change<'_>,
    account: AccountId,
    to: &str,
    now: u64,
) -> Result<(), StoreError> {
    let inbox = id(change.connection, account, INBOX)?.ok_or_else(|| missing(INBOX))?;
    let target = make(change, account, to, None, now)?;
    message::move_all(change, inbox, target)
}

/// The next UID and modification sequence of a mailbox, from its counter row.
pub(super) struct Numbers {
    pub(super) uid_validity: u32,
    pub(super) uid: u32,
    pub(super) modseq: u64,
}

/// Takes a UID and a modification sequence.
pub(super) fn take_numbers(
    connection: &Connection,
    mailbox: MailboxId,
) -> Result<Numbers, StoreError> {
    let mut take = connection.prepare_cached(
        "UPDATE mailbox SET uid_next = uid_next + 1, modseq = modseq + 1 WHERE id = ?1
         RETURNING uid_validity, uid_next - 1, modseq",
    )?;
    let numbers = take.query_row([mailbox.0], |row| {
        Ok(Numbers {
            uid_validity: row.get(0)?,
            uid: row.get(1)?,
            modseq: row.get(2)?,
        })
    });
    numbers
        .optional()?
        .ok_or_else(|| StoreError::NotFound("such mailbox".to_owned()))
}

/// Takes a modification sequence for a change without a new message.
pub(super) fn take_modseq(connection: &Connection, mailbox: MailboxId) -> Result<u64, StoreError> {
    let take = "UPDATE mailbox SET modseq = modseq + 1 WHERE id = ?1 RETURNING modseq";
    let mut take = connection.prepare_cached(take)?;
    let modseq = take.query_row([mailbox.0], |row| row.get(0)).optional()?;
    modseq.ok_or_else(|| StoreError::NotFound("such mailbox".to_owned()))
}

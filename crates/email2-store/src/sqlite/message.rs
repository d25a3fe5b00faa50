//! Messages in mailboxes: read, copy, move, remove.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::body::{self, BodyRow, Directory};
use super::row::{collect, first};
use super::writer::Change;
use super::{SqliteStore, account, delivery, flag, mailbox};
use crate::account::AccountId;
use crate::body::BodyReader;
use crate::error::StoreError;
use crate::mailbox::MailboxId;
use crate::message::{
    Append, Copied, Delivery, FlagChange, Generate, Message, MessageId, Messages, Outcome,
};
use crate::provenance::Origin;

const SELECT: &str =
    "SELECT id, mailbox, uid, modseq, size, received, flags, keywords, provenance FROM message";

#[async_trait]
impl Messages for SqliteStore {
    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, StoreError> {
        let bodies = Arc::clone(&self.bodies);
        self.writer
            .write_repeatable(move |change| {
                let deliver = |delivery| delivery::deliver(change, &bodies, delivery);
                deliveries.iter().map(deliver).collect()
            })
            .await
    }

    async fn append(&self, messages: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.write(move |change| {
            messages
                .iter()
                .map(|append| delivery::append(change, append))
                .collect()
        })
        .await
    }

    async fn generate(&self, messages: Vec<Generate>) -> Result<Vec<Outcome>, StoreError> {
        self.write(move |change| {
            messages
                .iter()
                .map(|generate| delivery::generate(change, generate))
                .collect()
        })
        .await
    }

    async fn messages(&self, mailbox: MailboxId) -> Result<Vec<Message>, StoreError> {
        self.read(move |connection| since(connection, mailbox, 0))
            .await
    }

    async fn messages_with(
        &self,
        mailbox: MailboxId,
        uids: &[u32],
    ) -> Result<Vec<Message>, StoreError> {
        let uids = uids.to_vec();
        self.read(move |connection| select(connection, mailbox, &uids))
            .await
    }

    async fn message_body(&self, message: MessageId) -> Result<Box<dyn BodyReader>, StoreError> {
        let found = self
            .read(move |connection| body_row(connection, message))
            .await?;
        let (trace, row) = found.ok_or_else(|| StoreError::NotFound("such message".to_owned()))?;
        self.reading(trace, row)
    }

    async fn change_flags(
        &self,
        mailbox: MailboxId,
        change: FlagChange,
    ) -> Result<Vec<Message>, StoreError> {
        self.write(move |group| flag::change(group, mailbox, &change))
            .await
    }

    async fn copy_messages(
        &self,
        from: MailboxId,
        uids: &[u32],
        to: MailboxId,
    ) -> Result<Vec<Copied>, StoreError> {
        let uids = uids.to_vec();
        self.write(move |change| {
            let messages = select(change.connection, from, &uids)?;
            copy(change, &messages, to)
        })
        .await
    }

    async fn move_messages(
        &self,
        from: MailboxId,
        uids: &[u32],
        to: MailboxId,
    ) -> Result<Vec<Copied>, StoreError> {
        let uids = uids.to_vec();
        self.write(move |change| {
            let messages = select(change.connection, from, &uids)?;
            move_these(change, from, &messages, to)
        })
        .await
    }

    async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<&[u32]>,
    ) -> Result<Vec<u32>, StoreError> {
        let uids = uids.map(<[u32]>::to_vec);
        let bodies = Arc::clone(&self.bodies);
        self.write(move |change| {
            let messages = match uids {
                Some(uids) => select(change.connection, mailbox, &uids)?,
                None => since(change.connection, mailbox, 0)?,
            };
            let deleted: Vec<Message> = messages
                .into_iter()
                .filter(|message| message.flags.deleted)
                .collect();
            remove(change, &bodies, &deleted)?;
            Ok(deleted.iter().map(|message| message.uid).collect())
        })
        .await
    }
}

fn read(row: &Row<'_>) -> Result<Message, StoreError> {
    let provenance: String = row.get(8)?;
    Ok(Message {
        id: MessageId(row.get(0)?),
        mailbox: MailboxId(row.get(1)?),
        uid: row.get(2)?,
        modseq: row.get(3)?,
        size: row.get(4)?,
        received: row.get(5)?,
        flags: flag::read(row, 6)?,
        origin: Origin::from_column(&provenance)?,
    })
}

/// The messages that changed after `modseq`, by UID.
pub(super) fn since(
    connection: &Connection,
    mailbox: MailboxId,
    modseq: u64,
) -> Result<Vec<Message>, StoreError> {
    let sql = format!("{SELECT} WHERE mailbox = ?1 AND modseq > ?2 ORDER BY uid");
    collect(
        connection
            .prepare_cached(&sql)?
            .query((mailbox.0, modseq))?,
        read,
    )
}

/// Those of `uids` that are there, by UID.
pub(super) fn select(
    connection: &Connection,
    mailbox: MailboxId,
    uids: &[u32],
) -> Result<Vec<Message>, StoreError> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    uids.dedup();
    let sql = format!("{SELECT} WHERE mailbox = ?1 AND uid = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut messages = Vec::new();
    for uid in uids {
        messages.extend(first(statement.query((mailbox.0, uid))?, read)?);
    }
    Ok(messages)
}

fn body_row(
    connection: &Connection,
    message: MessageId,
) -> Result<Option<(Vec<u8>, BodyRow)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT message.trace, body.name, body.size, body.octets
         FROM message JOIN body ON body.id = message.body WHERE message.id = ?1",
    )?;
    first(select.query([message.0])?, |row| {
        let body = BodyRow {
            name: row.get(1)?,
            size: row.get(2)?,
            octets: row.get(3)?,
        };
        Ok((row.get(0)?, body))
    })
}

/// Copies with flags, date and provenance.
fn copy(
    change: &mut Change<'_>,
    messages: &[Message],
    to: MailboxId,
) -> Result<Vec<Copied>, StoreError> {
    let owner = mailbox::owner(change.connection, to)?;
    let size: u64 = messages.iter().map(|message| message.size).sum();
    let account = account::by_id(change.connection, owner)?;
    let full = |quota: u64| {
        account
            .as_ref()
            .is_some_and(|account| account.used + size > quota)
    };
    if account
        .as_ref()
        .and_then(|account| account.quota)
        .is_some_and(full)
    {
        return Err(StoreError::Refused(
            "the account has no room for the copies",
        ));
    }
    let copied = insert_copies(change.connection, messages, to)?;
    account::charge(change.connection, owner, size.cast_signed())?;
    change.touch(owner);
    Ok(copied)
}

fn insert_copies(
    connection: &Connection,
    messages: &[Message],
    to: MailboxId,
) -> Result<Vec<Copied>, StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO message
         (mailbox, uid, modseq, received, flags, keywords, provenance, trace, body, size)
         SELECT ?2, ?3, ?4, received, flags, keywords, provenance, trace, body, size
         FROM message WHERE id = ?1",
    )?;
    let mut copied = Vec::with_capacity(messages.len());
    for message in messages {
        let numbers = mailbox::take_numbers(connection, to)?;
        insert.execute((message.id.0, to.0, numbers.uid, numbers.modseq))?;
        copied.push(Copied {
            from: message.uid,
            to: numbers.uid,
        });
    }
    Ok(copied)
}

fn move_these(
    change: &mut Change<'_>,
    from: MailboxId,
    messages: &[Message],
    to: MailboxId,
) -> Result<Vec<Copied>, StoreError> {
    let (owner, receiver) = (
        mailbox::owner(change.connection, from)?,
        mailbox::owner(change.connection, to)?,
    );
    if owner != receiver {
        return Err(StoreError::Refused(
            "messages are not moved between accounts",
        ));
    }
    let copied = insert_copies(change.connection, messages, to)?;
    vanish(change.connection, messages)?;
    change.touch(owner);
    Ok(copied)
}

/// Moves all messages of a mailbox.
pub(super) fn move_all(
    change: &mut Change<'_>,
    from: MailboxId,
    to: MailboxId,
) -> Result<(), StoreError> {
    let messages = since(change.connection, from, 0)?;
    move_these(change, from, &messages, to).map(|_| ())
}

/// Takes the rows away and notes that they vanished.
fn vanish(connection: &Connection, messages: &[Message]) -> Result<(), StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1")?;
    let mut note = connection
        .prepare_cached("INSERT INTO vanished (mailbox, uid, modseq) VALUES (?1, ?2, ?3)")?;
    for message in messages {
        let modseq = mailbox::take_modseq(connection, message.mailbox)?;
        note.execute((message.mailbox.0, message.uid, modseq))?;
        delete.execute([message.id.0])?;
    }
    Ok(())
}

/// Removes messages of one account, and the bodies that nobody uses any more.
fn remove(
    change: &mut Change<'_>,
    directory: &Directory,
    messages: &[Message],
) -> Result<(), StoreError> {
    let Some(any) = messages.first() else {
        return Ok(());
    };
    let owner = mailbox::owner(change.connection, any.mailbox)?;
    let bodies = bodies_of(change.connection, messages)?;
    vanish(change.connection, messages)?;
    body::release(change, directory, &bodies)?;
    let size: u64 = messages.iter().map(|message| message.size).sum();
    account::charge(change.connection, owner, -size.cast_signed())?;
    change.touch(owner);
    Ok(())
}

fn bodies_of(connection: &Connection, messages: &[Message]) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.prepare_cached("SELECT body FROM message WHERE id = ?1")?;
    let mut bodies = Vec::new();
    for message in messages {
        bodies.extend(
            select
                .query_row([message.id.0], |row| row.get::<_, i64>(0))
                .optional()?,
        );
    }
    bodies.sort_unstable();
    bodies.dedup();
    Ok(bodies)
}

/// Removes all messages of a mailbox.
pub(super) fn remove_all(
    change: &mut Change<'_>,
    directory: &Directory,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<(), StoreError> {
    let messages = since(change.connection, mailbox, 0)?;
    change.touch(account);
    remove(change, directory, &messages)
}

/// Removes an account's copies of a body, wherever they lie by now: a copy
/// that came a better way takes their place.
pub(super) fn remove_copies(
    change: &mut Change<'_>,
    directory: &Directory,
    account: AccountId,
    body: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "{SELECT} WHERE body = ?1 AND mailbox IN (SELECT id FROM mailbox WHERE account = ?2)"
    );
    let mut select = change.connection.prepare_cached(&sql)?;
    let copies = collect(select.query((body, account.0))?, read)?;
    remove(change, directory, &copies)
}

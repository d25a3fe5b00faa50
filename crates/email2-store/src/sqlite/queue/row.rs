//! Rows of the queue as what they stand for.

use email2::seal::Role;
use email2::{Identity, ReversePath};
use rusqlite::{Connection, Row};

use crate::error::StoreError;
use crate::queue::{
    Attempt, Claimed, DomainState, QueueEntry, QueueId, QueueRecipient, RecipientState,
    WaitingDomain,
};
use crate::sqlite::body::BodyRow;
use crate::sqlite::certificate::read_identity;
use crate::sqlite::row::{collect, first, parsed, parsed_or_null};

/// What [`entry`] and [`claimed`] read.
pub(super) const SELECT: &str =
    "SELECT id, grp, domain, mail_from, role, signer, details, created, expires,
       next_attempt, attempts, leased_until, epoch,
       (SELECT size FROM body WHERE body.id = queue.body) + length(front), held, delayed
FROM queue";

/// The octets of an entry: what stands in front, and the body that it may share.
pub(super) fn body_row(
    connection: &Connection,
    id: QueueId,
) -> Result<Option<(Vec<u8>, BodyRow)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT name, body.size, octets, front FROM queue JOIN body ON body.id = queue.body
         WHERE queue.id = ?1",
    )?;
    first(select.query([id.0])?, |row| {
        Ok((row.get(3)?, read_body(row)?))
    })
}

/// What the octets of an entry were made of.
pub(super) fn source_row(
    connection: &Connection,
    id: QueueId,
) -> Result<Option<BodyRow>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT name, size, octets FROM body WHERE id = (SELECT source FROM queue WHERE id = ?1)",
    )?;
    first(select.query([id.0])?, read_body)
}

fn read_body(row: &Row<'_>) -> Result<BodyRow, StoreError> {
    Ok(BodyRow {
        name: row.get(0)?,
        size: row.get(1)?,
        octets: row.get(2)?,
    })
}

/// An entry with its recipients.
pub(super) fn entry(connection: &Connection, row: &Row<'_>) -> Result<QueueEntry, StoreError> {
    let id = QueueId(row.get(0)?);
    Ok(QueueEntry {
        id,
        group: row.get(1)?,
        domain: parsed(row, 2)?,
        mail_from: read_reverse_path(row)?,
        announced: read_announced(row)?,
        recipients: recipients(connection, id)?,
        size: row.get(13)?,
        details: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        next_attempt: row.get(9)?,
        attempts: row.get(10)?,
        leased_until: row.get(11)?,
        held: row.get(14)?,
        delayed: row.get(15)?,
    })
}

/// An entry with its claim.
pub(super) fn claimed(connection: &Connection, row: &Row<'_>) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        entry: entry(connection, row)?,
        epoch: row.get(12)?,
        domain: DomainState::default(),
        why: None,
        alarm: false,
    })
}

/// A domain that mail waits for.
pub(super) fn waiting_domain(row: &Row<'_>) -> Result<WaitingDomain, StoreError> {
    Ok(WaitingDomain {
        domain: parsed(row, 0)?,
        due: row.get(1)?,
        state: DomainState {
            failures: row.get(2)?,
            accepted: row.get(3)?,
        },
        why: row.get(4)?,
        entries: row.get(5)?,
    })
}

/// An attempt that failed.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        number: row.get(0)?,
        at: row.get(1)?,
        said: row.get(2)?,
    })
}

fn read_reverse_path(row: &Row<'_>) -> Result<ReversePath, StoreError> {
    let text: String = row.get(3)?;
    ReversePath::parse(&text)
        .map_err(|_| StoreError::Unreadable(format!("the reverse-path {text:?}")))
}

fn read_announced(row: &Row<'_>) -> Result<Option<(Role, Identity)>, StoreError> {
    let word: Option<String> = row.get(4)?;
    let Some(word) = word else { return Ok(None) };
    let role = [Role::Author, Role::Forward, Role::Service]
        .into_iter()
        .find(|role| role_word(*role) == word)
        .ok_or_else(|| StoreError::Unreadable(format!("the role {word:?}")))?;
    Ok(Some((role, read_identity(row, 5)?)))
}

pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Author => "author",
        Role::Forward => "forward",
        Role::Service => "service",
    }
}

fn recipients(connection: &Connection, id: QueueId) -> Result<Vec<QueueRecipient>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT address, etag, state, reply FROM queue_recipient WHERE entry = ?1 ORDER BY position",
    )?;
    collect(select.query([id.0])?, |row| {
        let state: String = row.get(2)?;
        Ok(QueueRecipient {
            address: parsed(row, 0)?,
            etag: parsed_or_null(row, 1)?,
            state: RecipientState::parse(&state)
                .ok_or_else(|| StoreError::Unreadable(format!("the state {state:?}")))?,
            reply: row.get(3)?,
        })
    })
}

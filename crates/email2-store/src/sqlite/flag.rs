//! Flags as they stand in their two columns, and STORE.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};

use super::writer::Change;
use super::{mailbox, message};
use crate::error::StoreError;
use crate::mailbox::MailboxId;
use crate::message::{FlagAction, FlagChange, Flags, Message};

/// Most keywords on a message.
const KEYWORDS: usize = 64;

const SEEN: u8 = 1;
const ANSWERED: u8 = 2;
const FLAGGED: u8 = 4;
const DELETED: u8 = 8;
const DRAFT: u8 = 16;

/// The column `flags`.
pub(super) fn bits(flags: &Flags) -> u8 {
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    bit(flags.seen, SEEN)
        | bit(flags.answered, ANSWERED)
        | bit(flags.flagged, FLAGGED)
        | bit(flags.deleted, DELETED)
        | bit(flags.draft, DRAFT)
}

/// The column `keywords`.
pub(super) fn keywords(flags: &Flags) -> String {
    flags
        .keywords
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Reads the columns `flags` and `keywords`, which stand side by side.
pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Flags, StoreError> {
    let bits: u8 = row.get(column)?;
    let keywords: String = row.get(column + 1)?;
    Ok(Flags {
        seen: bits & SEEN != 0,
        answered: bits & ANSWERED != 0,
        flagged: bits & FLAGGED != 0,
        deleted: bits & DELETED != 0,
        draft: bits & DRAFT != 0,
        keywords: keywords
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
    })
}

/// Does a STORE; the messages that it was done to, as they are now.
pub(super) fn change(
    change: &mut Change<'_>,
    mailbox: MailboxId,
    wanted: &FlagChange,
) -> Result<Vec<Message>, StoreError> {
    let owner = mailbox::owner(change.connection, mailbox)?;
    let mut changed = Vec::new();
    for message in message::select(change.connection, mailbox, &wanted.uids)? {
        if wanted
            .unchanged_since
            .is_some_and(|since| message.modseq > since)
        {
            continue;
        }
        let flags = apply(&message.flags, wanted);
        if flags.keywords.len() > KEYWORDS {
            return Err(StoreError::Refused("a message has at most 64 keywords"));
        }
        changed.push(set(change.connection, message, flags)?);
    }
    change.touch(owner);
    Ok(changed)
}

/// Writes flags that differ; a message that has them already stays as it is.
fn set(connection: &Connection, mut message: Message, flags: Flags) -> Result<Message, StoreError> {
    if flags != message.flags {
        message.modseq = mailbox::take_modseq(connection, message.mailbox)?;
        message.flags = flags;
        let update = "UPDATE message SET flags = ?2, keywords = ?3, modseq = ?4 WHERE id = ?1";
        let (bits, keywords) = (bits(&message.flags), keywords(&message.flags));
        connection.prepare_cached(update)?.execute((
            message.id.0,
            bits,
            keywords,
            message.modseq,
        ))?;
    }
    Ok(message)
}

fn apply(flags: &Flags, wanted: &FlagChange) -> Flags {
    let named = &wanted.flags;
    match wanted.action {
        FlagAction::Replace => named.clone(),
        FlagAction::Add => merge(flags, named),
        FlagAction::Remove => without(flags, named),
    }
}

fn merge(flags: &Flags, named: &Flags) -> Flags {
    Flags {
        seen: flags.seen | named.seen,
        answered: flags.answered | named.answered,
        flagged: flags.flagged | named.flagged,
        deleted: flags.deleted | named.deleted,
        draft: flags.draft | named.draft,
        keywords: &flags.keywords | &others(&named.keywords, &flags.keywords),
    }
}

fn without(flags: &Flags, named: &Flags) -> Flags {
    Flags {
        seen: flags.seen & !named.seen,
        answered: flags.answered & !named.answered,
        flagged: flags.flagged & !named.flagged,
        deleted: flags.deleted & !named.deleted,
        draft: flags.draft & !named.draft,
        keywords: others(&flags.keywords, &named.keywords),
    }
}

/// Those of `keywords` that `named` does not name; keywords are the same in any
/// case (RFC 9051 §2.3.2).
fn others(keywords: &BTreeSet<String>, named: &BTreeSet<String>) -> BTreeSet<String> {
    let is_named = |keyword: &&String| named.iter().any(|own| own.eq_ignore_ascii_case(keyword));
    let others = keywords.iter().filter(|keyword| !is_named(keyword));
    others.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(seen: bool, keywords: &[&str]) -> Flags {
        let keywords = keywords.iter().map(|&keyword| keyword.to_owned()).collect();
        Flags {
            seen,
            keywords,
            ..Flags::default()
        }
    }

    #[test]
    fn flags_are_added_removed_and_replaced() {
        let old = flags(true, &["a", "b"]);
        let by = |action| FlagChange {
            uids: Vec::new(),
            action,
            flags: flags(false, &["B", "c"]),
            unchanged_since: None,
        };
        assert_eq!(
            apply(&old, &by(FlagAction::Add)),
            flags(true, &["a", "b", "c"])
        );
        assert_eq!(apply(&old, &by(FlagAction::Remove)), flags(true, &["a"]));
        assert_eq!(
            apply(&old, &by(FlagAction::Replace)),
            flags(false, &["B", "c"])
        );
    }
}

//! The three doors. Nothing else writes the provenance column, but COPY and
//! MOVE, which carry it.

use std::sync::Arc;

use email2::Fingerprint;
use email2::seal::Nonce;
use email2::verdict::{SealMemory, Way};
use rusqlite::OptionalExtension;

use super::writer::Change;
use super::{accepted_seal, account, author, body, correspondence, flag, mailbox, message};
use crate::account::AccountId;
use crate::body::SpooledBody;
use crate::error::StoreError;
use crate::mailbox::MailboxId;
use crate::message::{Append, Delivery, Flags, Generate, Outcome};
use crate::provenance::Proof;

/// What all doors have in common, once the mailbox is known.
struct Incoming<'a> {
    account: AccountId,
    mailbox: MailboxId,
    proof: &'a dyn Proof,
    trace: &'a [u8],
    flags: &'a Flags,
    body: &'a SpooledBody,
    received: u64,
    /// It is stored however full the account is.
    whatever_quota: bool,
}

/// The first door, for one message: exactly once (spec §4.11).
pub(super) fn deliver(
    change: &mut Change<'_>,
    directory: &Arc<body::Directory>,
    delivery: &Delivery,
) -> Result<Outcome, StoreError> {
    let accepted = &delivery.accepted;
    let memory = remember(change, delivery.account, accepted.seals(), accepted.way())?;
    let worse = match memory {
        Memory::DifferentContent => return Ok(Outcome::DifferentContent),
        Memory::Duplicate => return Ok(Outcome::Duplicate),
        Memory::New => None,
        Memory::Worse(body) => Some(body),
    };
    let Some(mailbox) = mailbox_for(change, delivery)? else {
        return Ok(Outcome::Gone);
    };
    // A report that finds no room comes again: what it is about is not forgotten yet.
    let is_report = !accepted.answered().is_empty();
    let size = delivery.trace.len() as u64 + delivery.body.size();
    if is_report && !account::has_room(change.connection, delivery.account, size)? {
        return Ok(Outcome::OverQuota);
    }
    if !correspondence::answer(change.connection, delivery.account, accepted)? {
        return Ok(Outcome::Duplicate);
    }
    let incoming = Incoming {
        account: delivery.account,
        mailbox,
        proof: accepted,
        trace: &delivery.trace,
        flags: &Flags::default(),
        body: &delivery.body,
        received: delivery.received,
        whatever_quota: false,
    };
    let (mut outcome, body) = store(change, &incoming, worse.is_some())?;
    if let Some(body) = body {
        accepted_seal::insert(change.connection, delivery.account, accepted, body)?;
        let (account, now) = (delivery.account, delivery.received);
        let is_first = author::remember(change.connection, account, accepted, now)?;
        if let Outcome::Stored { first, .. } = &mut outcome {
            *first = is_first;
        }
        if let Some(worse) = worse {
            message::remove_copies(change, directory, delivery.account, worse)?;
        }
    }
    Ok(outcome)
}

/// The mailbox that a delivery goes to, made if there is none; `None` when its account is gone.
fn mailbox_for(
    change: &mut Change<'_>,
    delivery: &Delivery,
) -> Result<Option<MailboxId>, StoreError> {
    let (account, name) = (delivery.account, &delivery.mailbox);
    // A mailbox that is there has an account.
    let existing = mailbox::existing(change.connection, account, name)?;
    if existing.is_some() || account::by_id(change.connection, account)?.is_none() {
        return Ok(existing);
    }
    mailbox::ensure(change, account, name, delivery.received).map(Some)
}

/// What the memory says of a stack of seals.
enum Memory {
    New,
    Duplicate,
    DifferentContent,
    /// This body came a worse way.
    Worse(i64),
}

fn remember(
    change: &Change<'_>,
    account: AccountId,
    seals: &[SealMemory],
    way: Way,
) -> Result<Memory, StoreError> {
    let mut memory = Memory::New;
    for seal in seals {
        let found = look(change, account, &seal.key, seal.nonce)?;
        let Some((remembered, body)) = found else {
            continue;
        };
        if remembered.digest != seal.digest {
            return Ok(Memory::DifferentContent);
        }
        if remembered.way <= way {
            memory = Memory::Duplicate;
        } else if matches!(memory, Memory::New) {
            memory = Memory::Worse(body);
        }
    }
    Ok(memory)
}

fn look(
    change: &Change<'_>,
    account: AccountId,
    key: &Fingerprint,
    nonce: Nonce,
) -> Result<Option<(accepted_seal::Row, i64)>, StoreError> {
    accepted_seal::find(change.connection, account, key, nonce)
}

/// The second door, for one message.
pub(super) fn append(change: &mut Change<'_>, append: &Append) -> Result<Outcome, StoreError> {
    let mailbox = append.mailbox;
    let select = "SELECT account FROM mailbox WHERE id = ?1";
    let owner: Option<i64> = change
        .connection
        .query_row(select, [mailbox.0], |row| row.get(0))
        .optional()?;
    let Some(owner) = owner else {
        return Ok(Outcome::Gone);
    };
    let incoming = Incoming {
        account: AccountId(owner),
        mailbox,
        proof: &append.door,
        trace: &[],
        flags: &append.flags,
        body: &append.body,
        received: append.received,
        whatever_quota: false,
    };
    Ok(store(change, &incoming, false)?.0)
}

/// The third door, for one message: what it tells stands nowhere else, so that there is always
/// room for it.
pub(super) fn generate(
    change: &mut Change<'_>,
    generate: &Generate,
) -> Result<Outcome, StoreError> {
    if account::by_id(change.connection, generate.account)?.is_none() {
        return Ok(Outcome::Gone);
    }
    let mailbox = mailbox::ensure(
        change,
        generate.account,
        &generate.mailbox,
        generate.received,
    )?;
    let incoming = Incoming {
        account: generate.account,
        mailbox,
        proof: &generate.door,
        trace: &[],
        flags: &Flags::default(),
        body: &generate.body,
        received: generate.received,
        whatever_quota: true,
    };
    Ok(store(change, &incoming, false)?.0)
}

/// Writes the row; the body's row too, if it was stored.
fn store(
    change: &mut Change<'_>,
    incoming: &Incoming<'_>,
    replaced: bool,
) -> Result<(Outcome, Option<i64>), StoreError> {
    let size = incoming.trace.len() as u64 + incoming.body.size();
    if incoming.whatever_quota {
        let octets = i64::try_from(size).unwrap_or(i64::MAX);
        account::charge(change.connection, incoming.account, octets)?;
    } else if !account::charge_within_quota(change.connection, incoming.account, size)? {
        return Ok((Outcome::OverQuota, None));
    }
    let body = body::keep(change, incoming.body)?;
    let numbers = mailbox::take_numbers(change.connection, incoming.mailbox)?;
    let mut insert = change.connection.prepare_cached(
        "INSERT INTO message
         (mailbox, uid, modseq, received, flags, keywords, provenance, trace, body, size)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(rusqlite::params![
        incoming.mailbox.0,
        numbers.uid,
        numbers.modseq,
        incoming.received,
        flag::bits(incoming.flags),
        flag::keywords(incoming.flags),
        incoming.proof.column(),
        incoming.trace,
        body,
        size,
    ])?;
    change.touch(incoming.account);
    let (mailbox, uid_validity, uid) = (incoming.mailbox, numbers.uid_validity, numbers.uid);
    Ok((
        Outcome::Stored {
            mailbox,
            uid_validity,
            uid,
            replaced,
            first: false,
        },
        Some(body),
    ))
}

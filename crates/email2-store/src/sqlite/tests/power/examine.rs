//! What is there: all of it, octet for octet.

use std::collections::BTreeSet;

use super::cast::{LETTERS, cast, owner};
use super::expected::{ACCOUNTS, Entry, Expected, Inbox, Kept, Letter, Remembered};
use super::work::Worker;
use crate::account::Accounts;
use crate::certificate::Certificates;
use crate::change::Changes;
use crate::conformance::read;
use crate::error::StoreError;
use crate::mailbox::{INBOX, Mailboxes};
use crate::message::{Message, Messages};
use crate::provenance::Origin;
use crate::queue::{Queue, RecipientState};
use crate::sqlite::disk::Disk;

/// What is wrong with a store, whatever was done to it.
pub(crate) type Wrong = String;

/// What is in the store, as the model has it.
pub(crate) async fn examine(worker: &Worker<'_>) -> Result<Expected, Wrong> {
    let said = |error: StoreError| error.to_string();
    let mut found = Expected::default();
    for account in 0..ACCOUNTS {
        found.inboxes[account] = inbox(worker, account).await?;
    }
    found.seals = seals(worker).await.map_err(said)?.into_iter().collect();
    for entry in worker.store.entries().await.map_err(said)? {
        let nonce = entry
            .group
            .parse::<usize>()
            .map_err(|_| entry.group.clone())?;
        let body = worker.store.entry_body(entry.id).await.map_err(said)?;
        if read(&*body).await.map_err(said)? != cast().letters[&(nonce, 0)].octets {
            return Err(format!("entry {:?} holds other octets", entry.id));
        }
        found.queue.insert(
            entry.id.0,
            queued(worker, nonce, &entry).await.map_err(said)?,
        );
    }
    let who = cast().versions[0].identity.clone();
    let versions = worker.store.versions(&who).await.map_err(said)?;
    for version in versions.iter().rev() {
        let mut known = cast().versions.iter();
        let place = known.position(|known| known.etag == version.etag);
        found.versions.push(place.ok_or("an unknown version")?);
    }
    found.last_entry = worker.store.read(last_entry).await.map_err(said)?;
    Ok(found)
}

fn last_entry(connection: &rusqlite::Connection) -> Result<i64, StoreError> {
    let select = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'queue'";
    Ok(connection.query_row(select, [], |row| row.get(0))?)
}

async fn queued(
    worker: &Worker<'_>,
    nonce: usize,
    entry: &crate::queue::QueueEntry,
) -> Result<Entry, StoreError> {
    let id = entry.id.0;
    let epoch = worker.store.read(move |connection| {
        let select = "SELECT epoch FROM queue WHERE id = ?1";
        Ok(connection.query_row(select, [id], |row| row.get(0))?)
    });
    Ok(Entry {
        nonce,
        attempts: entry.attempts,
        epoch: epoch.await?,
        leased_until: entry.leased_until,
        next_attempt: entry.next_attempt,
        delivered: entry.recipients[0].state == RecipientState::Delivered,
    })
}

async fn inbox(worker: &Worker<'_>, account: usize) -> Result<Inbox, Wrong> {
    let said = |error: StoreError| error.to_string();
    let owner = worker.store.account(&owner(account)).await.map_err(said)?;
    let owner = owner.ok_or("an account is gone")?;
    let mailbox = worker.store.mailbox(owner.id, INBOX).await.map_err(said)?;
    let mailbox = mailbox.ok_or("an INBOX is gone")?;
    let all = worker
        .store
        .changes_since(mailbox.id, 0)
        .await
        .map_err(said)?;
    let used: u64 = all.changed.iter().map(|message| message.size).sum();
    if used != owner.used {
        return Err(format!("{used} octets are charged as {}", owner.used));
    }
    let mut inbox = Inbox {
        uid_next: mailbox.uid_next,
        modseq: mailbox.highest_modseq,
        vanished: all.vanished.into_iter().collect(),
        ..Inbox::default()
    };
    for message in all.changed {
        let letter = letter(worker, &message).await?;
        let kept = Kept {
            letter,
            modseq: message.modseq,
            seen: message.flags.seen,
            deleted: message.flags.deleted,
        };
        inbox.messages.insert(message.uid, kept);
    }
    Ok(inbox)
}

/// Which message it is: every octet counts.
async fn letter(worker: &Worker<'_>, message: &Message) -> Result<Option<Letter>, Wrong> {
    let reader = worker.store.message_body(message.id).await;
    let reader = reader.map_err(|error| format!("UID {}: {error}", message.uid))?;
    let octets = read(&*reader).await;
    let octets = octets.map_err(|error| format!("UID {}: {error}", message.uid))?;
    if octets == super::REPORT && matches!(message.origin, Origin::Generated(_)) {
        return Ok(None);
    }
    let all = (0..LETTERS).flat_map(|nonce| [0, 1].map(|text| Letter { nonce, text }));
    let content = octets.strip_prefix(super::TRACE);
    let mut same =
        all.filter(|letter| content == Some(&*cast().letters[&(letter.nonce, letter.text)].octets));
    let letter = same.next().filter(|_| message.origin.is_verified());
    let wrong = || format!("UID {} holds other octets than were delivered", message.uid);
    letter.map(Some).ok_or_else(wrong)
}

type Seal = ((usize, usize), Remembered);

async fn seals(worker: &Worker<'_>) -> Result<Vec<Seal>, StoreError> {
    let rows = worker.store.read(|connection| {
        let select = "SELECT account, nonce, digest, way FROM accepted_seal";
        let mut select = connection.prepare(select)?;
        let rows = select.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        Ok(rows.collect::<Result<Vec<(i64, [u8; 16], [u8; 32], u8)>, _>>()?)
    });
    let seal = |(account, nonce, digest, way): (i64, [u8; 16], [u8; 32], u8)| {
        let mut accounts = worker.accounts.iter();
        let account = accounts.position(|known| known.id.0 == account).unwrap();
        let nonce = usize::from(nonce[0]);
        let first = &cast().letters[&(nonce, 0)].direct.seals()[0];
        let remembered = Remembered {
            text: usize::from(first.digest != digest),
            direct: way == 0,
        };
        ((account, nonce), remembered)
    };
    Ok(rows.await?.into_iter().map(seal).collect())
}

/// The files are those that the rows name, no row is left over, and SQLite finds no damage.
pub(crate) async fn check(worker: &Worker<'_>, disk: &dyn Disk) -> Result<(), Wrong> {
    let found = worker.store.read(|connection| {
        let said: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let left: u64 = connection.query_row(
            "SELECT count(*) FROM body WHERE id NOT IN (SELECT body FROM message)
             AND id NOT IN (SELECT body FROM queue)",
            [],
            |row| row.get(0),
        )?;
        let mut named = connection.prepare("SELECT name FROM body WHERE octets IS NULL")?;
        let named = named.query_map([], |row| row.get::<_, String>(0))?;
        Ok((said, left, named.collect::<Result<BTreeSet<_>, _>>()?))
    });
    let (said, left, named) = found.await.map_err(|error| error.to_string())?;
    let bodies = worker.store.bodies.file("");
    let files = disk.list(&bodies).map_err(|error| error.to_string())?;
    let files = files
        .into_iter()
        .filter_map(|file| file.name.into_string().ok());
    match (said.as_str(), left, files.collect::<BTreeSet<_>>() == named) {
        ("ok", 0, true) => Ok(()),
        other => Err(format!(
            "damage, bodies left over, files as named: {other:?}"
        )),
    }
}

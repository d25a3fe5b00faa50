//! The outbox as its owner sees and handles it.

use std::time::Duration;

use email2::Fingerprint;
use email2_store::StoreError;
use email2_store::queue::{QueueEntry, QueueId, RecipientState};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::deliver::Trying;
use super::outbox::{Kind, is_undecided};
use super::report::{Report, Watch};
use super::{Author, Encryption, deliver};
use crate::Client;
use crate::pin::{self, PinError};

/// An entry that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id.
    pub id: i64,
    /// Where to.
    pub domain: String,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// Octets.
    pub size: u64,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it is tried next, RFC 3339.
    pub next: String,
    /// How often it was tried.
    pub attempts: u32,
    /// It is held until its author decides how it may leave: [`retry`] takes the decision.
    pub undecided: bool,
}

/// A recipient of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Who.
    pub recipient: String,
    /// `waiting`, `held`, `delivered` or `refused`.
    pub state: &'static str,
    /// The last words of the server, or ours; untrusted.
    pub words: String,
}

/// All entries that wait for a recipient; one's own copies on their way to Sent are not among
/// them.
///
/// # Errors
/// The store failed.
pub async fn entries(client: &Client) -> Result<Vec<Entry>, StoreError> {
    let entries = client.store().entries().await?;
    let shown = entries.iter().filter(|entry| !is_copy(entry));
    Ok(shown.map(entry).collect())
}

/// Tries whatever is due; with the key at hand, held back by nothing that needs it.
///
/// # Errors
/// The store failed.
pub async fn run(
    client: &Client,
    author: Option<&Author<'_>>,
    wait: Duration,
    watch: &dyn Watch,
) -> Result<Vec<Report>, StoreError> {
    let ids = deliver::due_now(client).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let trying = Trying {
        wait,
        ..Trying::default()
    };
    deliver::until(client, author, &ids, trying, watch).await
}

/// How long an entry is tried that its author wants to go now: what the first attempt only makes or
/// seals again leaves with the next one.
const MADE: Duration = Duration::from_secs(2);

/// What the author decides about an entry.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Encrypt to a recipient's new key of this fingerprint.
    pub accept_new: Option<Fingerprint>,
    /// How it may leave for whom there is no key, or of whose domain nothing is certain
    /// (spec §5.5.2); it is remembered with the entry.
    pub encryption: Option<Encryption>,
}

/// Tries one entry now, as its author decides.
///
/// # Errors
/// No such entry, a key that cannot be read, or the store failed.
pub async fn retry(
    client: &Client,
    author: &Author<'_>,
    id: i64,
    decision: &Decision,
    watch: &dyn Watch,
) -> Result<Vec<Report>, PinError> {
    let id = QueueId(id);
    let entries = client.store().entries().await?;
    let Some(entry) = entries
        .iter()
        .find(|entry| entry.id == id && !is_copy(entry))
    else {
        let what = format!("entry {} in the outbox", id.0);
        return Err(StoreError::NotFound(what).into());
    };
    if let Some(seen) = &decision.accept_new {
        consent(client, entry, seen).await?;
    }
    let store = client.store();
    store.wait_again(&[id]).await?;
    store.retry_now(&[id], client.world().now()).await?;
    let once = Trying {
        wait: MADE,
        decided: decision.encryption,
        ..Trying::default()
    };
    Ok(deliver::until(client, Some(author), &[id], once, watch).await?)
}

/// The consent is to one key, and so to one of the recipients.
async fn consent(client: &Client, entry: &QueueEntry, seen: &Fingerprint) -> Result<(), PinError> {
    let mut other = None;
    for to in &entry.recipients {
        match pin::accept_held(client.store(), &to.address, seen).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(error) => other = Some(error),
        }
    }
    other.map_or(Ok(()), Err)
}

/// Takes an entry out; `false` when there is none, or somebody works on it.
///
/// # Errors
/// The store failed.
pub async fn drop_entry(client: &Client, id: i64) -> Result<bool, StoreError> {
    let now = client.world().now();
    Ok(client.store().drop_entries(&[QueueId(id)], now).await? > 0)
}

fn is_copy(entry: &QueueEntry) -> bool {
    matches!(Kind::of(entry), Some(Kind::Copy { .. }))
}

fn entry(entry: &QueueEntry) -> Entry {
    let recipients = entry.recipients.iter().map(|to| Recipient {
        recipient: to.address.to_string(),
        state: match to.state {
            RecipientState::Waiting => "waiting",
            RecipientState::Held => "held",
            RecipientState::Delivered => "delivered",
            RecipientState::Refused => "refused",
        },
        words: to.reply.clone().unwrap_or_default(),
    });
    Entry {
        id: entry.id.0,
        domain: entry.domain.to_string(),
        recipients: recipients.collect(),
        size: entry.size,
        created: date(entry.created),
        next: date(entry.next_attempt),
        attempts: entry.attempts,
        undecided: is_undecided(entry),
    }
}

fn date(at: u64) -> String {
    let seconds = i64::try_from(at).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

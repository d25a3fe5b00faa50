//! Drafts: letters that wait for their author, in the mailbox Drafts of one's own server, signed
//! and encrypted to oneself: any of one's devices can go on writing, and nobody else can read.

use email2::address::Address;
use email2::certificate::Certificate;
use email2::content::{ContentError, Reader};
use email2::secret::SecretKey;
use serde::Serialize;

use crate::Client;
use crate::imap::{ImapError, Mailboxes};
use crate::inbox::{self, Page, inside};
use crate::read::{self, Person, Shown};
use crate::send::Author;
use crate::send::compose::{self, Attachment, ComposeError, Letter};
use crate::send::protect::{self, OWN_BCC, ProtectError};

/// Why a draft cannot be kept or opened.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The letter cannot be written. Sysexits as [`ComposeError`] says.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// It cannot be encrypted to oneself. Sysexits 65.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// The mailbox cannot be used. Sysexits as [`ImapError`] says.
    #[error(transparent)]
    Imap(#[from] ImapError),
    /// It cannot be opened. Sysexits 65 or 77.
    #[error("the draft cannot be opened: {0}")]
    Content(#[from] ContentError),
}

/// A draft in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its id in the mailbox Drafts.
    pub id: String,
    /// To whom; none where it could not be opened.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// When it was kept, RFC 3339.
    pub kept: Option<String>,
}

/// Keeps a letter as a draft; it may lack recipients.
///
/// # Errors
/// See [`DraftError`].
pub async fn keep(client: &Client, author: &Author<'_>, letter: Letter) -> Result<(), DraftError> {
    let (now, mut rng) = (client.world().now(), client.world().rng());
    let composed = compose::draft(letter, author.address, now, &mut rng)?;
    let octets = protect::own_copy(&composed, true, author, now, &mut rng)?;
    let mut mailboxes = Mailboxes::open(client).await?;
    let drafts = mailboxes.special("\\Drafts").await?;
    let kept = mailboxes.append(&drafts, "\\Draft \\Seen", &octets).await;
    mailboxes.close().await;
    Ok(kept?)
}

/// The newest drafts, at most `limit`.
///
/// # Errors
/// See [`ImapError`].
pub async fn list(
    client: &Client,
    key: &SecretKey,
    limit: usize,
) -> Result<Vec<Waiting>, ImapError> {
    let before = None;
    let mut mailboxes = Mailboxes::open(client).await?;
    let drafts = mailboxes.special("\\Drafts").await?;
    let opened = mailboxes.select(&drafts).await?;
    let mut waiting = Vec::new();
    for entry in inbox::newest(&mut mailboxes, opened, &Page { limit, before }).await? {
        let shown = inside::open(client, &mut mailboxes, &entry, Some(key)).await?;
        let to = shown.as_ref().map(|shown| lines(&shown.to));
        waiting.push(Waiting {
            id: entry.id,
            to: to.unwrap_or_default(),
            subject: shown.map_or(entry.subject, |shown| shown.subject),
            kept: entry.received,
        });
    }
    mailboxes.close().await;
    Ok(waiting)
}

/// A draft as a letter again.
///
/// # Errors
/// See [`DraftError`].
pub async fn open(client: &Client, key: &SecretKey, id: &str) -> Result<Letter, DraftError> {
    let drafts = mailbox(client).await?;
    let whole = inbox::fetch(client, &drafts, id).await?;
    let own = |_: &Address| -> Option<Certificate> { Some(key.certificate().clone()) };
    let reader = Reader {
        keys: &[key],
        known: &own,
        now: client.world().now(),
    };
    Ok(letter(&read::read(&whole.octets, &reader)?))
}

/// Removes a draft.
///
/// # Errors
/// See [`ImapError`].
pub async fn delete(client: &Client, id: &str) -> Result<(), ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let drafts = mailboxes.special("\\Drafts").await?;
    let opened = mailboxes.select(&drafts).await?;
    let uid = inbox::uid_of(id, opened)?;
    if mailboxes.fetch(&[uid], "FLAGS").await?.is_empty() {
        return Err(ImapError::NoMessage(id.escape_default().to_string()));
    }
    let removed = mailboxes.remove(uid).await;
    mailboxes.close().await;
    removed
}

async fn mailbox(client: &Client) -> Result<String, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let drafts = mailboxes.special("\\Drafts").await;
    mailboxes.close().await;
    drafts
}

fn lines(people: &[Person]) -> Vec<String> {
    people.iter().map(Person::recipient).collect()
}

fn letter(shown: &Shown) -> Letter {
    let own = shown
        .header
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(OWN_BCC));
    let bcc = own.flat_map(|(_, value)| value.split(',')).map(str::trim);
    let sections = shown.sections.iter();
    let texts: Vec<String> = sections
        .map(|section| section.text.replace("\r\n", "\n"))
        .collect();
    let files = shown.attachments.iter().map(|attached| Attachment {
        name: crate::attachment::safe_name(attached),
        octets: attached.content.clone(),
    });
    Letter {
        to: lines(&shown.to),
        cc: lines(&shown.cc),
        bcc: bcc.map(str::to_owned).collect(),
        subject: shown.subject.clone(),
        body: texts.join("\n"),
        attachments: files.collect(),
        in_reply_to: shown.references.last().cloned(),
        references: shown.references.clone(),
    }
}

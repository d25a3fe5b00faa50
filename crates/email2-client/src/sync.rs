//! What is new in a mailbox since one looked last, and waiting for it.

use std::time::Duration;

use crate::Client;
use crate::imap::{ImapError, Mailboxes, Opened};
use crate::inbox::{self, Entry};

/// Where one stopped looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// UIDs are comparable while this stays the same (RFC 3501 §2.3.1.1).
    pub uid_validity: u32,
    /// The first UID that was not there yet.
    pub uid_next: u32,
}

/// What is new.
#[derive(Clone, Debug)]
pub struct News {
    /// The new messages, oldest first.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub mark: Mark,
}

/// What came into `mailbox` since `mark`; without one, or when the mailbox was made anew, all of
/// it. When nothing did, waits for it, at most for `wait`.
///
/// # Errors
/// See [`ImapError`].
pub async fn news(
    client: &Client,
    mailbox: &str,
    mark: Option<Mark>,
    wait: Duration,
) -> Result<News, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let mut opened = mailboxes.select(mailbox).await?;
    let mut uids = since(&mut mailboxes, opened, mark).await?;
    if uids.is_empty() && !wait.is_zero() && mailboxes.wait(wait).await? {
        opened = mailboxes.select(mailbox).await?;
        uids = since(&mut mailboxes, opened, mark).await?;
    }
    let entries = inbox::entries(&mut mailboxes, opened, &uids).await?;
    mailboxes.close().await;
    let next = uids.last().map_or(0, |last| last.saturating_add(1));
    Ok(News {
        entries,
        mark: Mark {
            uid_validity: opened.uid_validity,
            uid_next: next.max(opened.uid_next),
        },
    })
}

async fn since(
    mailboxes: &mut Mailboxes,
    opened: Opened,
    mark: Option<Mark>,
) -> Result<Vec<u32>, ImapError> {
    let comparable = mark.filter(|mark| mark.uid_validity == opened.uid_validity);
    let first = comparable.map_or(1, |mark| mark.uid_next);
    let mut uids = mailboxes.uids().await?;
    uids.retain(|uid| *uid >= first);
    Ok(uids)
}

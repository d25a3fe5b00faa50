//! Whom the person knows. With `strangers = requests` the mail of everybody else waits in
//! Requests; who is accepted, or written to, waits no longer (spec §10.5).

use email2::Address;

use crate::Client;
use crate::imap::{ImapError, Mailboxes};
use crate::inbox::{self, Descent};
use crate::settings::{self, Setting, SettingError};

/// The mailbox where strangers' mail waits (spec §10.5).
pub const REQUESTS: &str = "Requests";

/// Messages moved at once, at most: more wait for the next time.
const MOVED: usize = 1_000;

/// What accepting came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Accepted {
    /// They were no contact before.
    pub is_new: bool,
    /// Messages that waited and are in the Inbox now.
    pub moved: usize,
}

/// Makes somebody a contact: an address, `@domain` or a pattern. What waits from an address is
/// moved to the Inbox.
///
/// # Errors
/// See [`SettingError`].
pub async fn accept(client: &Client, who: &str) -> Result<Accepted, SettingError> {
    let is_new = settings::add(client, Setting::Contacts, who).await?;
    let Ok(address) = Address::parse(who.trim()) else {
        return Ok(Accepted { is_new, moved: 0 });
    };
    let mut mailboxes = Mailboxes::open(client).await?;
    let moved = admit(&mut mailboxes, &address).await;
    mailboxes.close().await;
    Ok(Accepted {
        is_new,
        moved: moved?,
    })
}

/// The person wrote to these: where strangers' mail waits, theirs does no longer.
///
/// # Errors
/// See [`SettingError`].
pub async fn wrote_to(client: &Client, whom: &[Address]) -> Result<(), SettingError> {
    if whom.is_empty() {
        return Ok(());
    }
    let mut mailboxes = Mailboxes::open(client).await?;
    let befriended = befriend(&mut mailboxes, whom).await;
    mailboxes.close().await;
    befriended
}

async fn befriend(mailboxes: &mut Mailboxes, whom: &[Address]) -> Result<(), SettingError> {
    if settings::read(mailboxes, Setting::Strangers).await? != ["requests"] {
        return Ok(());
    }
    let mut new = Vec::new();
    settings::rewrite(mailboxes, Setting::Contacts, |contacts| {
        for address in whom {
            let line = address.to_string();
            if !contacts.contains(&line) {
                contacts.push(line);
                new.push(address.clone());
            }
        }
        !new.is_empty()
    })
    .await?;
    for address in &new {
        admit(mailboxes, address).await?;
    }
    Ok(())
}

/// The name of the mailbox of requests; `None` while nothing ever waited.
///
/// # Errors
/// See [`ImapError`].
pub async fn existing_requests(client: &Client) -> Result<Option<String>, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let all = mailboxes.list().await?;
    mailboxes.close().await;
    let mut names = all.into_iter().map(|listed| listed.name);
    Ok(names.find(|name| name == REQUESTS))
}

/// Moves what waits from this verified author to the Inbox; how many messages.
async fn admit(mailboxes: &mut Mailboxes, author: &Address) -> Result<usize, ImapError> {
    let opened = match mailboxes.select(REQUESTS).await {
        Err(ImapError::NoMailbox(_)) => return Ok(0),
        opened => opened?,
    };
    let author = author.to_string();
    let mut theirs = Vec::new();
    let mut descent = Descent::new(opened, None, "ALL");
    while theirs.len() < MOVED {
        let uids = descent.next(mailboxes).await?;
        if uids.is_empty() {
            break;
        }
        // From is compared here, not by SEARCH, which looks for a part of the field.
        let entries = inbox::entries(mailboxes, opened, &uids).await?;
        let by_author = |entry: &&inbox::Entry| entry.from.as_deref() == Some(author.as_str());
        let found = entries.iter().filter(by_author);
        theirs.extend(found.filter_map(|entry| entry.id.parse::<u32>().ok()));
    }
    mailboxes.move_to(&theirs, "INBOX").await?;
    Ok(theirs.len())
}

//! Finds messages: what the server can say of them it is asked, what stands inside their
//! protection is opened and compared here. The cost is bounded, and what was left out is said.

mod query;

use email2::secret::SecretKey;
use serde::Serialize;

use crate::Client;
use crate::imap::{ImapError, Mailboxes};
use crate::inbox::{self, Descent, Entry, inside};
use crate::read::{Person, Shown};

pub use query::{Query, QueryError};

/// Lines fetched by one command.
const LINES: usize = 50;

/// What a search may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Messages found at most.
    pub results: usize,
    /// Messages looked at, at most.
    pub looked_at: usize,
    /// Only those older than the message of this id.
    pub before: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The messages, newest first; subject as its protection holds it.
    pub messages: Vec<Entry>,
    /// How many were looked at.
    pub looked_at: usize,
    /// How many of those could not be opened and were judged by what stands outside.
    pub closed: usize,
    /// Where to go on (`before`); `None` when all were looked at.
    pub go_on_before: Option<String>,
}

/// Searches a mailbox, the newest first. Encrypted messages are opened with `key`.
///
/// # Errors
/// See [`ImapError`].
pub async fn search(
    client: &Client,
    key: Option<&SecretKey>,
    mailbox: &str,
    query: &Query,
    bounds: &Bounds,
) -> Result<Found, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let opened = mailboxes.select(mailbox).await?;
    let before = bounds.before.as_deref();
    let before = before.map(|id| inbox::uid_of(id, opened)).transpose()?;
    let mut descent = Descent::new(opened, before, &query.criteria());
    let mut found = Found::default();
    'search: loop {
        let uids = descent.next(&mut mailboxes).await?;
        if uids.is_empty() {
            found.go_on_before = None;
            break;
        }
        for some in uids.chunks(LINES) {
            let lines = inbox::entries(&mut mailboxes, opened, some).await?;
            for entry in lines.into_iter().rev() {
                if found.is_at(bounds) {
                    break 'search;
                }
                found
                    .look_at(client, &mut mailboxes, key, query, entry)
                    .await?;
            }
        }
    }
    mailboxes.close().await;
    Ok(found)
}

impl Found {
    fn is_at(&self, bounds: &Bounds) -> bool {
        self.messages.len() >= bounds.results || self.looked_at >= bounds.looked_at
    }

    async fn look_at(
        &mut self,
        client: &Client,
        mailboxes: &mut Mailboxes,
        key: Option<&SecretKey>,
        query: &Query,
        mut entry: Entry,
    ) -> Result<(), ImapError> {
        self.looked_at += 1;
        self.go_on_before = Some(entry.id.clone());
        if !query.fits(&entry) {
            return Ok(());
        }
        if !query.looks_inside() {
            self.messages.push(entry);
            return Ok(());
        }
        let texts = match inside::open(client, mailboxes, &entry, key).await? {
            Some(shown) => {
                entry.subject.clone_from(&shown.subject);
                Texts::of(&shown)
            }
            None => {
                self.closed += 1;
                Texts::outside(&entry)
            }
        };
        if query.matches(&texts) {
            self.messages.push(entry);
        }
        Ok(())
    }
}

/// What a message says, in lower case.
#[derive(Clone, Debug, Default)]
struct Texts {
    from: String,
    to: String,
    subject: String,
    body: String,
}

impl Texts {
    fn of(shown: &Shown) -> Texts {
        let people = |people: &[Person]| -> String {
            let lines: Vec<String> = people.iter().map(Person::line).collect();
            lines.join("\n").to_lowercase()
        };
        let sections = shown.sections.iter();
        let body: Vec<&str> = sections.map(|section| section.text.as_str()).collect();
        Texts {
            from: people(shown.from.as_slice()),
            to: people(&[shown.to.as_slice(), &shown.cc].concat()),
            subject: shown.subject.to_lowercase(),
            body: body.join("\n").to_lowercase(),
        }
    }

    fn outside(entry: &Entry) -> Texts {
        let from = [entry.name.as_deref(), entry.from.as_deref()];
        let from: Vec<&str> = from.into_iter().flatten().collect();
        Texts {
            from: from.join(" ").to_lowercase(),
            subject: entry.subject.to_lowercase(),
            ..Texts::default()
        }
    }
}

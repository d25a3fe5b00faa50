//! What is in a mailbox: one line a message, and a message whole.

mod descent;
pub(crate) mod inside;

use std::collections::BTreeSet;

use email2::header::parse_from;
use email2::skeleton;
use email2::verdict::Provenance;
use mail_parser::{MessageParser, MimeHeaders as _};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::Client;
use crate::imap::{ImapError, Item, Mailboxes, Opened};
use crate::way::{self, Checked, Step};
pub(crate) use descent::Descent;

/// What is asked of every message in a list; octets of its header at most.
const LINE: &str = "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (EMAIL2-VERDICT FROM TO SUBJECT DATE CONTENT-TYPE)]<0.65536>";

/// What is asked of a message whose line was not understood: one thing, simply.
const SIMPLY: &str = "BODY.PEEK[HEADER]<0.65536>";

/// The verdict of a message that its server has and that cannot be read.
const UNREADABLE: &str = "unreadable";

/// What is asked of a message that is read.
const WHOLE: &str = "FLAGS BODY.PEEK[]";

/// The keyword that the server alone sets (spec §10.3).
const VERIFIED: &str = "$Email2Verified";

/// The field that the server makes when it gives a message (spec §10.3), as its first.
const VERDICT_FIELD: &str = email2::capability::VERDICT_FIELD;

/// A message in a list. Texts are the author's: whoever prints them escapes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Names the message within its mailbox, as long as the mailbox is not made anew: its UID.
    /// What is kept for longer is `UIDVALIDITY.UID`, which [`fetch`] and [`mark`] take as well.
    pub id: String,
    /// UIDVALIDITY of the mailbox (RFC 3501 §2.3.1.1).
    pub uid_validity: u32,
    /// Whether the server proved who wrote it.
    pub verified: bool,
    /// The author whom a mediator of the reader's checked, and which one: a class below.
    pub checked: Option<Checked>,
    /// The way that it took, from its author on; empty when it came directly.
    pub way: Vec<Step>,
    /// The server's verdict in words.
    pub verdict: String,
    /// The author's address; `None` when From is not exactly one.
    pub from: Option<String>,
    /// The author's name, as the author writes it.
    pub name: Option<String>,
    /// Subject; of encrypted mail what stands outside.
    pub subject: String,
    /// When the server took it, RFC 3339.
    pub received: Option<String>,
    /// Octets.
    pub size: u64,
    /// It was read.
    pub seen: bool,
    /// It was answered.
    pub answered: bool,
    /// It is encrypted: more is seen when it is read.
    pub encrypted: bool,
}

/// A message as its server gives it.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Its id, `UIDVALIDITY.UID`: it names this message or none.
    pub id: String,
    /// All of it, with the server's verdict as its first field.
    pub octets: Vec<u8>,
    /// It was read before.
    pub seen: bool,
}

/// Which messages of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many.
    pub limit: usize,
    /// Only those older than the message of this id.
    pub before: Option<String>,
}

/// The newest messages of `mailbox`, at most `limit`, the newest first.
///
/// # Errors
/// See [`ImapError`].
pub async fn list(client: &Client, mailbox: &str, limit: usize) -> Result<Vec<Entry>, ImapError> {
    let before = None;
    page(client, mailbox, &Page { limit, before }).await
}

/// A page of `mailbox`, the newest first. What it costs does not grow with the mailbox.
///
/// # Errors
/// See [`ImapError`].
pub async fn page(client: &Client, mailbox: &str, page: &Page) -> Result<Vec<Entry>, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let opened = mailboxes.select(mailbox).await?;
    let entries = newest(&mut mailboxes, opened, page).await?;
    mailboxes.close().await;
    Ok(entries)
}

/// A page of the mailbox that is open, the newest first.
pub(crate) async fn newest(
    mailboxes: &mut Mailboxes,
    opened: Opened,
    page: &Page,
) -> Result<Vec<Entry>, ImapError> {
    let before = page.before.as_deref().map(|id| uid_of(id, opened));
    let mut descent = Descent::new(opened, before.transpose()?, "ALL");
    let mut newest = Vec::new();
    while newest.len() < page.limit {
        let uids = descent.next(mailboxes).await?;
        if uids.is_empty() {
            break;
        }
        newest.extend(uids);
    }
    newest.truncate(page.limit);
    let mut entries = entries(mailboxes, opened, &newest).await?;
    entries.reverse();
    Ok(entries)
}

/// The UID that `id` names in the mailbox that is open.
pub(crate) fn uid_of(id: &str, opened: Opened) -> Result<u32, ImapError> {
    Name::parse(id)?.uid_in(opened)
}

/// One message of `mailbox`, whole.
///
/// # Errors
/// See [`ImapError`]; [`ImapError::NoMessage`] when there is none.
pub async fn fetch(client: &Client, mailbox: &str, id: &str) -> Result<Whole, ImapError> {
    let name = Name::parse(id)?;
    let mut mailboxes = Mailboxes::open(client).await?;
    let opened = mailboxes.select(mailbox).await?;
    let uid = name.uid_in(opened)?;
    let found = mailboxes.fetch(&[uid], WHOLE).await?.pop();
    mailboxes.close().await;
    let none = || ImapError::NoMessage(id.to_owned());
    let item = found.ok_or_else(none)?;
    Ok(Whole {
        id: format!("{}.{uid}", opened.uid_validity),
        seen: item.has("\\Seen"),
        octets: item.octets.ok_or_else(none)?,
    })
}

/// Notes of a message that it was read, or with `flag` another thing, as `\Answered`.
///
/// # Errors
/// See [`ImapError`].
pub async fn mark(client: &Client, mailbox: &str, id: &str, flag: &str) -> Result<(), ImapError> {
    let name = Name::parse(id)?;
    let mut mailboxes = Mailboxes::open(client).await?;
    let opened = mailboxes.select(mailbox).await?;
    let uid = name.uid_in(opened)?;
    let marked = mailboxes.flag(uid, flag).await;
    mailboxes.close().await;
    marked
}

/// The lines for these messages of the mailbox that is open, in the order of their UIDs. One that
/// is not understood does not take others with it: it is asked for again, simply, and listed as
/// unreadable when that is not understood either.
pub(crate) async fn entries(
    mailboxes: &mut Mailboxes,
    opened: Opened,
    uids: &[u32],
) -> Result<Vec<Entry>, ImapError> {
    let mut items = mailboxes.fetch(uids, LINE).await?;
    let mut unread = missing(uids, &items);
    if !unread.is_empty() {
        items.extend(mailboxes.fetch(&unread, SIMPLY).await?);
        let there = mailboxes.uids().await?;
        unread = missing(uids, &items);
        unread.retain(|uid| there.binary_search(uid).is_ok());
    }
    items.extend(unread.into_iter().map(|uid| Item {
        uid,
        ..Item::default()
    }));
    items.sort_by_key(|item| item.uid);
    Ok(items.iter().map(|item| entry(item, opened)).collect())
}

fn missing(uids: &[u32], items: &[Item]) -> Vec<u32> {
    let found: BTreeSet<u32> = items.iter().map(|item| item.uid).collect();
    let missing = uids.iter().filter(|uid| !found.contains(uid));
    missing.copied().collect()
}

/// How a message is named: by its UID, with or without the mailbox's UIDVALIDITY in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    uid_validity: Option<u32>,
    uid: u32,
}

impl Name {
    fn parse(id: &str) -> Result<Name, ImapError> {
        let none = |_| ImapError::NoMessage(id.escape_default().to_string());
        let (uid_validity, uid) = match id.split_once('.') {
            Some((validity, uid)) => (Some(validity.parse().map_err(none)?), uid),
            None => (None, id),
        };
        let uid = uid.parse().map_err(none)?;
        Ok(Name { uid_validity, uid })
    }

    /// The UID, if it still names what it named: in a mailbox that was made anew it would name
    /// another message.
    fn uid_in(self, opened: Opened) -> Result<u32, ImapError> {
        match self.uid_validity {
            Some(validity) if validity != opened.uid_validity => {
                Err(ImapError::NoMessage(format!("{validity}.{}", self.uid)))
            }
            _ => Ok(self.uid),
        }
    }
}

fn entry(item: &Item, opened: Opened) -> Entry {
    let header = item.octets.as_deref().unwrap_or_default();
    let fields = Fields::read(header);
    let unreadable = item.octets.is_none().then(|| UNREADABLE.to_owned());
    let words = fields.verdict.or(unreadable).unwrap_or_default();
    let provenance: Option<Provenance> = words.parse().ok();
    let proved = match &provenance {
        Some(Provenance::Verified { author, .. }) => Some(author.to_string()),
        _ => None,
    };
    let checked = provenance.as_ref().and_then(Checked::of);
    let from = fields.from.as_deref();
    Entry {
        id: item.uid.to_string(),
        uid_validity: opened.uid_validity,
        verified: item.has(VERIFIED) && is_about(proved.as_deref(), from),
        checked: checked.filter(|checked| is_about(Some(&checked.author), from)),
        way: provenance.as_ref().map(way::of).unwrap_or_default(),
        verdict: words,
        from: fields.from,
        name: fields.name,
        subject: fields.subject,
        received: item.internal_date.as_deref().and_then(rfc3339),
        size: item.size,
        seen: item.has("\\Seen"),
        answered: item.has("\\Answered"),
        encrypted: fields.encrypted,
    }
}

/// The verdict is about one author: it holds for no other that is shown.
fn is_about(proved: Option<&str>, shown: Option<&str>) -> bool {
    proved.is_some() && proved == shown
}

/// What a list needs of a header.
#[derive(Default)]
struct Fields {
    verdict: Option<String>,
    from: Option<String>,
    name: Option<String>,
    subject: String,
    encrypted: bool,
}

impl Fields {
    /// Reads a header that its server cut to the fields asked for. One that passes a bound shows
    /// nothing but what the server says of it.
    fn read(header: &[u8]) -> Fields {
        let verdict = verdict(header);
        let parsed = match skeleton::Skeleton::check(header) {
            Ok(()) => MessageParser::new().parse_headers(header),
            Err(_) => None,
        };
        let Some(parsed) = parsed else {
            return Fields {
                verdict,
                ..Fields::default()
            };
        };
        let author = parsed
            .header_raw("From")
            .and_then(|value| parse_from(value.trim_end().as_bytes()).ok());
        let encrypted = parsed.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("multipart")
                && kind
                    .subtype()
                    .is_some_and(|subtype| subtype.eq_ignore_ascii_case("encrypted"))
        });
        Fields {
            verdict,
            from: author.as_ref().map(|author| author.address.to_string()),
            name: author.and_then(|author| author.display_name),
            subject: parsed.subject().unwrap_or_default().to_owned(),
            encrypted,
        }
    }
}

/// The server's field, which stands first.
fn verdict(header: &[u8]) -> Option<String> {
    let end = header.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(header.get(..end)?).ok()?;
    let (name, words) = line.split_once(':')?;
    name.eq_ignore_ascii_case(VERDICT_FIELD)
        .then(|| words.trim().to_owned())
}

/// An IMAP date-time (`" 1-Nov-2026 10:00:00 +0000"`) in RFC 3339, UTC.
fn rfc3339(date_time: &str) -> Option<String> {
    let form = time::macros::format_description!(
        "[day padding:none]-[month repr:short]-[year] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    let parsed = time::OffsetDateTime::parse(date_time.trim_start(), form).ok()?;
    parsed.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(header: &str, flags: &[&str]) -> Item {
        Item {
            uid: 7,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            octets: Some(header.as_bytes().to_vec()),
            ..Item::default()
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let time = rfc3339(" 1-Nov-2026 10:00:00 +0100");
        assert_eq!(time.as_deref(), Some("2026-11-01T09:00:00Z"));
        assert_eq!(rfc3339("yesterday"), None);
    }

    #[test]
    fn a_line_is_read_and_proves_nothing_by_itself() {
        let header = "Email2-Verdict: nonsense\r\nFrom: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/encrypted; boundary=x\r\n\r\n";
        let item = item(header, &["$Email2Verified", "\\Seen"]);
        let entry = entry(&item, Opened::default());
        assert_eq!(entry.from.as_deref(), Some("bob@example.org"));
        assert_eq!(entry.name.as_deref(), Some("Bob"));
        assert_eq!(entry.subject, "Gr\u{fc}\u{df}e");
        assert!(entry.encrypted && entry.seen);
        assert!(!entry.verified, "the words do not say who was proved");
    }

    #[test]
    fn i05_an_id_names_one_message_or_none() {
        let opened = Opened {
            uid_validity: 7,
            ..Opened::default()
        };
        let named = |id: &str| Name::parse(id).and_then(|name| name.uid_in(opened)).ok();
        assert_eq!(named("17"), Some(17));
        assert_eq!(named("7.17"), Some(17));
        assert_eq!(named("8.17"), None, "the mailbox was made anew");
        for wrong in ["1:*", "", "7.", "7.1.2", "-1"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_message_that_is_not_understood_is_listed_as_such() {
        let asked = [1, 2, 3];
        let understood = [1, 3].map(|uid| Item {
            uid,
            ..Item::default()
        });
        assert_eq!(missing(&asked, &understood), [2]);
        let entry = entry(&Item::default(), Opened::default());
        assert_eq!(
            (entry.verdict.as_str(), entry.verified),
            ("unreadable", false)
        );
    }
}

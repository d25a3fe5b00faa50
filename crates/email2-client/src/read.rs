//! A message is read: what its server proved, what its own protection proves,
//! and what it says (spec §5.6, §5.7). Nothing here reaches out: nothing remote
//! is loaded, no key is imported, no file is opened.

mod charset;
mod checks;
mod event;
mod known;
mod known_keys;
mod list;
mod part;
mod person;
mod report;
mod standing;
mod verdict;

use email2::Address;
use email2::content::{ContentError, Differing, Reader, Reading, Warning, unprotect};
use email2::header::parse_from;
use mail_parser::MessageParser;
use serde::Serialize;

pub use known::open;
pub use list::{Leave, MailingList};
use part::Found;
pub use part::{Attached, Section};
pub use person::Person;
pub use standing::Protection;
pub use verdict::Verdict;

/// A message as it is shown. Texts are as the author wrote them: whoever prints
/// them escapes them (`display`).
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// What the reader's server proved when it took the message in.
    pub verdict: Verdict,
    /// What that server found out about the way of ordinary mail (SPF, DKIM, DMARC), in words.
    pub checks: Option<String>,
    /// What the message's own protection proves.
    pub protection: Protection,
    /// The author; `None` when there is not exactly one address in From.
    pub from: Option<Person>,
    /// Everybody whom From names, where that is not exactly one: nobody of them is the author.
    pub named: Vec<Person>,
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Where the author wants answers.
    pub reply_to: Vec<Person>,
    /// Subject, decoded.
    pub subject: String,
    /// Date, as written.
    pub date: String,
    /// Message-ID without brackets.
    pub message_id: Option<String>,
    /// The thread: Message-IDs without brackets, oldest first.
    pub references: Vec<String>,
    /// The texts, in order: shown apart, with a line between.
    pub sections: Vec<Section>,
    /// Everything else: saved, never opened by itself.
    pub attachments: Vec<Attached>,
    /// The mailing list that it came by, as that says itself.
    pub list: Option<MailingList>,
    /// What the reader must be told.
    pub notes: Vec<String>,
    /// Outer fields that say something else than the protected ones.
    pub differing: Vec<Difference>,
    /// All fields of the header shown, in order, raw.
    pub header: Vec<(String, String)>,
}

/// An outer field that differs (spec §5.6.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field.
    pub name: String,
    /// What is protected.
    pub inner: String,
    /// What stood outside.
    pub outer: String,
    /// Whether the author meant it so.
    pub intended: bool,
}

/// Opens a message as the server gave it.
///
/// # Errors
/// [`ContentError`]: it is not for these keys, damaged, or passes a bound.
pub fn read(raw: &[u8], reader: &Reader<'_>) -> Result<Shown, ContentError> {
    let (verdict, message) = Verdict::take(raw);
    let reading = unprotect(message, reader)?;
    let checks = verdict.is_ordinary().then(|| checks::words(message));
    Ok(Shown {
        checks: checks.flatten(),
        list: list::of(message),
        ..show(verdict, &reading)
    })
}

/// The address in From of a message as the server gave it: whose certificate a
/// reader needs. It proves nothing yet.
pub fn author(raw: &[u8]) -> Option<Address> {
    let (_, message) = Verdict::take(raw);
    let scanned = email2::scan::Scan::whole(false, message).ok()?;
    Some(scanned.header.from.ok()?.address)
}

fn show(verdict: Verdict, reading: &Reading) -> Shown {
    let section = header_section(reading);
    // `None`: there is no field at all. An empty `Message` would not do in its place: the
    // parser's accessors take it for granted that a message has a part.
    let parsed = MessageParser::new().parse_headers(&section);
    let parsed = parsed.as_ref();
    let found = match report::status(&verdict, &reading.body) {
        Some(status) => Found::only(status),
        None => part::take_apart(&reading.body),
    };
    let from = only_author(reading);
    let from =
        from.map(|from| Person::new(from.display_name.as_deref(), &from.address.to_string()));
    let list = |name: &str| parsed.map_or(Vec::new(), |parsed| person::list(parsed, name));
    let subject = parsed.and_then(|parsed| parsed.subject());
    let reply_to = list("Reply-To");
    let notes = notes(reading, from.as_ref(), &reply_to, &found);
    Shown {
        checks: None,
        protection: Protection::of(reading),
        to: list("To"),
        cc: list("Cc"),
        subject: subject.unwrap_or_default().to_owned(),
        date: text_of(reading, "Date"),
        message_id: ids(reading, "Message-ID").pop(),
        references: thread(reading),
        named: match &from {
            Some(_) => Vec::new(),
            None => list("From"),
        },
        differing: reading.differing_outer.iter().map(difference).collect(),
        header: header(reading),
        verdict: verdict.for_author(from.as_ref()),
        from,
        reply_to,
        list: None,
        sections: found.sections,
        attachments: found.attachments,
        notes,
    }
}

/// The header shown, as a section of its own: the body is not parsed again for its sake.
fn header_section(reading: &Reading) -> Vec<u8> {
    let mut section = Vec::new();
    for field in &reading.header {
        section.extend_from_slice(field.name.as_bytes());
        section.push(b':');
        section.extend_from_slice(&field.value);
        section.extend_from_slice(b"\r\n");
    }
    section.extend_from_slice(b"\r\n");
    section
}

/// The one From field, if it is one mailbox: with two, one would be checked and
/// the other shown.
fn only_author(reading: &Reading) -> Option<email2::header::From> {
    let mut named = reading
        .header
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("From"));
    let only = named.next().filter(|_| named.next().is_none())?;
    parse_from(&only.value).ok()
}

fn text_of(reading: &Reading, name: &str) -> String {
    let value = reading.field(name).unwrap_or_default();
    String::from_utf8_lossy(value).trim().to_owned()
}

fn header(reading: &Reading) -> Vec<(String, String)> {
    let field = |field: &email2::content::Field| {
        let value = String::from_utf8_lossy(&field.value);
        (field.name.clone(), value.trim().to_owned())
    };
    reading.header.iter().map(field).collect()
}

/// References, or In-Reply-To where there are none (RFC 5322 §3.6.4).
fn thread(reading: &Reading) -> Vec<String> {
    let references = ids(reading, "References");
    if references.is_empty() {
        ids(reading, "In-Reply-To")
    } else {
        references
    }
}

/// What stands in angle brackets and can stand there again.
fn ids(reading: &Reading, name: &str) -> Vec<String> {
    let text = text_of(reading, name);
    let inside = text
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'));
    let plain = |id: &&str| {
        !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>'))
    };
    inside
        .map(|(id, _)| id)
        .filter(plain)
        .map(str::to_owned)
        .collect()
}

fn difference(differing: &Differing) -> Difference {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    Difference {
        name: differing.name.clone(),
        inner: text(&differing.inner),
        outer: text(&differing.outer),
        intended: differing.intended,
    }
}

fn notes(
    reading: &Reading,
    from: Option<&Person>,
    reply_to: &[Person],
    found: &Found,
) -> Vec<String> {
    let mut notes: Vec<String> = reading.warnings.iter().map(warning).collect();
    let Some(from) = from else {
        notes.push("this message names no author".to_owned());
        return notes;
    };
    notes.extend(from.note.clone());
    // Spec §5.7.4.
    for other in reply_to
        .iter()
        .filter(|other| other.domain() != from.domain())
    {
        notes.push(format!(
            "answers are wanted at another domain: {}",
            other.address
        ));
    }
    let changed = reading
        .differing_outer
        .iter()
        .filter(|differing| !differing.intended);
    for differing in changed {
        notes.push(format!(
            "{} was changed on the way; the protected one is shown",
            differing.name
        ));
    }
    notes.extend(event::organizers(&found.sections, &from.address));
    if found.damaged {
        notes.push("this message is damaged: a part of it lacks its end".to_owned());
    }
    let mut texts = found.sections.iter();
    if texts.all(|section| section.text.trim().is_empty()) {
        notes.push(empty(&found.attachments).to_owned());
    }
    notes
}

fn empty(attachments: &[Attached]) -> &'static str {
    let tnef = ["application/ms-tnef", "application/vnd.ms-tnef"];
    if attachments
        .iter()
        .any(|file| tnef.contains(&file.kind.as_str()))
    {
        "this message keeps its text in Microsoft's winmail.dat; save it or ask for plain mail"
    } else {
        "this message has no text"
    }
}

fn warning(warning: &Warning) -> String {
    match warning {
        Warning::IntendedRecipientMissing => "this was not written to your key: someone may have \
            given the author a false key for you; compare your fingerprints"
            .to_owned(),
        Warning::NoIntendedRecipients => {
            "the author's program did not say for whose key this was written".to_owned()
        }
        Warning::OtherFrom { inner } => {
            format!("attached is what {inner} once wrote; this message is not theirs")
        }
        Warning::NestedProtection => "signed or encrypted parts inside are kept closed; their \
            signatures say nothing about this message"
            .to_owned(),
        Warning::Repaired => "a server on the way changed the form of this message, as Exchange \
            does; it was put right to be read"
            .to_owned(),
        _ => "this message has a trait that this program does not know".to_owned(),
    }
}

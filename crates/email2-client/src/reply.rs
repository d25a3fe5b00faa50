//! An answer is made of a message that was read (RFC 5322 §3.6.4).

use email2::Address;

use crate::read::{Person, Shown};
use crate::send::compose::{Attachment, Letter};

/// Longest subject that is taken over, characters.
const SUBJECT_CHARACTERS: usize = 500;

/// What the person wants.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Answer everybody who was written to.
    pub all: bool,
    /// Quote the text.
    pub quote: bool,
    /// Answer at the Reply-To address although it is in another domain.
    pub follow_reply_to: bool,
    /// The answer.
    pub body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// An answer to be sent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The letter.
    pub letter: Letter,
    /// Whether the message answered was encrypted: then the answer, which may
    /// quote it, is encrypted or not sent.
    pub encrypt: bool,
    /// What the person must be told.
    pub notes: Vec<String>,
}

/// Why there can be no answer. Sysexits 65.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// Nobody is named in From.
    #[error("this message names no author; answer with: email2 send --to ADDRESS")]
    NoAuthor,
}

/// Makes the answer. It quotes only texts that are shown: nothing that was
/// closed, attached or decrypted out of a part (spec §5.6.2).
///
/// # Errors
/// [`ReplyError`].
pub fn reply(answered: &Shown, me: &Address, ask: Ask) -> Result<Reply, ReplyError> {
    let author = answered.from.as_ref().ok_or(ReplyError::NoAuthor)?;
    let mut notes = Vec::new();
    let mut to = wanted(answered, author, ask.follow_reply_to, &mut notes);
    let mut cc = Vec::new();
    if ask.all {
        to.extend(answered.to.iter().map(Person::recipient));
        cc.extend(answered.cc.iter().map(Person::recipient));
    }
    let mut seen = vec![me.to_string()];
    keep_new(&mut to, &mut seen);
    keep_new(&mut cc, &mut seen);
    if to.is_empty() && cc.is_empty() {
        to = vec![author.address.clone()];
    }
    let quoted = if ask.quote {
        quoted(answered, author)
    } else {
        String::new()
    };
    let mut references = answered.references.clone();
    references.extend(answered.message_id.clone());
    let letter = Letter {
        to,
        cc,
        subject: subject(&answered.subject),
        body: ask.body + &quoted,
        attachments: ask.attachments,
        in_reply_to: answered.message_id.clone(),
        references,
        ..Letter::default()
    };
    Ok(Reply {
        letter,
        encrypt: answered.protection.encrypted,
        notes,
    })
}

/// The author, or where the author wants answers when that is in the same
/// domain; another domain is announced, and used only on demand (spec §5.7.4).
fn wanted(answered: &Shown, author: &Person, follow: bool, notes: &mut Vec<String>) -> Vec<String> {
    let elsewhere = |other: &&Person| other.domain() != author.domain();
    let others: Vec<&Person> = answered.reply_to.iter().filter(elsewhere).collect();
    for other in &others {
        let done = if follow {
            "the answer goes"
        } else {
            "the answer does not go"
        };
        notes.push(format!(
            "the author wants answers at another domain, {}; {done} there",
            other.address
        ));
    }
    if answered.reply_to.is_empty() || (!others.is_empty() && !follow) {
        return vec![author.recipient()];
    }
    answered.reply_to.iter().map(Person::recipient).collect()
}

/// Leaves out whoever was seen before.
fn keep_new(people: &mut Vec<String>, seen: &mut Vec<String>) {
    people.retain(|person| {
        let bare = person
            .rsplit_once('<')
            .map_or(person.as_str(), |(_, rest)| rest);
        let bare = bare.trim_end_matches('>').to_owned();
        let new = !seen.contains(&bare);
        seen.push(bare);
        new
    });
}

/// `Re:` once; a line break in an encoded subject becomes a space and never a
/// header line.
fn subject(answered: &str) -> String {
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    let subject: String = answered
        .chars()
        .map(one_line)
        .take(SUBJECT_CHARACTERS)
        .collect();
    let subject = subject.trim();
    let is_reply = subject
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    if is_reply {
        subject.to_owned()
    } else {
        format!("Re: {subject}")
    }
}

fn quoted(answered: &Shown, author: &Person) -> String {
    let mut out = format!("\n\n{} wrote:\n", author.line());
    for section in &answered.sections {
        for line in section.text.lines() {
            let mark = if line.starts_with('>') { ">" } else { "> " };
            out.push_str(mark);
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

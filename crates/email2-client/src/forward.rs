//! A message that was read is given on to others, as its reader saw it (spec §5.6.2).

use crate::attachment::safe_name;
use crate::read::{Person, Shown};
use crate::send::compose::{Attachment, Letter};

/// Longest line that is taken over from the header, characters.
const LINE_CHARACTERS: usize = 500;

/// What is given on.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The letter.
    pub letter: Letter,
    /// Whether the message was encrypted: then it is given on encrypted or not at all.
    pub encrypt: bool,
}

/// Puts a message below the text of `letter`, and its files to the letter's. Only texts that are
/// shown are quoted: a part that is closed stays a closed file, and nothing is decrypted out of it.
/// The letter is its sender's: what the reader's server proved is told, and proves nothing further.
#[must_use]
pub fn forward(message: &Shown, letter: Letter) -> Forward {
    let mut letter = letter;
    if letter.subject.is_empty() {
        letter.subject = format!("Fwd: {}", one_line(&message.subject));
    }
    letter.body = format!("{}\n\n{}", letter.body.trim_end(), quoted(message));
    let files = message.attachments.iter().map(|attached| Attachment {
        name: safe_name(attached),
        octets: attached.content.clone(),
    });
    letter.attachments.extend(files);
    Forward {
        letter,
        encrypt: message.protection.encrypted,
    }
}

fn quoted(message: &Shown) -> String {
    let people = |people: &[Person]| {
        let lines: Vec<String> = people.iter().map(Person::line).collect();
        one_line(&lines.join(", "))
    };
    let author = people(message.from.as_slice());
    let proved = match (&message.verdict.author, &message.verdict.checked) {
        (Some(author), _) => format!("my mail server proved that {author} sent it to me"),
        (None, Some(checked)) => format!("{} checked that {} wrote it", checked.by, checked.author),
        (None, None) => "nothing proved to me who wrote it".to_owned(),
    };
    let mut out = format!(
        "---- Forwarded message ({proved}) ----\nFrom: {author}\nTo: {}\nDate: {}\nSubject: {}\n",
        people(&message.to),
        one_line(&message.date),
        one_line(&message.subject),
    );
    for section in &message.sections {
        out.push('\n');
        for line in section.text.lines() {
            out.push_str("> ");
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// A line break that was encoded becomes a space, and never a line of its own.
fn one_line(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.chars().map(visible).take(LINE_CHARACTERS).collect();
    line.trim().to_owned()
}

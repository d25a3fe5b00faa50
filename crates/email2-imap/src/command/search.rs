//! SEARCH (RFC 9051 §6.4.4): keys become a program for a stack machine, so
//! that nothing recurses; messages are read only when their records leave the
//! answer open.

mod header;
mod key;
mod needle;
mod program;
mod text;

use std::collections::VecDeque;

use crate::command::{Input, Run, Step};
use crate::extension::rfc4731::Wanted;
use crate::grammar::{Cursor, Parsed};
use crate::limits;
use crate::request::{Answer, MessageInfo, Request};
use crate::session::Desk;
use crate::structure::Scanner;
use crate::view::Numbers;
use crate::writer::Completion;
use program::{Program, Reading};
use text::Passage;

/// `SEARCH [RETURN (…)] [CHARSET …] keys`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Sequence)
}

/// `UID SEARCH …`
pub(crate) fn parse_uid(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Uid)
}

fn read(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let wanted = Wanted::parse(cursor)?;
    let mut known_charset = true;
    if cursor.skip_word("CHARSET ") {
        let charset = cursor.astring_text()?;
        known_charset = ["US-ASCII", "UTF-8"]
            .iter()
            .any(|known| charset.eq_ignore_ascii_case(known));
        cursor.space()?;
    }
    let program = Program::parse(cursor)?;
    Ok(Box::new(Search {
        numbers,
        wanted,
        known_charset,
        program,
        messages: VecDeque::new(),
        found: Vec::new(),
        reading: None,
    }))
}

#[derive(Debug)]
struct Search {
    numbers: Numbers,
    wanted: Option<Wanted>,
    known_charset: bool,
    program: Program,
    messages: VecDeque<MessageInfo>,
    found: Vec<u32>,
    reading: Option<(Reading, Place)>,
}

/// Where the message in front is being read.
#[derive(Debug)]
enum Place {
    /// All of it in order, for its header and to learn of its parts.
    Structure(Box<Scanner>, u64),
    /// The passages of its parts; in the one in front, from here.
    Passages(VecDeque<Passage>, u64),
}

impl Place {
    /// The octets that are read next; `None` when nothing is left to read.
    fn next(&self, size: u64) -> Option<(u64, usize)> {
        let (from, to) = match self {
            Self::Structure(_, offset) => (*offset, size.max(offset + 1)),
            Self::Passages(passages, offset) => (*offset, passages.front()?.range.end),
        };
        let left = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        Some((from, left.min(limits::CHUNK_OCTETS)))
    }
}

impl Search {
    fn begin(&mut self, desk: &Desk) -> Step {
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        if !self.known_charset {
            let code = "BADCHARSET (US-ASCII UTF-8)";
            return Step::Finish(Completion::no(code, "that charset is not known"));
        }
        if let Err(bad) = self.program.resolve(view) {
            return Step::bad(bad);
        }
        Step::Ask(Request::Messages {
            mailbox: view.mailbox,
            uids: view.uids(),
        })
    }

    /// Judges messages until one must be read.
    fn next(&mut self, desk: &mut Desk) -> Step {
        while let Some(message) = self.messages.front() {
            let reading = self.program.begin(message);
            match self.program.verdict(&reading) {
                None => return self.read(reading, Place::Structure(Box::default(), 0), desk),
                Some(found) => self.judge(found, desk),
            }
        }
        self.finish(desk)
    }

    fn judge(&mut self, found: bool, desk: &Desk) {
        let Some(message) = self.messages.pop_front().filter(|_| found) else {
            return;
        };
        let place = desk
            .view
            .as_ref()
            .and_then(|view| view.sequence_of(message.uid));
        let number = match self.numbers {
            Numbers::Uid => Some(message.uid),
            Numbers::Sequence => place.and_then(|place| u32::try_from(place).ok()),
        };
        self.found.extend(number);
    }

    /// Reads on in the message in front, or judges it when that cannot help.
    fn read(&mut self, mut reading: Reading, place: Place, desk: &mut Desk) -> Step {
        let Some(message) = self.messages.front() else {
            return self.finish(desk);
        };
        let next = place.next(message.size);
        if next.is_none() {
            reading.ended();
        }
        match (self.program.verdict(&reading), next) {
            (None, Some((offset, length))) => {
                let message = message.key;
                self.reading = Some((reading, place));
                Step::Ask(Request::Read {
                    message,
                    offset,
                    length,
                })
            }
            (found, _) => {
                self.judge(found.unwrap_or_default(), desk);
                self.next(desk)
            }
        }
    }

    fn octets(&mut self, octets: &[u8], desk: &mut Desk) -> Step {
        let (Some((mut reading, place)), Some(message)) =
            (self.reading.take(), self.messages.front())
        else {
            return self.next(desk);
        };
        let place = match place {
            Place::Structure(mut scanner, offset) => {
                let had_header = scanner.has_header();
                let header = header_part(&mut scanner, offset, octets);
                reading.header(header);
                let offset = offset + octets.len() as u64;
                let ended = octets.is_empty() || offset >= message.size;
                if !had_header && (scanner.has_header() || ended) {
                    self.program.header_ended(&mut reading, &message.verdict);
                }
                if ended {
                    let structure = scanner.finish(message.size);
                    begin_passage(text::passages(&structure), &mut reading)
                } else {
                    Place::Structure(scanner, offset)
                }
            }
            Place::Passages(passages, offset) => {
                passage_octets(passages, offset, octets, &mut reading)
            }
        };
        self.read(reading, place, desk)
    }

    fn finish(&mut self, desk: &mut Desk) -> Step {
        let found = std::mem::take(&mut self.found);
        let line = match self.wanted {
            Some(wanted) => wanted.write(&desk.tag, self.numbers, &found),
            None => {
                let numbers = found.iter().map(|number| format!(" {number}"));
                std::iter::once("SEARCH".to_owned())
                    .chain(numbers)
                    .collect()
            }
        };
        desk.out.untagged(&line);
        Step::ok("done")
    }
}

/// What of `octets`, which begin at `offset`, belongs to the message's header.
fn header_part<'a>(scanner: &mut Scanner, offset: u64, octets: &'a [u8]) -> &'a [u8] {
    let had_header = scanner.has_header();
    scanner.push(octets);
    if had_header {
        return &[];
    }
    let left = scanner.header_end().map(|end| end.saturating_sub(offset));
    let left = left.and_then(|left| usize::try_from(left).ok());
    left.and_then(|left| octets.get(..left)).unwrap_or(octets)
}

fn begin_passage(passages: VecDeque<Passage>, reading: &mut Reading) -> Place {
    reading.passage();
    let offset = passages.front().map_or(0, |passage| passage.range.start);
    Place::Passages(passages, offset)
}

/// Looks at the next octets of the passage in front.
fn passage_octets(
    mut passages: VecDeque<Passage>,
    offset: u64,
    octets: &[u8],
    reading: &mut Reading,
) -> Place {
    let offset = offset + octets.len() as u64;
    if let Some(passage) = passages.front_mut() {
        reading.text(&passage.text.push(octets));
        if !octets.is_empty() && offset < passage.range.end {
            return Place::Passages(passages, offset);
        }
        reading.text(&passage.text.end());
    }
    passages.pop_front();
    begin_passage(passages, reading)
}

impl Run for Search {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => self.begin(desk),
            Input::Answer(Answer::Messages(messages)) => {
                self.messages = messages.into();
                self.next(desk)
            }
            Input::Answer(Answer::Octets(octets)) => self.octets(&octets, desk),
            // A message that cannot be read is not found.
            Input::Answer(_) if self.reading.take().is_some() => {
                self.messages.pop_front();
                self.next(desk)
            }
            Input::Answer(answer) => desk.refused(answer),
            _ => Step::ok("done"),
        }
    }

    fn may_expunge(&self) -> bool {
        self.numbers == Numbers::Uid
    }
}

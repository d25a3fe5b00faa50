//! SEARCH (RFC 9051 §6.4.4): keys become a program for a stack machine, so
//! that nothing recurses; messages are read only when their records leave the
//! answer open.

mod header;
mod key;
mod needle;
mod program;

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
    reading: Option<(Reading, Scanner, u64)>,
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
                None => return self.ask(reading, Scanner::new(), 0),
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

    fn ask(&mut self, reading: Reading, scanner: Scanner, offset: u64) -> Step {
        let Some(message) = self.messages.front().map(|message| message.key) else {
            return Step::ok("done");
        };
        self.reading = Some((reading, scanner, offset));
        Step::Ask(Request::Read {
            message,
            offset,
            length: limits::CHUNK_OCTETS,
        })
    }

    fn octets(&mut self, octets: &[u8], desk: &mut Desk) -> Step {
        let (Some((mut reading, mut scanner, offset)), Some(message)) =
            (self.reading.take(), self.messages.front())
        else {
            return self.next(desk);
        };
        let (header, body) = split_at_header_end(&mut scanner, offset, octets);
        let offset = offset + octets.len() as u64;
        let ended = octets.is_empty() || offset >= message.size;
        reading.header(header);
        if !header.is_empty() && (scanner.has_header() || ended) {
            self.program.header_ended(&mut reading, &message.verdict);
        }
        reading.body(body);
        if ended {
            reading.ended();
        }
        match self.program.verdict(&reading) {
            None => return self.ask(reading, scanner, offset),
            Some(found) => self.judge(found, desk),
        }
        self.next(desk)
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

/// What of `octets`, which begin at `offset`, belongs to the header and what to
/// the body.
fn split_at_header_end<'a>(
    scanner: &mut Scanner,
    offset: u64,
    octets: &'a [u8],
) -> (&'a [u8], &'a [u8]) {
    if scanner.has_header() {
        return (&[], octets);
    }
    scanner.push(octets);
    let left = scanner.header_end().map(|end| end.saturating_sub(offset));
    let left = left.and_then(|left| usize::try_from(left).ok());
    let at = left.unwrap_or(octets.len());
    octets.split_at_checked(at).unwrap_or((octets, &[]))
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

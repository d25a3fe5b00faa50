//! FETCH (RFC 9051 §6.4.5): each message is looked into only as far as what
//! is asked for needs, and its octets go through in pieces.

mod item;
mod piece;

use std::collections::VecDeque;

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::limits;
use crate::request::{Answer, FlagAction, Flags, MessageInfo, Request};
use crate::sequence_set::SequenceSet;
use crate::session::Desk;
use crate::shown::Shown;
use crate::structure::Scanner;
use crate::view::Numbers;
use crate::writer::Completion;
use item::{Depth, Item};
use piece::Pieces;

/// `FETCH set items`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Sequence)
}

/// `UID FETCH set items`
pub(crate) fn parse_uid(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Uid)
}

fn read(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    let mut items = item::parse(cursor)?;
    cursor.end()?;
    if numbers == Numbers::Uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    Ok(Box::new(Fetch {
        set,
        numbers,
        depth: items.iter().map(Item::depth).max().unwrap_or_default(),
        items,
        asked: 0,
        messages: VecDeque::new(),
        state: State::Loading,
    }))
}

#[derive(Debug)]
enum State {
    /// The messages' records are asked for.
    Loading,
    /// `\Seen` is being set.
    Marking,
    /// The message in front is being read.
    Scanning(Box<Scanner>, u64),
    /// The message in front is being written.
    Writing(Pieces),
}

#[derive(Debug)]
struct Fetch {
    set: SequenceSet,
    numbers: Numbers,
    items: Vec<Item>,
    depth: Depth,
    asked: usize,
    messages: VecDeque<MessageInfo>,
    state: State,
}

impl Fetch {
    fn begin(&mut self, desk: &Desk) -> Step {
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        match view.resolve(&self.set, self.numbers) {
            Err(bad) => Step::bad(bad),
            Ok(uids) if uids.is_empty() => Step::ok("done"),
            Ok(uids) => {
                self.asked = uids.len();
                let mailbox = view.mailbox;
                Step::Ask(Request::Messages { mailbox, uids })
            }
        }
    }

    /// The records are there; what will be read becomes `\Seen`.
    fn loaded(&mut self, messages: Vec<MessageInfo>, desk: &mut Desk) -> Step {
        self.asked = self.asked.saturating_sub(messages.len());
        self.messages = messages.into();
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        let marks = self.items.iter().any(Item::marks_seen) && !view.read_only;
        let unseen = self.messages.iter().filter(|message| !message.flags.seen);
        let uids: Vec<u32> = unseen
            .filter(|_| marks)
            .map(|message| message.uid)
            .collect();
        if uids.is_empty() {
            return self.next(desk);
        }
        self.state = State::Marking;
        Step::Ask(Request::ChangeFlags {
            mailbox: view.mailbox,
            uids,
            action: FlagAction::Add,
            flags: Flags {
                seen: true,
                ..Flags::default()
            },
        })
    }

    fn marked(&mut self, changed: Vec<MessageInfo>, desk: &mut Desk) -> Step {
        if !self.items.contains(&Item::Flags) {
            self.items.push(Item::Flags);
        }
        for message in changed {
            let known = self
                .messages
                .binary_search_by_key(&message.uid, |known| known.uid);
            if let Some(known) = known.ok().and_then(|at| self.messages.get_mut(at)) {
                *known = message;
            }
        }
        self.next(desk)
    }

    /// Begins with the message that is now in front.
    fn next(&mut self, desk: &mut Desk) -> Step {
        while let Some(message) = self.messages.front() {
            let wanted = desk
                .view
                .as_ref()
                .and_then(|view| view.sequence_of(message.uid));
            if wanted.is_none() {
                self.messages.pop_front();
                continue;
            }
            if self.depth > Depth::Record && !is_shown(desk, message, self.depth) {
                let scanner = Box::new(Scanner::new());
                return self.scan(scanner, 0, desk);
            }
            let step = self.write(desk);
            if !matches!(step, Step::Finish(_)) {
                return step;
            }
            self.messages.pop_front();
            if desk.out.len() >= limits::TRANSMIT_OCTETS {
                self.state = State::Writing(Pieces::default());
                return Step::Send;
            }
        }
        self.finish()
    }

    /// Reads on, until the header or the whole message has been seen.
    fn scan(&mut self, scanner: Box<Scanner>, offset: u64, desk: &mut Desk) -> Step {
        let Some(message) = self.messages.front() else {
            return self.finish();
        };
        let enough = self.depth == Depth::Header && scanner.has_header();
        if offset < message.size && !enough {
            let message = message.key;
            self.state = State::Scanning(scanner, offset);
            return Step::Ask(Request::Read {
                message,
                offset,
                length: limits::CHUNK_OCTETS,
            });
        }
        let whole = self.depth == Depth::Whole;
        let shown = Shown::new(&message.verdict, message.size, *scanner, whole);
        desk.last_shown = Some((message.key.0, shown));
        self.next(desk)
    }

    fn scanned(
        &mut self,
        mut scanner: Box<Scanner>,
        offset: u64,
        answer: Answer,
        desk: &mut Desk,
    ) -> Step {
        match answer {
            Answer::Octets(octets) if !octets.is_empty() => {
                scanner.push(&octets);
                self.scan(scanner, offset + octets.len() as u64, desk)
            }
            _ => {
                // It is gone, or cannot be read: the others are served.
                self.asked += 1;
                self.messages.pop_front();
                self.next(desk)
            }
        }
    }

    /// Writes the message in front; `Finish` when all of it is written.
    fn write(&mut self, desk: &mut Desk) -> Step {
        let Some(message) = self.messages.front() else {
            return self.finish();
        };
        let Some(view) = &mut desk.view else {
            return self.finish();
        };
        if self.items.contains(&Item::Flags) {
            view.told(message);
        }
        let place = view.sequence_of(message.uid).unwrap_or_default();
        let shown = desk.last_shown.as_ref().map(|(_, shown)| shown);
        let mut pieces = Pieces::of(place, message, &self.items, shown);
        let step = pieces.write(&mut desk.out);
        self.state = State::Writing(pieces);
        step
    }

    fn written(&mut self, answer: Option<Answer>, desk: &mut Desk) -> Step {
        let State::Writing(pieces) = &mut self.state else {
            return Step::Bye("this server made a mistake");
        };
        let step = match answer {
            None => pieces.write(&mut desk.out),
            Some(Answer::Octets(octets)) => pieces.read(&octets, &mut desk.out),
            // Octets that were promised in a literal cannot be taken back.
            Some(_) => Step::Bye("a message cannot be read"),
        };
        if !matches!(step, Step::Finish(_)) {
            return step;
        }
        self.messages.pop_front();
        self.next(desk)
    }

    fn finish(&self) -> Step {
        if self.asked > 0 {
            let text = "some of the messages are gone";
            return Step::Finish(Completion::no("EXPUNGEISSUED", text));
        }
        Step::ok("done")
    }
}

fn is_shown(desk: &Desk, message: &MessageInfo, depth: Depth) -> bool {
    desk.last_shown.as_ref().is_some_and(|(key, shown)| {
        *key == message.key.0 && (depth < Depth::Whole || shown.is_whole())
    })
}

impl Run for Fetch {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        let state = std::mem::replace(&mut self.state, State::Loading);
        match (state, input) {
            (State::Loading, Input::Begin) => self.begin(desk),
            (State::Loading, Input::Answer(Answer::Messages(messages))) => {
                self.loaded(messages, desk)
            }
            (State::Marking, Input::Answer(Answer::Messages(changed))) => {
                self.marked(changed, desk)
            }
            (State::Scanning(scanner, offset), Input::Answer(answer)) => {
                self.scanned(scanner, offset, answer, desk)
            }
            (State::Writing(pieces), Input::Answer(answer)) => {
                self.state = State::Writing(pieces);
                self.written(Some(answer), desk)
            }
            (State::Writing(pieces), Input::Sent) if pieces.is_done() => self.next(desk),
            (State::Writing(pieces), _) => {
                self.state = State::Writing(pieces);
                self.written(None, desk)
            }
            (_, Input::Answer(answer)) => desk.refused(answer),
            (_, _) => self.finish(),
        }
    }

    fn may_expunge(&self) -> bool {
        self.numbers == Numbers::Uid
    }
}

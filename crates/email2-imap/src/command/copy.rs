//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8); the provenance goes along.

use crate::command::{Input, Run, Step, expunge};
use crate::grammar::{Cursor, Parsed};
use crate::request::{Answer, Request};
use crate::sequence_set::{self, SequenceSet};
use crate::session::{Desk, authenticated};
use crate::view::Numbers;
use crate::writer::Completion;

/// `COPY set mailbox`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Sequence, false)
}

/// `UID COPY set mailbox`
pub(crate) fn parse_uid(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Uid, false)
}

/// `MOVE set mailbox`
pub(crate) fn parse_move(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Sequence, true)
}

/// `UID MOVE set mailbox`
pub(crate) fn parse_uid_move(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Uid, true)
}

fn read(cursor: &mut Cursor<'_>, numbers: Numbers, moves: bool) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    let to = cursor.mailbox()?;
    cursor.end()?;
    Ok(Box::new(Copy {
        set,
        numbers,
        moves,
        to,
    }))
}

#[derive(Debug)]
struct Copy {
    set: SequenceSet,
    numbers: Numbers,
    moves: bool,
    to: String,
}

impl Copy {
    fn begin(&mut self, desk: &Desk) -> Step {
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        if self.moves && view.read_only {
            return Step::Finish(expunge::read_only());
        }
        let uids = match view.resolve(&self.set, self.numbers) {
            Err(bad) => return Step::bad(bad),
            Ok(uids) if uids.is_empty() => return Step::ok("there is no such message"),
            Ok(uids) => uids,
        };
        let (mailbox, to) = (view.mailbox, std::mem::take(&mut self.to));
        Step::Ask(if self.moves {
            Request::Move { mailbox, uids, to }
        } else {
            Request::Copy { mailbox, uids, to }
        })
    }

    /// COPYUID (RFC 4315); of MOVE before the messages go (RFC 6851 §4.3).
    fn copied(&self, uid_validity: u32, uids: &[(u32, u32)], desk: &mut Desk) -> Step {
        if uids.is_empty() {
            return Step::ok("there is no such message");
        }
        let (from, to): (Vec<u32>, Vec<u32>) = uids.iter().copied().unzip();
        let (from, to) = (sequence_set::write(&from), sequence_set::write(&to));
        let code = format!("COPYUID {uid_validity} {from} {to}");
        if self.moves {
            desk.out.untagged(&format!("OK [{code}] moved"));
            return Step::ok("moved");
        }
        Step::Finish(Completion::ok_with(code, "copied"))
    }
}

impl Run for Copy {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => self.begin(desk),
            Input::Answer(Answer::Copied { uid_validity, uids }) => {
                self.copied(uid_validity, &uids, desk)
            }
            Input::Answer(answer) => authenticated::refused_into(desk, answer),
            _ => Step::ok("done"),
        }
    }
}

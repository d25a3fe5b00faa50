//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9). Which messages went is
//! told before the last line, as all news are.

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::request::{Answer, Request};
use crate::sequence_set::SequenceSet;
use crate::session::Desk;
use crate::view::Numbers;
use crate::writer::Completion;

/// `EXPUNGE`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Expunge { set: None }))
}

/// `UID EXPUNGE set`
pub(crate) fn parse_uid(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let set = Some(SequenceSet::parse(cursor)?);
    cursor.end()?;
    Ok(Box::new(Expunge { set }))
}

#[derive(Debug)]
struct Expunge {
    set: Option<SequenceSet>,
}

impl Expunge {
    fn begin(&self, desk: &Desk) -> Step {
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        if view.read_only {
            return Step::Finish(read_only());
        }
        let set = self.set.as_ref();
        let uids = set.map(|set| view.resolve(set, Numbers::Uid)).transpose();
        match uids {
            Err(bad) => Step::bad(bad),
            Ok(uids) => Step::Ask(Request::Expunge {
                mailbox: view.mailbox,
                uids,
            }),
        }
    }
}

impl Run for Expunge {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => self.begin(desk),
            Input::Answer(Answer::Done) => Step::ok("done"),
            Input::Answer(answer) => desk.refused(answer),
            _ => Step::ok("done"),
        }
    }
}

/// The answer to a change of a mailbox that EXAMINE selected.
pub(crate) fn read_only() -> Completion {
    Completion::no("CANNOT", "the mailbox is open for reading only")
}

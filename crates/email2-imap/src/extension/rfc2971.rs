//! ID (RFC 2971): we say what we are, and keep nothing of what the client says.

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::session::Desk;

/// Most of a client's pairs, names and values counted (RFC 2971 §3.3).
const WORDS: usize = 60;

/// `ID NIL` or `ID ("name" "value" …)`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    if !cursor.skip_word("NIL") {
        cursor.list(WORDS, |cursor| cursor.nstring().map(drop))?;
    }
    cursor.end()?;
    Ok(Box::new(Id))
}

#[derive(Debug)]
struct Id;

impl Run for Id {
    fn step(&mut self, _: Input, desk: &mut Desk) -> Step {
        desk.out.untagged("ID (\"name\" \"email2d\")");
        Step::ok("done")
    }
}

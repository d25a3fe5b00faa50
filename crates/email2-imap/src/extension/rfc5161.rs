//! ENABLE (RFC 5161): there is nothing to enable, and asking is no error.

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::session::Desk;

/// `ENABLE capability …`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    cursor.atom()?;
    while cursor.skip(b' ') {
        cursor.atom()?;
    }
    cursor.end()?;
    Ok(Box::new(Enable))
}

#[derive(Debug)]
struct Enable;

impl Run for Enable {
    fn step(&mut self, _: Input, desk: &mut Desk) -> Step {
        desk.out.untagged("ENABLED");
        Step::ok("done")
    }
}

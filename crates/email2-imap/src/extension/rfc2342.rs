//! NAMESPACE (RFC 2342): everything is one's own.

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::session::Desk;

/// `NAMESPACE`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Namespace))
}

#[derive(Debug)]
struct Namespace;

impl Run for Namespace {
    fn step(&mut self, _: Input, desk: &mut Desk) -> Step {
        desk.out.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
        Step::ok("done")
    }
}

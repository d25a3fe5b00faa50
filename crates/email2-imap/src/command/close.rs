//! CLOSE and UNSELECT (RFC 9051 §6.4.1, §6.4.2).

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::request::Request;
use crate::session::Desk;

/// `CLOSE`: messages with `\Deleted` go.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Close { expunges: true }))
}

/// `UNSELECT`: they stay.
pub(crate) fn parse_unselect(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Close { expunges: false }))
}

#[derive(Debug)]
struct Close {
    expunges: bool,
}

impl Run for Close {
    fn step(&mut self, _: Input, desk: &mut Desk) -> Step {
        let view = desk.view.take();
        desk.last_shown = None;
        // Asked once the mailbox is closed: CLOSE does not fail for it.
        match view.filter(|view| self.expunges && !view.read_only) {
            Some(view) => Step::Ask(Request::Expunge {
                mailbox: view.mailbox,
                uids: None,
            }),
            None => Step::ok("closed"),
        }
    }
}

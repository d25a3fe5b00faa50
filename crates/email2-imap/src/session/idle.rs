//! Waiting for news until the client says DONE (RFC 2177).

use crate::command::{Input, Run, Step};
use crate::session::Desk;
use crate::writer::Completion;

/// IDLE.
#[derive(Debug)]
pub(crate) struct Idle;

impl Run for Idle {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => {
                desk.out.line("+ idling");
                look(desk)
            }
            Input::News => look(desk),
            Input::Answer(answer) => desk.tell(answer, true).unwrap_or(Step::AwaitLine),
            Input::Line(line) if line.eq_ignore_ascii_case(b"DONE") => Step::ok("done"),
            Input::Line(_) => Step::Finish(Completion::bad("IDLE ends with DONE")),
            Input::Octets(_) | Input::Sent => Step::AwaitLine,
        }
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// What changed before IDLE began is told too: nothing else would.
fn look(desk: &Desk) -> Step {
    desk.news().map_or(Step::AwaitLine, Step::Ask)
}

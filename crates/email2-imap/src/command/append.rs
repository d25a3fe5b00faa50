//! APPEND (RFC 9051 §6.3.12): the message is handed on while it comes.

use crate::command::{Input, Run, Step, store};
use crate::date;
use crate::framing::Literal;
use crate::grammar::{Bad, Cursor, NamedFlags, Parsed};
use crate::request::{Answer, Request};
use crate::session::{Desk, Phase, authenticated};
use crate::writer::Completion;

/// `APPEND` whose message is no literal.
pub(crate) fn parse_without_message(_: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    Err(Bad("APPEND ends with a message as a literal"))
}

/// Reads a command up to the literal that was just announced. `None`: it is
/// not the message of an APPEND, but one of its arguments or another command's.
pub(crate) fn parse_before_message(
    so_far: &[u8],
    literal: Literal,
    phase: Phase,
) -> Option<(String, Parsed<Box<dyn Run>>)> {
    let mut cursor = Cursor::new(so_far);
    let tag = cursor.tag().ok()?.to_owned();
    let is_append = cursor.skip_word(" APPEND ");
    if !is_append || phase == Phase::NotAuthenticated {
        return None;
    }
    // The name itself is the literal when nothing is left for it.
    let is_literal = matches!(cursor.peek(), Some(b'{' | b'~'));
    let name = match cursor.mailbox() {
        Ok(name) => name,
        Err(_) if is_literal => return None,
        Err(bad) => return Some((tag, Err(bad))),
    };
    let parsed = read(&mut cursor, name, literal);
    Some((tag, parsed))
}

fn read(cursor: &mut Cursor<'_>, name: String, literal: Literal) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let mut named = NamedFlags::default();
    if cursor.peek() == Some(b'(') {
        named = cursor.flag_list()?;
        cursor.space()?;
    }
    let mut received = None;
    if cursor.peek() == Some(b'"') {
        received = Some(date::parse_date_time(cursor)?);
        cursor.space()?;
    }
    cursor.skip(b'~');
    cursor.literal_header()?;
    cursor.end()?;
    Ok(Box::new(Append {
        name,
        named,
        received,
        literal,
        state: State::Asked,
        refusal: None,
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Whether the message may come.
    Asked,
    /// It comes.
    Coming,
    /// It came, or will not: the last answer ends the command.
    Ending,
}

#[derive(Debug)]
struct Append {
    name: String,
    named: NamedFlags,
    received: Option<u64>,
    literal: Literal,
    state: State,
    refusal: Option<Step>,
}

impl Append {
    fn begin(&mut self, desk: &Desk) -> Step {
        if self.named.verdict {
            return Step::Finish(store::verdict_is_ours());
        }
        if self.literal.size > desk.append_limit {
            let text = "the message is larger than this server takes";
            return Step::Finish(Completion::no("TOOBIG", text));
        }
        if self.literal.size == 0 {
            return Step::Finish(Completion::no("CANNOT", "the message is empty"));
        }
        Step::Ask(Request::AppendBegin {
            name: std::mem::take(&mut self.name),
            size: self.literal.size,
        })
    }

    fn octets(&mut self, octets: Vec<u8>) -> Step {
        // NUL could never be sent back: no literal holds one (RFC 9051 §9).
        if octets.contains(&0) {
            let text = "a message with a NUL octet cannot be kept";
            return self.abort(Completion::no("CANNOT", text));
        }
        Step::Ask(Request::AppendOctets(octets))
    }

    fn end(&mut self, rest: &[u8]) -> Step {
        if !rest.is_empty() {
            return self.abort(Completion::bad("one APPEND takes one message"));
        }
        self.state = State::Ending;
        Step::Ask(Request::AppendEnd {
            flags: std::mem::take(&mut self.named.flags),
            received: self.received,
        })
    }

    fn abort(&mut self, completion: Completion) -> Step {
        self.state = State::Ending;
        self.refusal = Some(Step::Finish(completion));
        Step::Ask(Request::AppendAbort)
    }

    fn answered(&mut self, answer: Answer, desk: &mut Desk) -> Step {
        match (self.state, answer) {
            (State::Ending, _) if self.refusal.is_some() => {
                self.refusal.take().unwrap_or(Step::AwaitOctets)
            }
            (State::Asked, Answer::Done) => {
                if self.literal.waits {
                    desk.out.line("+ go on");
                }
                self.state = State::Coming;
                Step::AwaitOctets
            }
            (State::Coming, Answer::Done) => Step::AwaitOctets,
            (State::Ending, Answer::Appended { uid_validity, uid }) => {
                let code = format!("APPENDUID {uid_validity} {uid}");
                Step::Finish(Completion::ok_with(code, "kept"))
            }
            (State::Coming, answer) => {
                self.state = State::Ending;
                self.refusal = Some(authenticated::refused_into(desk, answer));
                Step::Ask(Request::AppendAbort)
            }
            (_, answer) => authenticated::refused_into(desk, answer),
        }
    }
}

impl Run for Append {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => self.begin(desk),
            Input::Answer(answer) => self.answered(answer, desk),
            Input::Octets(octets) => self.octets(octets),
            Input::Line(rest) => self.end(&rest),
            Input::Sent | Input::News => Step::AwaitOctets,
        }
    }
}

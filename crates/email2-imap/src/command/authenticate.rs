//! AUTHENTICATE PLAIN and SCRAM-SHA-256 (RFC 9051 §6.2.2, RFC 4616, RFC 7677, RFC 4959).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::scram::{ClientFinal, ClientFirst, MECHANISM, ScramError};
use zeroize::Zeroizing;

use crate::command::{Input, Run, Step};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Answer, Password, Request};
use crate::session::{Desk, not_authenticated};
use crate::writer::Completion;

/// `AUTHENTICATE mechanism [initial-response]`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let mechanism = cursor.atom()?;
    let scram = mechanism.eq_ignore_ascii_case(MECHANISM);
    if !scram && !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Err(Bad("the mechanism is SCRAM-SHA-256 or PLAIN"));
    }
    let mut initial = None;
    if cursor.skip(b' ') {
        let response = cursor.take_while(|octet| octet.is_ascii_graphic());
        initial = Some(Zeroizing::new(response.to_vec()));
    }
    cursor.end()?;
    if scram {
        let turn = Turn::First;
        return Ok(Box::new(Scram { initial, turn }));
    }
    Ok(Box::new(Authenticate { initial }))
}

#[derive(Debug)]
struct Authenticate {
    initial: Option<Zeroizing<Vec<u8>>>,
}

impl Run for Authenticate {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match (self.initial.take(), input) {
            (Some(response), _) => respond(&response),
            (None, Input::Begin) => {
                desk.out.line("+ ");
                Step::AwaitLine
            }
            (None, Input::Line(line)) => respond(&line),
            (None, input) => not_authenticated::told(input, desk),
        }
    }
}

fn respond(response: &[u8]) -> Step {
    if response == b"*" {
        return Step::Finish(Completion::bad("given up, as you say"));
    }
    match credentials(response) {
        Some((user, password)) => not_authenticated::ask(user, password),
        None => Step::Finish(Completion::bad("the response is not one of PLAIN")),
    }
}

/// `[authzid] NUL authcid NUL passwd`; who logs in as another is refused.
fn credentials(response: &[u8]) -> Option<(String, Password)> {
    let message = Zeroizing::new(STANDARD.decode(response).ok()?);
    let mut parts = message.split(|&octet| octet == 0);
    let (acting, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(acting.is_empty() || acting == user) {
        return None;
    }
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some((user, Password(Zeroizing::new(password.to_vec()))))
}

/// An exchange of SCRAM-SHA-256: two messages each way, then an empty response.
#[derive(Debug)]
struct Scram {
    initial: Option<Zeroizing<Vec<u8>>>,
    turn: Turn,
}

/// What the client says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    First,
    Final,
    /// RFC 5802 §5: an empty response to the server's last message.
    End,
}

impl Run for Scram {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match (self.initial.take(), input) {
            (Some(response), _) => self.respond(&response, desk),
            (None, Input::Begin) => {
                desk.out.line("+ ");
                Step::AwaitLine
            }
            (None, Input::Line(line)) => self.respond(&line, desk),
            (None, Input::Answer(Answer::Challenge(text))) => {
                desk.out.line(&format!("+ {}", STANDARD.encode(text)));
                Step::AwaitLine
            }
            (None, input) => not_authenticated::told(input, desk),
        }
    }
}

impl Scram {
    fn respond(&mut self, response: &[u8], desk: &mut Desk) -> Step {
        if response == b"*" {
            return Step::Finish(Completion::bad("given up, as you say"));
        }
        // RFC 4959 §3: "=" is an empty initial response.
        let response = if response == b"=" { b"" } else { response };
        let octets = STANDARD.decode(response).ok();
        let said = octets.and_then(|octets| self.said(&octets, desk).ok());
        said.unwrap_or(Step::Finish(Completion::bad(
            "the response is not one of SCRAM-SHA-256",
        )))
    }

    fn said(&mut self, octets: &[u8], desk: &mut Desk) -> Result<Step, ScramError> {
        match self.turn {
            Turn::First => {
                self.turn = Turn::Final;
                let first = ClientFirst::parse(octets)?;
                Ok(Step::Ask(Request::ScramFirst(first)))
            }
            Turn::Final => {
                self.turn = Turn::End;
                let last = ClientFinal::parse(octets)?;
                Ok(Step::Ask(Request::ScramFinal(last)))
            }
            Turn::End if octets.is_empty() => {
                Ok(not_authenticated::told(Input::Answer(Answer::Done), desk))
            }
            Turn::End => Ok(Step::Finish(Completion::bad("nothing is to be said here"))),
        }
    }
}

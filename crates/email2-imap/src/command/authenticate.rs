//! AUTHENTICATE PLAIN (RFC 9051 §6.2.2, RFC 4616, RFC 4959).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::command::{Input, Run, Step};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::Password;
use crate::session::{Desk, not_authenticated};
use crate::writer::Completion;

/// `AUTHENTICATE PLAIN [initial-response]`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    if !cursor.atom()?.eq_ignore_ascii_case("PLAIN") {
        return Err(Bad("the mechanism is PLAIN"));
    }
    let mut initial = None;
    if cursor.skip(b' ') {
        let response = cursor.take_while(|octet| octet.is_ascii_graphic());
        initial = Some(Zeroizing::new(response.to_vec()));
    }
    cursor.end()?;
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

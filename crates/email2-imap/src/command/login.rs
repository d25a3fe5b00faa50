//! LOGIN (RFC 9051 §6.2.3).

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::request::Password;
use crate::session::{Desk, not_authenticated};

/// `LOGIN user password`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let user = cursor.astring_text()?;
    cursor.space()?;
    let password = Password(cursor.astring()?);
    cursor.end()?;
    Ok(Box::new(Login(Some((user, password)))))
}

#[derive(Debug)]
struct Login(Option<(String, Password)>);

impl Run for Login {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match self.0.take() {
            Some((user, password)) => not_authenticated::ask(user, password),
            None => not_authenticated::told(input, desk),
        }
    }
}

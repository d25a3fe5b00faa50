//! CAPABILITY, NOOP, CHECK, LOGOUT, and STARTTLS, which is not offered.

use crate::command::{Input, Run, Step};
use crate::extension;
use crate::grammar::{Bad, Cursor, Parsed};
use crate::session::Desk;

#[derive(Debug)]
enum Simple {
    Capability,
    Noop,
    Logout,
}

impl Run for Simple {
    fn step(&mut self, _: Input, desk: &mut Desk) -> Step {
        match self {
            Self::Capability => {
                let capabilities = extension::capabilities(desk.append_limit);
                desk.out.untagged(&capabilities);
            }
            Self::Noop => {}
            Self::Logout => {
                desk.out.untagged("BYE until next time");
                desk.leaving = true;
            }
        }
        Step::ok("done")
    }
}

/// `CAPABILITY`
pub(crate) fn capability(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Simple::Capability))
}

/// `NOOP` and `CHECK`: news are told after every command.
pub(crate) fn noop(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Simple::Noop))
}

/// `LOGOUT`
pub(crate) fn logout(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Simple::Logout))
}

/// `STARTTLS`
pub(crate) fn starttls(_: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    Err(Bad("the connection is under TLS already"))
}

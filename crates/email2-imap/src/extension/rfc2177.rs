//! IDLE (RFC 2177).

use crate::command::Run;
use crate::grammar::{Cursor, Parsed};
use crate::session::idle::Idle;

/// `IDLE`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.end()?;
    Ok(Box::new(Idle))
}

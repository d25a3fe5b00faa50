//! UID (RFC 9051 §6.4.9): the same commands with UIDs.

use crate::command::{Run, copy, expunge, fetch, search, store};
use crate::grammar::{Bad, Cursor, Parsed};

/// `UID command …`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    match cursor.atom()?.to_ascii_uppercase().as_str() {
        "FETCH" => fetch::parse_uid(cursor),
        "STORE" => store::parse_uid(cursor),
        "COPY" => copy::parse_uid(cursor),
        "MOVE" => copy::parse_uid_move(cursor),
        "SEARCH" => search::parse_uid(cursor),
        "EXPUNGE" => expunge::parse_uid(cursor),
        _ => Err(Bad("there is no such command with UIDs")),
    }
}

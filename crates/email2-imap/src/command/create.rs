//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4–§6.3.8).

use crate::command::Run;
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Request, SpecialUse};
use crate::session::authenticated::One;

/// `CREATE mailbox [(USE (\Sent))]` (RFC 6154 §3)
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    let name = only_mailbox(cursor)?;
    let mut special_use = None;
    if cursor.skip_word(" (USE (") {
        special_use = Some(special_use_named(cursor)?);
        cursor.expect(b')', "a mailbox has one use")?;
        cursor.expect(b')', "a parenthesis does not close")?;
    }
    cursor.end()?;
    // A client may say by a last separator that names below will follow.
    let name = name.strip_suffix('/').map_or(name.clone(), str::to_owned);
    Ok(One::asking(Request::Create { name, special_use }))
}

fn special_use_named(cursor: &mut Cursor<'_>) -> Parsed<SpecialUse> {
    cursor.expect(b'\\', "a use is a flag")?;
    match cursor.atom()?.to_ascii_lowercase().as_str() {
        "archive" => Ok(SpecialUse::Archive),
        "drafts" => Ok(SpecialUse::Drafts),
        "junk" => Ok(SpecialUse::Junk),
        "sent" => Ok(SpecialUse::Sent),
        "trash" => Ok(SpecialUse::Trash),
        _ => Err(Bad("there is no such use")),
    }
}

/// `DELETE mailbox`
pub(crate) fn parse_delete(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    let name = only_mailbox(cursor)?;
    cursor.end()?;
    Ok(One::asking(Request::Delete(name)))
}

/// `RENAME mailbox mailbox`
pub(crate) fn parse_rename(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    let from = only_mailbox(cursor)?;
    let to = only_mailbox(cursor)?;
    cursor.end()?;
    Ok(One::asking(Request::Rename { from, to }))
}

/// `SUBSCRIBE mailbox`
pub(crate) fn parse_subscribe(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    subscription(cursor, true)
}

/// `UNSUBSCRIBE mailbox`
pub(crate) fn parse_unsubscribe(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    subscription(cursor, false)
}

fn subscription(cursor: &mut Cursor<'_>, subscribed: bool) -> Parsed<Box<dyn Run>> {
    let name = only_mailbox(cursor)?;
    cursor.end()?;
    Ok(One::asking(Request::Subscribe { name, subscribed }))
}

fn only_mailbox(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.space()?;
    cursor.mailbox()
}

//! ENVELOPE (RFC 9051 §7.5.2).

use super::address;
use super::field::{Field, Fields};
use crate::writer::nstring;

/// Writes the envelope of a message with these fields.
pub(crate) fn write(fields: &Fields) -> Vec<u8> {
    let from = fields.get(Field::From);
    let mut addresses = Vec::new();
    for field in [Field::From, Field::Sender, Field::ReplyTo] {
        // Sender and Reply-To are From unless they say otherwise.
        let value = fields.get(field).filter(|value| !value.is_empty()).or(from);
        addresses.push(address::write(value));
    }
    for field in [Field::To, Field::Cc, Field::Bcc] {
        addresses.push(address::write(fields.get(field)));
    }
    let text = |field| nstring(fields.get(field));
    let mut parts = vec![text(Field::Date), text(Field::Subject)];
    parts.append(&mut addresses);
    parts.push(text(Field::InReplyTo));
    parts.push(text(Field::MessageId));
    [b"(".as_slice(), &parts.join(b" ".as_slice()), b")"].concat()
}

//! The header inside and outside of the protection (RFC 9788).

use super::entity::{ContentType, Entity, RawField};
use super::{ContentError, fit};
use crate::address::Address;
use crate::header;
use crate::limits;

/// Fields that never leave: they name blind recipients, belong to other
/// programs on the way, are refused below a seal (spec §4.7), or are made anew.
const REMOVED: [&str; 9] = [
    "Bcc",
    "Resent-Bcc",
    "Return-Path",
    "Content-Length",
    "Email2-Verdict",
    "X-Email2-Verdict",
    "Authentication-Results",
    "HP-Outer",
    "Autocrypt",
];

/// Fields that stand at most once (RFC 5322 §3.6, RFC 2045 §3).
const SINGLE: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// What [`inner`] appends to Content-Type: the parameter of RFC 9788, and the
/// older one that programs of today look for.
const CLEAR: &str = ";\r\n protected-headers=\"v1\"; hp=\"clear\"";
/// The same for encrypted mail.
const CIPHER: &str = ";\r\n protected-headers=\"v1\"; hp=\"cipher\"";

/// A field as text with its CRLF.
pub(crate) type Line = Vec<u8>;

/// The header of a message that may be protected.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// The fields that leave, in order; long lines folded.
    pub(crate) fields: Vec<(RawField<'a>, Line)>,
}

impl<'a> Header<'a> {
    /// Takes the header of `entity`, by this author, apart.
    ///
    /// # Errors
    /// [`ContentError::Header`], [`ContentError::OtherAuthor`].
    pub(crate) fn check(entity: &Entity<'a>, author: &Address) -> Result<Self, ContentError> {
        if let Some(why) = entity.flaw {
            return Err(refused("header", why));
        }
        if let Some(name) = doubled(entity) {
            return Err(refused(name, "stands more than once"));
        }
        check_author(entity, author)?;
        let content_type = entity.only("Content-Type");
        if content_type.is_some_and(|value| ContentType::parse(value).is_none()) {
            return Err(refused("Content-Type", "cannot be read"));
        }
        let mut fields = Vec::new();
        for field in &entity.fields {
            if !REMOVED.iter().any(|name| field.is(name)) {
                fields.push((*field, carried(field)?));
            }
        }
        Ok(Self { fields })
    }

    /// Whether there is a field of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field.is(name))
    }

    /// The fields that describe the message, as they stand outside of mail that
    /// is only signed.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let shown = self
            .fields
            .iter()
            .filter(|(field, _)| !field.is_structural());
        shown.flat_map(|(_, line)| line.iter().copied()).collect()
    }

    /// The header inside: every field, Content-Type with its mark, `more`, and
    /// HP-Outer for each outer field of encrypted mail (RFC 9788 §2.2).
    pub(crate) fn inner(&self, more: &[u8], outer: Option<&[u8]>) -> Vec<u8> {
        let mark = if outer.is_some() { CIPHER } else { CLEAR };
        let mut out = Vec::new();
        for (field, line) in &self.fields {
            if field.is("Content-Type") {
                out.extend_from_slice(&marked(line, mark));
            } else {
                out.extend_from_slice(line);
            }
        }
        if !self.has("Content-Type") {
            let line = format!("Content-Type: text/plain; charset=us-ascii{mark}\r\n");
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(more);
        for field in Entity::parse(outer.unwrap_or_default()).fields {
            out.extend_from_slice(b"HP-Outer: ");
            out.extend_from_slice(field.octets);
        }
        out
    }
}

/// A field that may stand once and stands twice.
pub(crate) fn doubled(entity: &Entity<'_>) -> Option<&'static str> {
    let mut single = SINGLE.into_iter();
    single.find(|name| entity.named(name).count() > 1)
}

fn refused(name: &str, why: &'static str) -> ContentError {
    ContentError::Header {
        name: name.to_owned(),
        why,
    }
}

fn check_author(entity: &Entity<'_>, author: &Address) -> Result<(), ContentError> {
    let other = |found: String| ContentError::OtherAuthor {
        found,
        author: author.to_string(),
    };
    let value = entity
        .only("From")
        .ok_or_else(|| other("nobody".to_owned()))?;
    let from = header::parse_from(value).map_err(|_| refused("From", "is not one mailbox"))?;
    (from.address == *author)
        .then_some(())
        .ok_or_else(|| other(from.address.to_string()))
}

/// The field as it leaves.
fn carried(field: &RawField<'_>) -> Result<Line, ContentError> {
    if field.is("Email2-Seal") || field.is("Email2-Key") {
        return Err(refused(
            field.name,
            "is there already: the message is sealed",
        ));
    }
    let line = match field.octets.strip_suffix(b"\r\n") {
        Some(_) => field.octets.to_vec(),
        None => [field.octets, b"\r\n"].concat(),
    };
    let line = folded(&line);
    if std::str::from_utf8(&line).is_err() {
        return Err(refused(field.name, "is not UTF-8"));
    }
    match fit::line_obstacle(&line) {
        Some(why) => Err(refused(field.name, why)),
        None => Ok(line),
    }
}

/// Breaks lines that are too long at white space, where a fold changes nothing
/// (RFC 5322 §2.2.3).
fn folded(field: &[u8]) -> Line {
    let mut out = Vec::with_capacity(field.len());
    for line in field.split_inclusive(|octet| *octet == b'\n') {
        let mut rest = line;
        while rest.len() > limits::LINE_OCTETS + 2 {
            let within = rest.get(..limits::LINE_OCTETS).unwrap_or_default();
            let blank = within
                .iter()
                .rposition(|octet| matches!(octet, b' ' | b'\t'));
            let Some((before, behind)) = blank
                .filter(|at| *at > 0)
                .and_then(|at| rest.split_at_checked(at))
            else {
                break;
            };
            if before.trim_ascii().is_empty() {
                break;
            }
            out.extend_from_slice(before);
            out.extend_from_slice(b"\r\n");
            rest = behind;
        }
        out.extend_from_slice(rest);
    }
    out
}

/// Content-Type with the mark behind its last parameter.
fn marked(line: &[u8], mark: &str) -> Line {
    let trimmed = line.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b";").unwrap_or(trimmed);
    [trimmed, mark.as_bytes(), b"\r\n"].concat()
}

/// Content-Type as it was before [`Header::inner`] marked it.
pub(crate) fn unmarked<'a>(field: &RawField<'a>) -> &'a [u8] {
    let value = field.octets.strip_suffix(b"\r\n").unwrap_or(field.octets);
    [CLEAR, CIPHER]
        .iter()
        .find_map(|mark| value.strip_suffix(mark.as_bytes()))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_fields_are_folded_at_white_space() {
        let words = "word ".repeat(500);
        let field = format!("References: {words}\r\n");
        let folded = folded(field.as_bytes());
        assert_eq!(fit::line_obstacle(&folded), None);
        let unfolded = String::from_utf8(folded).unwrap().replace("\r\n", "");
        assert_eq!(unfolded, field.replace("\r\n", ""));
        let solid = format!("Subject: {}\r\n", "x".repeat(1_000));
        assert!(fit::line_obstacle(&super::folded(solid.as_bytes())).is_some());
    }

    #[test]
    fn the_mark_comes_off_again() {
        for line in ["Content-Type: a/b\r\n", "content-type: a/b; c=\"d\";  \r\n"] {
            let marked = marked(line.as_bytes(), CIPHER);
            let entity = Entity::parse(&marked);
            let content_type = entity.content_type().unwrap();
            assert_eq!(content_type.parameter("hp"), Some("cipher"));
            let plain = line.trim_end().trim_end_matches(';');
            assert_eq!(unmarked(&entity.fields[0]), plain.as_bytes());
        }
    }
}

//! What a Content-Type field may mean to any parser.

use crate::rejection::Rejection;

/// What a Content-Type says of the body below it; more than one may hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Meaning {
    /// A multipart with this boundary.
    pub(super) boundary: Option<Vec<u8>>,
    /// Its parts are messages unless they say otherwise (RFC 2046 §5.1.5).
    pub(super) digest: bool,
    /// An attached message.
    pub(super) message: bool,
    /// The field is plain enough that every parser sees a type in it.
    pub(super) plain: bool,
}

const BOUNDARY: &[u8] = b"boundary";

/// Reads the whole value, folds included.
///
/// # Errors
/// [`Rejection::AmbiguousMime`] when parsers would find different boundaries.
pub(super) fn meaning(value: &[u8]) -> Result<Meaning, Rejection> {
    let lower = value.to_ascii_lowercase();
    let media_type = media_type_region(&lower);
    let multipart = contains(media_type, b"multipart");
    let message = contains(media_type, b"message")
        && (contains(media_type, b"rfc822") || contains(media_type, b"global"));
    Ok(Meaning {
        boundary: if multipart {
            boundary(value, &lower)?
        } else {
            None
        },
        digest: multipart && contains(media_type, b"digest"),
        message,
        plain: is_plain(&lower),
    })
}

/// The octets in which some parser may find type and subtype: what stands before
/// the first `;`, or all of it when a comment may hide that.
fn media_type_region(lower: &[u8]) -> &[u8] {
    let first = lower
        .split(|octet| *octet == b';')
        .next()
        .unwrap_or_default();
    if first.contains(&b'(') { lower } else { first }
}

/// `type "/" subtype`, then nothing or `;`.
fn is_plain(lower: &[u8]) -> bool {
    let first = lower
        .split(|octet| *octet == b';')
        .next()
        .unwrap_or_default();
    let mut tokens = first.trim_ascii().split(|octet| *octet == b'/');
    let (kind, subtype, rest) = (tokens.next(), tokens.next(), tokens.next());
    let token =
        |t: Option<&[u8]>| t.is_some_and(|t| !t.is_empty() && t.iter().all(|o| is_token(*o)));
    token(kind) && token(subtype) && rest.is_none()
}

/// Finds the one boundary. `None` when no parser can find one.
fn boundary(value: &[u8], lower: &[u8]) -> Result<Option<Vec<u8>>, Rejection> {
    let Some(at) = find(lower, BOUNDARY) else {
        return Ok(None);
    };
    let behind = value.get(at + BOUNDARY.len()..).unwrap_or_default();
    let (boundary, rest) = simple_value(behind).ok_or(ambiguous("its boundary"))?;
    let nothing_before = matches!(lower.get(at.saturating_sub(1)), Some(b';' | b' ' | b'\t'));
    let again = contains(&rest.to_ascii_lowercase(), BOUNDARY);
    if again || !nothing_before || in_quotes(lower, at) {
        return Err(ambiguous("more than one boundary"));
    }
    Ok(Some(boundary.to_vec()))
}

fn ambiguous(what: &'static str) -> Rejection {
    Rejection::AmbiguousMime { what }
}

/// Reads `= value` where the value is one token or one quoted string without
/// escapes and folds, 1 to 70 octets (RFC 2046 §5.1.1), and nothing is glued to
/// it. Gives the value and what follows.
fn simple_value(behind: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = behind.trim_ascii_start().strip_prefix(b"=")?;
    let blanks = value.len() - value.trim_ascii_start().len();
    let folded = value
        .get(..blanks)
        .is_some_and(|blanks| blanks.contains(&b'\n'));
    let value = value.trim_ascii_start();
    let (boundary, rest) = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = quoted.iter().position(|octet| *octet == b'"')?;
            (quoted.get(..end)?, quoted.get(end + 1..)?)
        }
        None => {
            let end = value
                .iter()
                .position(|o| *o == b';' || o.is_ascii_whitespace());
            value.split_at_checked(end.unwrap_or(value.len()))?
        }
    };
    let unquoted = value.first() != Some(&b'"');
    // Behind a fold some parsers expect a name again, not a value.
    let renamed = folded && boundary.contains(&b'=');
    let allowed = |octet: &u8| is_boundary_octet(*octet, unquoted) && !renamed;
    let glued = !matches!(rest.trim_ascii_start().first(), None | Some(b';'));
    let simple = (1..=70).contains(&boundary.len())
        && boundary.iter().all(allowed)
        && !boundary.ends_with(b" ")
        && !boundary.starts_with(b" ")
        && !contains(boundary, b"=?")
        && !glued;
    simple.then_some((boundary, rest))
}

/// Printable, and nothing that ends or escapes a value somewhere.
fn is_boundary_octet(octet: u8, unquoted: bool) -> bool {
    match octet {
        b'"' | b'\\' => false,
        b' ' | b'(' | b')' | b';' => !unquoted,
        _ => octet.is_ascii_graphic(),
    }
}

/// Whether the octet at `at` stands between quotes.
fn in_quotes(octets: &[u8], at: usize) -> bool {
    let before = octets.get(..at).unwrap_or_default();
    before.iter().filter(|octet| **octet == b'"').count() % 2 == 1 || before.contains(&b'\\')
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

fn contains(octets: &[u8], word: &[u8]) -> bool {
    find(octets, word).is_some()
}

fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    octets.windows(word.len()).position(|window| window == word)
}

/// Counts parameters in one field, line by line. Parsers begin a new parameter
/// behind `;`, behind a closing quote and on a new line; with a comment in the
/// field every `=` counts.
#[derive(Debug, Default)]
pub(super) struct ParameterCount {
    place: Place,
    found: usize,
    all: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Name,
    Value,
    Quoted,
    Escaped,
}

impl ParameterCount {
    /// Takes one line of the field and gives the count so far.
    pub(super) fn line(&mut self, line: &[u8]) -> usize {
        self.all |= line.contains(&b'(');
        if matches!(self.place, Place::Value) {
            self.place = Place::Name;
        }
        line.iter().for_each(|octet| self.octet(*octet));
        self.found
    }

    fn octet(&mut self, octet: u8) {
        let begins = octet == b'=' && (self.place == Place::Name || self.all);
        self.found += usize::from(begins);
        self.place = match (self.place, octet) {
            (Place::Name, b'=') => Place::Value,
            (Place::Value, b'"') => Place::Quoted,
            (Place::Value, b';') | (Place::Quoted, b'"') => Place::Name,
            (Place::Quoted, b'\\') => Place::Escaped,
            (Place::Escaped, _) => Place::Quoted,
            (place, _) => place,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_fields() {
        let mixed = meaning(b" multipart/mixed; boundary=\"=_a b\"; charset=x").unwrap();
        assert_eq!(mixed.boundary.as_deref(), Some(&b"=_a b"[..]));
        assert!(mixed.plain && !mixed.digest && !mixed.message);
        assert!(
            meaning(b" MULTIPART/Digest;\r\n\tBoundary=x")
                .unwrap()
                .digest
        );
        assert!(meaning(b" message/rfc822").unwrap().message);
        assert!(
            !meaning(b" text/plain; name=\"message/rfc822 multipart boundary\"")
                .unwrap()
                .message
        );
        assert_eq!(
            meaning(b" multipart/mixed; boundary=boundary-1")
                .unwrap()
                .boundary
                .as_deref(),
            Some(&b"boundary-1"[..])
        );
        assert_eq!(meaning(b" multipart/mixed").unwrap().boundary, None);
        assert!(!meaning(b"").unwrap().plain);
    }

    #[test]
    fn hidden_types_count() {
        assert!(meaning(b" text(;)message/rfc822").unwrap().message);
        assert!(meaning(b" (x) message (y) / (z) rfc822").unwrap().message);
        assert!(!meaning(b" text(x)/plain").unwrap().plain);
    }

    #[test]
    fn ambiguous_boundaries_are_refused() {
        for value in [
            &b" multipart/mixed; boundary=a; boundary=b"[..],
            b" multipart/mixed; boundary*0=a; boundary*1=b",
            b" multipart/mixed; boundary*=utf-8''a",
            b" multipart/mixed; boundary=\"a\\b\"",
            b" multipart/mixed; boundary=a(b)",
            b" multipart/mixed; boundary=\"a",
            b" multipart/mixed; boundary=a b",
            b" multipart/mixed; boundary=\"\"",
            b" multipart/mixed; boundary=\"=?utf-8?q?a?=\"",
            b" multipart/mixed; x=\"; boundary=a\"",
            b" multipart/mixed; xboundary=a",
            b" multipart/mixed; boundary=\"a\r\n b\"",
            b" multipart/mixed; boundary",
        ] {
            assert!(
                meaning(value).is_err(),
                "{}",
                String::from_utf8_lossy(value)
            );
        }
    }

    #[test]
    fn parameters_are_counted() {
        let count = |lines: &[&[u8]]| {
            let mut count = ParameterCount::default();
            lines.iter().map(|line| count.line(line)).last().unwrap()
        };
        assert_eq!(count(&[b" text/plain; charset=utf-8; name=\"a=b;c=d\""]), 2);
        assert_eq!(count(&[b" text/plain; a=b", b" c=d", b"\te=\"f\"g=h"]), 4);
        assert_eq!(count(&[b" text/plain; a=(\") b=c; d=e"]), 3);
    }
}

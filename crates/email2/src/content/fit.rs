//! Parts that mail cannot carry are encoded, or refused with the reason; all
//! others keep their octets (spec §5.1.2, §4.3).

use std::borrow::Cow;

use super::ContentError;
use super::entity::Entity;
use super::outline::{Leaf, outline};
use super::transfer::{self, Encoding};
use crate::limits;

/// What the octets must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Inside a signature that travels in the clear (RFC 3156 §3): 7-bit, and
    /// no line that a mailbox file would change.
    Signed,
    /// Inside a ciphertext, which nobody on the way touches.
    Encrypted,
}

/// Brings the parts of a message into a form that can be carried. The header
/// section at the top is judged elsewhere, except that its transfer encoding
/// follows the body.
///
/// # Errors
/// [`ContentError::Part`] for a part that may not be changed, or whose header
/// cannot be carried.
pub(crate) fn fit(message: &[u8], fit: Fit) -> Result<Cow<'_, [u8]>, ContentError> {
    let outline = outline(message);
    let mut out = Vec::new();
    let mut copied = 0;
    let mut checked = outline.header_end;
    for (index, leaf) in outline.leaves.iter().enumerate() {
        let error = |why| ContentError::Part {
            part: index + 1,
            why,
        };
        check_between(slice(message, checked..leaf.body.start), fit).map_err(error)?;
        checked = leaf.body.end;
        let content = slice(message, leaf.body.clone());
        let Some(why) = obstacle(content, fit) else {
            continue;
        };
        let part = encoded(message, leaf, why).map_err(error)?;
        out.extend_from_slice(slice(message, copied..leaf.header.start));
        out.extend_from_slice(&part);
        copied = leaf.body.end;
    }
    let last = outline.leaves.len();
    check_between(slice(message, checked..message.len()), fit)
        .map_err(|why| ContentError::Part { part: last, why })?;
    if copied == 0 {
        return Ok(Cow::Borrowed(message));
    }
    out.extend_from_slice(slice(message, copied..message.len()));
    Ok(Cow::Owned(out))
}

fn slice(message: &[u8], range: std::ops::Range<usize>) -> &[u8] {
    message.get(range).unwrap_or_default()
}

/// Why octets cannot be carried as they are.
fn obstacle(octets: &[u8], fit: Fit) -> Option<&'static str> {
    line_obstacle(octets).or_else(|| match fit {
        Fit::Signed if !octets.is_ascii() => Some("is 8-bit"),
        Fit::Signed if has_from_line(octets) => Some("has a line that begins with `From `"),
        _ => None,
    })
}

/// The rules of spec §4.3 for every line.
pub(crate) fn line_obstacle(octets: &[u8]) -> Option<&'static str> {
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = match line.strip_suffix(b"\n") {
            Some(text) => match text.strip_suffix(b"\r") {
                Some(text) => text,
                None => return Some("has a bare LF"),
            },
            None => line,
        };
        if text.len() > limits::LINE_OCTETS {
            return Some("has a line over 998 octets");
        }
        if text.contains(&b'\r') {
            return Some("has a bare CR");
        }
        if text.contains(&0) {
            return Some("has a NUL");
        }
    }
    None
}

fn has_from_line(octets: &[u8]) -> bool {
    let mut lines = octets.split(|octet| *octet == b'\n');
    lines.any(|line| line.starts_with(b"From "))
}

/// Headers of parts, preambles and epilogues: nothing there can be encoded.
fn check_between(octets: &[u8], fit: Fit) -> Result<(), &'static str> {
    match line_obstacle(octets) {
        Some(why) => Err(why),
        None if fit == Fit::Encrypted => Ok(()),
        None if std::str::from_utf8(octets).is_err() => Err("has a header that is not UTF-8"),
        None if has_from_line(octets) => Err("has text around it with a `From ` line"),
        None => Ok(()),
    }
}

/// The leaf with another transfer encoding: header, empty line, content.
fn encoded(message: &[u8], leaf: &Leaf, why: &'static str) -> Result<Vec<u8>, &'static str> {
    if leaf.frozen || leaf.kind.starts_with("message/") || leaf.kind.starts_with("multipart/") {
        return Err(why);
    }
    let header = Entity::parse(slice(message, leaf.header.clone()));
    if header.flaw.is_some() || header.named(CTE).count() > 1 {
        return Err(why);
    }
    let body = slice(message, leaf.body.clone());
    let content = transfer::decode(header.only(CTE), body).ok_or(why)?;
    let encoding = Encoding::for_content(&leaf.kind, &content);
    let mut out = Vec::with_capacity(body.len() + body.len() / 3);
    for field in header.fields.iter().filter(|field| !field.is(CTE)) {
        out.extend_from_slice(field.octets);
    }
    out.extend_from_slice(format!("{CTE}: {}\r\n\r\n", encoding.name()).as_bytes());
    let content = encoding.encode(&content);
    out.extend_from_slice(
        content
            .strip_suffix(b"\r\n")
            .filter(|_| !ends_line(body))
            .unwrap_or(&content),
    );
    Ok(out)
}

/// Whether the CRLF at the end belongs to the content, not to a delimiter.
fn ends_line(body: &[u8]) -> bool {
    body.ends_with(b"\r\n")
}

const CTE: &str = "Content-Transfer-Encoding";

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(message: &[u8], rule: Fit) -> Vec<u8> {
        fit(message, rule).unwrap().into_owned()
    }

    #[test]
    fn what_can_be_carried_stays_octet_for_octet() {
        let message = b"A: 1\r\n\r\ntrailing \r\n-- \r\n>From me\r\n";
        assert!(matches!(fit(message, Fit::Signed), Ok(Cow::Borrowed(_))));
        let eight_bit = b"A: 1\r\n\r\n\xff\r\nFrom me\r\n";
        assert!(matches!(
            fit(eight_bit, Fit::Encrypted),
            Ok(Cow::Borrowed(_))
        ));
    }

    #[test]
    fn only_the_part_that_needs_it_is_encoded() {
        let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nFrom me\r\n\
            --b\r\n\r\nstays\r\n--b\r\nContent-Type: x/y\r\n\r\n\x00\r\n--b--\r\n";
        let expected = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n=46rom me\r\n\
            --b\r\n\r\nstays\r\n--b\r\nContent-Type: x/y\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nAA==\r\n--b--\r\n";
        assert_eq!(
            String::from_utf8(fits(message, Fit::Signed)).unwrap(),
            expected
        );
    }

    #[test]
    fn long_lines_bare_line_ends_and_nul_are_encoded_in_both() {
        let long = "x".repeat(999);
        for body in [long.as_bytes(), b"a\rb", b"a\nb", b"a\0b"] {
            let message = [b"Subject: s\r\n\r\n", body].concat();
            for rule in [Fit::Signed, Fit::Encrypted] {
                let fitted = fits(&message, rule);
                assert_eq!(line_obstacle(&fitted), None);
                let entity = Entity::parse(&fitted);
                assert_eq!(
                    transfer::decode(entity.only(CTE), entity.body).unwrap(),
                    body
                );
            }
        }
    }

    #[test]
    fn a_declared_encoding_is_replaced_not_doubled() {
        let line = "QUJD".repeat(300);
        let message = format!("content-transfer-encoding: BASE64\r\nSubject: s\r\n\r\n{line}\r\n");
        let fitted = fits(message.as_bytes(), Fit::Signed);
        let entity = Entity::parse(&fitted);
        assert_eq!(entity.named(CTE).count(), 1);
        assert_eq!(
            transfer::decode(entity.only(CTE), entity.body).unwrap(),
            b"ABC".repeat(300)
        );
    }

    #[test]
    fn what_may_not_be_changed_is_refused_with_the_reason() {
        let attached = b"Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nFrom me\r\n";
        let part = |why| Err(ContentError::Part { part: 1, why });
        assert_eq!(
            fit(attached, Fit::Signed),
            part("has a line that begins with `From `")
        );
        let unknown = b"Content-Transfer-Encoding: x-mine\r\n\r\na\0\r\n";
        assert_eq!(fit(unknown, Fit::Signed), part("has a NUL"));
        let preamble =
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\na\0\r\n--b\r\n\r\n--b--\r\n";
        assert_eq!(fit(preamble, Fit::Encrypted), part("has a NUL"));
    }
}

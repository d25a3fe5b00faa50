//! What goes out: responses, their strings, and the lines that end commands.

use std::fmt::Write as _;

use crate::mailbox_name;
use crate::request::Flags;
use crate::verdict;

/// Longest string that is quoted rather than sent as a literal, octets.
const QUOTED_OCTETS: usize = 1_000;

/// Collects octets to send.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    octets: Vec<u8>,
}

impl Writer {
    /// Octets that wait.
    pub(crate) fn len(&self) -> usize {
        self.octets.len()
    }

    /// All that waits.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        (!self.octets.is_empty()).then(|| std::mem::take(&mut self.octets))
    }

    /// Octets as they are.
    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// A line; `text` is ours.
    pub(crate) fn line(&mut self, text: &str) {
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// An untagged line; `text` is ours.
    pub(crate) fn untagged(&mut self, text: &str) {
        self.raw(b"* ");
        self.line(text);
    }
}

/// A string: quoted when that is safe for every client, else a literal, so
/// that neither quotes nor 8-bit break a response (RFC 9051 §4.3).
pub(crate) fn string(octets: &[u8]) -> Vec<u8> {
    let plain = |&octet: &u8| (0x20..0x7f).contains(&octet);
    if octets.len() > QUOTED_OCTETS || !octets.iter().all(plain) {
        return literal(octets);
    }
    let mut text = vec![b'"'];
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(octet);
    }
    text.push(b'"');
    text
}

/// A literal. NUL cannot stand in one (RFC 9051 §9): it becomes a space.
pub(crate) fn literal(octets: &[u8]) -> Vec<u8> {
    let mut text = format!("{{{}}}\r\n", octets.len()).into_bytes();
    text.extend(
        octets
            .iter()
            .map(|&octet| if octet == 0 { b' ' } else { octet }),
    );
    text
}

/// A string, or NIL.
pub(crate) fn nstring(octets: Option<&[u8]>) -> Vec<u8> {
    octets.map_or_else(|| b"NIL".to_vec(), string)
}

/// The name of a mailbox.
pub(crate) fn mailbox(name: &str) -> Vec<u8> {
    string(mailbox_name::encode(name).as_bytes())
}

/// Flags in parentheses, with the verdict's keyword when the store's record
/// says so (spec §10.3.3).
pub(crate) fn flags(flags: &Flags, verified: bool) -> String {
    let system = [
        (flags.answered, "\\Answered"),
        (flags.flagged, "\\Flagged"),
        (flags.deleted, "\\Deleted"),
        (flags.seen, "\\Seen"),
        (flags.draft, "\\Draft"),
        (verified, verdict::KEYWORD),
    ];
    let system = system.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
    // Set by the server alone: whatever else keeps flags cannot show it.
    let own = |keyword: &&str| !keyword.eq_ignore_ascii_case(verdict::KEYWORD);
    let keywords = flags.keywords.iter().map(String::as_str).filter(own);
    let mut text = String::from("(");
    for name in system.chain(keywords) {
        if text.len() > 1 {
            text.push(' ');
        }
        text.push_str(name);
    }
    text.push(')');
    text
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// OK
    Ok,
    /// NO
    No,
    /// BAD
    Bad,
}

/// The line that ends a command, without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// How.
    pub(crate) condition: Condition,
    /// The response code, without brackets.
    pub(crate) code: Option<String>,
    /// One sentence.
    pub(crate) text: String,
}

impl Completion {
    /// OK.
    pub(crate) fn ok(text: &str) -> Self {
        Self::new(Condition::Ok, None, text)
    }

    /// OK with a response code.
    pub(crate) fn ok_with(code: impl Into<String>, text: &str) -> Self {
        Self::new(Condition::Ok, Some(code.into()), text)
    }

    /// NO with a response code (RFC 5530).
    pub(crate) fn no(code: &str, text: &str) -> Self {
        Self::new(Condition::No, Some(code.to_owned()), text)
    }

    /// BAD.
    pub(crate) fn bad(text: &str) -> Self {
        Self::new(Condition::Bad, None, text)
    }

    fn new(condition: Condition, code: Option<String>, text: &str) -> Self {
        let text = text.to_owned();
        Self {
            condition,
            code,
            text,
        }
    }

    /// The line.
    pub(crate) fn line(&self, tag: &str) -> String {
        let condition = match self.condition {
            Condition::Ok => "OK",
            Condition::No => "NO",
            Condition::Bad => "BAD",
        };
        let mut line = format!("{tag} {condition}");
        if let Some(code) = &self.code {
            // Writing to a String does not fail.
            let _ = write!(line, " [{code}]");
        }
        line.push(' ');
        line.extend(
            self.text
                .chars()
                .map(|c| if c.is_ascii_graphic() { c } else { ' ' }),
        );
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_or_literals() {
        assert_eq!(string(b"a\"b\\c"), b"\"a\\\"b\\\\c\"");
        assert_eq!(string(b"z\xfc"), b"{2}\r\nz\xfc");
        assert_eq!(string(b"a\r\nb"), b"{4}\r\na\r\nb");
        assert_eq!(string(b"a\0b"), b"{3}\r\na b");
        assert_eq!(nstring(None), b"NIL");
    }

    #[test]
    fn the_keyword_comes_from_the_record_alone() {
        let mut set = Flags::default();
        set.keywords.insert("$EMAIL2VERIFIED".to_owned());
        set.seen = true;
        assert_eq!(flags(&set, false), "(\\Seen)");
        assert_eq!(flags(&set, true), "(\\Seen $Email2Verified)");
    }

    #[test]
    fn a_completion_stays_on_its_line() {
        let completion = Completion::no("CANNOT", "a\r\nb OK");
        assert_eq!(completion.line("t1"), "t1 NO [CANNOT] a  b OK");
    }
}

//! How the verdict is named in IMAP (spec §10.3).

/// The keyword of a verified message: in FLAGS, never in PERMANENTFLAGS.
pub const KEYWORD: &str = "$Email2Verified";

/// The header field that the server writes in front of a message.
pub const FIELD: &str = "Email2-Verdict";

/// What stands before the name of such a field that came with a message.
pub(crate) const FOREIGN_PREFIX: &str = "X-";

/// The field with its CRLF. `text` is one line of printable ASCII; what is
/// not, becomes a question mark.
pub fn field(text: &str) -> String {
    let printable = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    let text: String = text.chars().map(printable).collect();
    format!("{FIELD}: {text}\r\n")
}

/// Finds fields of that name in a header section, octet by octet. Whatever
/// some program takes for a line end begins a line here: CRLF, CR, LF; and a
/// name may be in any case and followed by blanks (RFC 5322 §4.5).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameWatch {
    at: u64,
    line: u64,
    state: Watching,
}

#[derive(Clone, Copy, Debug)]
enum Watching {
    /// So many octets of the name have come.
    Name(usize),
    /// The whole name has come; blanks, then the colon.
    Colon,
    /// Not on this line.
    Elsewhere,
}

impl Default for Watching {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl NameWatch {
    /// Looks at the next octet; where the name began, when this is its colon.
    pub(crate) fn push(&mut self, octet: u8) -> Option<u64> {
        self.at += 1;
        if matches!(octet, b'\r' | b'\n') {
            self.line = self.at;
            self.state = Watching::Name(0);
            return None;
        }
        let found = matches!((self.state, octet), (Watching::Colon, b':'));
        self.state = match (self.state, octet) {
            (Watching::Name(come), _) => after(come, octet),
            (Watching::Colon, b' ' | b'\t') => Watching::Colon,
            _ => Watching::Elsewhere,
        };
        found.then_some(self.line)
    }
}

fn after(come: usize, octet: u8) -> Watching {
    let wanted = FIELD.as_bytes().get(come);
    match wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(&octet)) {
        true if come + 1 == FIELD.len() => Watching::Colon,
        true => Watching::Name(come + 1),
        false => Watching::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_verdicts_are_found_however_they_hide() {
        let header = b"Email2-Verdict: a\r\nX: y\nEMAIL2-verdict \t: b\rEmail2-Verdict:c\r\n \
            Email2-Verdict: folded\r\nEmail2-Verdicts: no\r\n";
        let mut watch = NameWatch::default();
        let found: Vec<u64> = header
            .iter()
            .filter_map(|&octet| watch.push(octet))
            .collect();
        assert_eq!(found, [0, 24, 44]);
    }

    #[test]
    fn the_field_is_one_line_of_ascii() {
        assert_eq!(field("v\r\nX: ü"), "Email2-Verdict: v??X: ?\r\n");
    }
}

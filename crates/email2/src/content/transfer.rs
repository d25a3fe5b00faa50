//! Transfer encodings (RFC 2045 §6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest line that is written, octets without CRLF (RFC 2045 §6.7, §6.8).
const LINE: usize = 76;

/// Which encoding is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// For text that is mostly ASCII: readable without decoding.
    QuotedPrintable,
    /// For everything else.
    Base64,
}

impl Encoding {
    /// The value of Content-Transfer-Encoding.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// The shorter encoding for text, base64 for everything else: line ends
    /// mean something only in text.
    pub(crate) fn for_content(kind: &str, content: &[u8]) -> Self {
        let escaped = content.iter().filter(|octet| !is_plain(**octet)).count();
        if kind.starts_with("text/") && escaped <= content.len() / 6 {
            Self::QuotedPrintable
        } else {
            Self::Base64
        }
    }

    /// Encodes. What comes out is ASCII in lines of at most 76 octets, and no
    /// line begins with `From ` or is a single dot.
    pub(crate) fn encode(self, content: &[u8]) -> Vec<u8> {
        match self {
            Self::QuotedPrintable => quoted_printable(content),
            Self::Base64 => base64_lines(content),
        }
    }
}

/// Whether a Content-Transfer-Encoding leaves the octets as they are.
pub(crate) fn is_identity(value: &[u8]) -> bool {
    matches!(
        value.trim_ascii().to_ascii_lowercase().as_slice(),
        b"7bit" | b"8bit" | b"binary" | b""
    )
}

/// Takes a transfer encoding off; `None` when it is unknown or does not decode.
pub(crate) fn decode(encoding: Option<&[u8]>, body: &[u8]) -> Option<Vec<u8>> {
    let encoding = encoding.unwrap_or_default();
    if is_identity(encoding) {
        return Some(body.to_vec());
    }
    match encoding.trim_ascii().to_ascii_lowercase().as_slice() {
        b"base64" => mail_parser::decoders::base64::base64_decode(body),
        b"quoted-printable" => {
            mail_parser::decoders::quoted_printable::quoted_printable_decode(body)
        }
        _ => None,
    }
}

/// Base64 in lines of 76, each ended by CRLF.
fn base64_lines(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() / 3 * 4 + content.len() / 28 + 4);
    for chunk in content.chunks(LINE / 4 * 3) {
        out.extend_from_slice(STANDARD.encode(chunk).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn is_plain(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n') || (octet.is_ascii_graphic() && octet != b'=')
}

/// RFC 2045 §6.7: CRLF is a line end, everything else that is not printable is
/// escaped, a bare CR or LF included.
fn quoted_printable(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 16);
    let mut rest = content;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let (line, behind) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, b""));
        quoted_line(line, &mut out);
        match behind.strip_prefix(b"\r\n") {
            Some(behind) => {
                out.extend_from_slice(b"\r\n");
                rest = behind;
            }
            None => rest = b"",
        }
    }
    out
}

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut rest = line;
    while let [octet, behind @ ..] = rest {
        // A line that goes on needs room for the `=` of its soft break.
        let room = LINE - usize::from(!behind.is_empty());
        let width = if stays(rest, column) { 1 } else { 3 };
        if column + width > room {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if stays(rest, column) {
            out.push(*octet);
            column += 1;
        } else {
            out.extend_from_slice(format!("={octet:02X}").as_bytes());
            column += 3;
        }
        rest = behind;
    }
}

/// Whether the first octet of what is left of a line is written as itself.
fn stays(rest: &[u8], column: usize) -> bool {
    match rest {
        [b' ' | b'\t', behind @ ..] => !behind.is_empty(),
        _ if column == 0 && (rest.starts_with(b"From ") || rest.starts_with(b".")) => false,
        [octet, ..] => octet.is_ascii_graphic() && *octet != b'=',
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back() {
        let mut all: Vec<u8> = (0..=255).collect();
        all.extend_from_slice(b"\r\nFrom here\r\n.\r\ntrailing \r\n=\r\n\tx\t");
        all.extend(std::iter::repeat_n(b'x', 2_000));
        for encoding in [Encoding::QuotedPrintable, Encoding::Base64] {
            let encoded = encoding.encode(&all);
            for line in encoded.split(|octet| *octet == b'\n') {
                assert!(line.len() <= LINE + 1, "{line:?}");
                assert!(!line.starts_with(b"From ") && line != b".\r", "{line:?}");
            }
            assert!(encoded.is_ascii());
            assert_eq!(
                decode(Some(encoding.name().as_bytes()), &encoded),
                Some(all.clone())
            );
        }
    }

    #[test]
    fn from_at_a_soft_break_is_escaped_too() {
        let text = format!("{}From here", "x".repeat(75));
        let encoded = Encoding::QuotedPrintable.encode(text.as_bytes());
        let text = String::from_utf8(encoded).unwrap();
        assert!(
            !text.lines().any(|line| line.starts_with("From ")),
            "{text}"
        );
    }

    #[test]
    fn mostly_binary_text_is_base64() {
        assert_eq!(
            Encoding::for_content("text/plain", b"hello"),
            Encoding::QuotedPrintable
        );
        assert_eq!(
            Encoding::for_content("text/plain", &[200; 9]),
            Encoding::Base64
        );
        assert_eq!(
            Encoding::for_content("image/png", b"hello"),
            Encoding::Base64
        );
        assert_eq!(decode(Some(b" x-uuencode"), b""), None);
        assert_eq!(decode(Some(b" 8BIT "), b"x"), Some(b"x".to_vec()));
    }
}

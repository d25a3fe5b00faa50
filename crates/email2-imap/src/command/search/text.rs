//! What SEARCH looks into of a message's parts, as a person reads it: transfer encodings and
//! charsets taken off while the octets stream by (RFC 9051 §6.4.4), in lower case.

use std::collections::VecDeque;
use std::ops::Range;

use encoding_rs::{Decoder, UTF_8};

use crate::structure::{Field, Kind, Parameters, Part, Structure};

/// Octets of a message as stored that hold text.
#[derive(Debug)]
pub(crate) struct Passage {
    /// Where.
    pub(crate) range: Range<u64>,
    /// What kind of text.
    pub(crate) text: Text,
}

/// A passage's text, as far as its octets have come.
pub(crate) enum Text {
    /// A header section, which is decoded whole.
    Header(Vec<u8>),
    /// The body of a part.
    Body(Transfer, Decoder),
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header(_) => "Header",
            Self::Body(..) => "Body",
        })
    }
}

/// A Content-Transfer-Encoding (RFC 2045 §6), and what it holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// None.
    Plain,
    /// Bits that make no octet yet, and how many.
    Base64(u32, u8),
    /// What stands behind an equals sign.
    Quoted(Escape),
}

/// What of `=XX`, or of `=` at a line's end, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    Nothing,
    Equals,
    Digit(u8),
    LineEnd,
}

/// The passages of a message below its own header, in order.
pub(crate) fn passages(structure: &Structure) -> VecDeque<Passage> {
    let mut found = VecDeque::new();
    for (index, part) in structure.parts().iter().enumerate() {
        if index > 0 {
            found.push_back(Passage {
                range: part.header.clone(),
                text: Text::Header(Vec::new()),
            });
        }
        found.extend(body(part));
    }
    found.retain(|passage| !passage.range.is_empty());
    found
}

/// The body of a part that is text.
fn body(part: &Part) -> Option<Passage> {
    let content = part.fields.get(Field::ContentType);
    let content = content.and_then(Parameters::parse);
    let is_text = content
        .as_ref()
        .is_none_or(|content| content.is("text", "*"));
    (is_text && part.kind == Kind::Leaf).then(|| Passage {
        range: part.body.clone(),
        text: Text::Body(transfer(part), decoder(content.as_ref())),
    })
}

fn transfer(part: &Part) -> Transfer {
    let named = part.fields.get(Field::Encoding).unwrap_or_default();
    if named.eq_ignore_ascii_case(b"base64") {
        Transfer::Base64(0, 0)
    } else if named.eq_ignore_ascii_case(b"quoted-printable") {
        Transfer::Quoted(Escape::Nothing)
    } else {
        Transfer::Plain
    }
}

/// Text without a charset, or with one that nobody knows, is read as UTF-8.
fn decoder(content: Option<&Parameters>) -> Decoder {
    let label = content.and_then(|content| content.get("charset"));
    let charset = label.and_then(encoding_rs::Encoding::for_label);
    charset.unwrap_or(UTF_8).new_decoder_without_bom_handling()
}

impl Text {
    /// What is read of the next octets, in lower case.
    pub(crate) fn push(&mut self, octets: &[u8]) -> String {
        match self {
            Self::Header(header) => {
                header.extend_from_slice(octets);
                String::new()
            }
            Self::Body(transfer, charset) => read(charset, &transfer.decode(octets), false),
        }
    }

    /// What is left at the passage's end.
    pub(crate) fn end(&mut self) -> String {
        match self {
            Self::Header(header) => lines(&super::header::fields_below(header)),
            Self::Body(_, charset) => read(charset, b"", true),
        }
    }
}

/// A header's fields, a line each.
pub(crate) fn lines(fields: &[(String, String)]) -> String {
    let line = |(name, value): &(String, String)| format!("{name}:{value}\n");
    fields.iter().map(line).collect()
}

fn read(charset: &mut Decoder, octets: &[u8], last: bool) -> String {
    let room = charset.max_utf8_buffer_length(octets.len()).unwrap_or(0);
    let mut text = String::with_capacity(room);
    // There is room for all of it.
    let _ = charset.decode_to_string(octets, &mut text, last);
    text.to_lowercase()
}

impl Transfer {
    fn decode(&mut self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => octets.to_vec(),
            Self::Base64(bits, count) => {
                let made = octets
                    .iter()
                    .filter_map(|&octet| sextet(octet, bits, count));
                made.collect()
            }
            Self::Quoted(escape) => {
                let mut text = Vec::with_capacity(octets.len());
                for &octet in octets {
                    *escape = escape.next(octet, &mut text);
                }
                text
            }
        }
    }
}

/// Takes one character of base64; what is none is skipped (RFC 2045 §6.8).
fn sextet(octet: u8, bits: &mut u32, count: &mut u8) -> Option<u8> {
    let value = match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => {
            // Padding: what follows begins anew.
            (*bits, *count) = (0, 0);
            return None;
        }
        _ => return None,
    };
    *bits = (*bits << 6) | u32::from(value);
    *count += 6;
    if *count < 8 {
        return None;
    }
    *count -= 8;
    let [.., made] = (*bits >> *count).to_be_bytes();
    *bits &= (1 << *count) - 1;
    Some(made)
}

impl Escape {
    /// What breaks the rules stays as it stands (RFC 2045 §6.7).
    fn next(self, octet: u8, text: &mut Vec<u8>) -> Self {
        match (self, octet, digit(octet)) {
            (Self::Equals, b'\r', _) => return Self::LineEnd,
            (Self::Equals | Self::LineEnd, b'\n', _) => return Self::Nothing,
            (Self::Equals, _, Some(_)) => return Self::Digit(octet),
            (Self::Digit(first), _, Some(second)) => {
                text.push(digit(first).unwrap_or_default() << 4 | second);
                return Self::Nothing;
            }
            (Self::Equals, _, None) => text.push(b'='),
            (Self::Digit(first), _, None) => text.extend([b'=', first]),
            (Self::Nothing | Self::LineEnd, _, _) => {}
        }
        if octet == b'=' {
            return Self::Equals;
        }
        text.push(octet);
        Self::Nothing
    }
}

fn digit(octet: u8) -> Option<u8> {
    let digit = char::from(octet).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in_pieces(mut transfer: Transfer, text: &[u8]) -> String {
        let pieces = text.chunks(3).flat_map(|piece| transfer.decode(piece));
        String::from_utf8(pieces.collect()).unwrap()
    }

    #[test]
    fn transfer_encodings_are_taken_off_across_pieces() {
        let base64 = Transfer::Base64(0, 0);
        assert_eq!(read_in_pieces(base64, b"U3RyYcOf\r\nZQ==\r\n"), "Straße");
        let quoted = Transfer::Quoted(Escape::Nothing);
        let read = read_in_pieces(quoted, b"Stra=C3=9Fe =\r\nund =3d =x =Ax =\nM");
        assert_eq!(read, "Straße und = =x =Ax M");
    }

    #[test]
    fn charsets_are_taken_off_and_case_with_them() {
        let mut latin = Text::Body(
            Transfer::Plain,
            encoding_rs::WINDOWS_1252.new_decoder_without_bom_handling(),
        );
        assert_eq!(latin.push(b"GR\xdcN"), "grün");
        let mut split = Text::Body(Transfer::Plain, UTF_8.new_decoder_without_bom_handling());
        let read = [split.push(b"\xc3"), split.push(b"\x9cber"), split.end()];
        assert_eq!(read.concat(), "über");
    }
}

//! Encoded words in a display name (RFC 2047), decoded after the field was
//! parsed: what they hold never becomes structure.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mail_parser::decoders::charsets::map::charset_decoder;

/// One word of a display name.
#[derive(Debug)]
pub(super) enum Word<'a> {
    /// An atom, perhaps an encoded word.
    Atom(&'a str),
    /// The content of a quoted string: never an encoded word (RFC 2047 §5).
    Quoted(String),
}

/// Senders forget padding and unused bits; a name is no place to be strict.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Joins the words by single spaces; between two encoded words stands none
/// (RFC 2047 §6.2). Control characters become U+FFFD.
pub(super) fn decode_words(words: &[Word<'_>]) -> String {
    let mut name = String::new();
    let mut behind_encoded = false;
    for word in words {
        let decoded = match word {
            Word::Atom(atom) => decode(atom),
            Word::Quoted(_) => None,
        };
        let encoded = decoded.is_some();
        if !(name.is_empty() || behind_encoded && encoded) {
            name.push(' ');
        }
        match (decoded, word) {
            (Some(text), _) => name.push_str(&text),
            (None, Word::Atom(text)) => name.push_str(text),
            (None, Word::Quoted(text)) => name.push_str(text),
        }
        behind_encoded = encoded;
    }
    name.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Decodes one encoded word; `None` when it is none.
fn decode(atom: &str) -> Option<String> {
    let inner = atom.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.split('?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let octets = match encoding {
        "b" | "B" => LENIENT.decode(text).ok()?,
        "q" | "Q" => decode_q(text.as_bytes())?,
        _ => return None,
    };
    // RFC 2231 §5 lets a language follow the charset.
    let charset = charset.split('*').next()?;
    Some(match charset_decoder(charset.as_bytes()) {
        Some(decoder) => decoder(&octets),
        None => String::from_utf8_lossy(&octets).into_owned(),
    })
}

/// The Q encoding (RFC 2047 §4.2).
fn decode_q(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'_' => b' ',
            b'=' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            other => *other,
        });
    }
    Some(octets)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_kind() {
        assert_eq!(decode("=?utf-8?q?a_b=3D?=").as_deref(), Some("a b="));
        assert_eq!(decode("=?UTF-8*en?B?w7w?=").as_deref(), Some("\u{fc}"));
        assert_eq!(decode("=?iso-8859-1?Q?=fc?=").as_deref(), Some("\u{fc}"));
        assert_eq!(decode("=?utf-8?q?=f?="), None);
        assert_eq!(decode("=?utf-8?x?a?="), None);
        assert_eq!(decode("=?="), None);
        let words = [Word::Atom("a"), Word::Quoted("=?utf-8?q?b?=".to_owned())];
        assert_eq!(decode_words(&words), "a =?utf-8?q?b?=");
    }
}

//! Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183): a value
//! and its parameters, as written.

use email2::limits;

use super::lexer::{Lexer, Token};

/// A value and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// `text/plain`, `attachment`.
    pub(crate) value: Vec<u8>,
    /// Names and values, at most 64 of them.
    pub(crate) list: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Parameters {
    /// Reads a field's value; `None` when it has none.
    pub(crate) fn parse(field: &[u8]) -> Option<Self> {
        let mut tokens = Lexer::new(field, b";=");
        let Some(Token::Word(value)) = tokens.next() else {
            return None;
        };
        let mut list = Vec::new();
        while list.len() < limits::FIELD_PARAMETERS {
            match tokens.next() {
                None => break,
                Some(Token::Word(name)) => list.extend(parameter(name, &mut tokens)),
                Some(Token::Special(_)) => {}
            }
        }
        Some(Self { value, list })
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let named = |(known, _): &&(Vec<u8>, Vec<u8>)| known.eq_ignore_ascii_case(name.as_bytes());
        self.list
            .iter()
            .find(named)
            .map(|(_, value)| value.as_slice())
    }

    /// Type and subtype.
    pub(crate) fn media_type(&self) -> Option<(&[u8], &[u8])> {
        let slash = self.value.iter().position(|&octet| octet == b'/')?;
        let (kind, subtype) = self.value.split_at_checked(slash)?;
        let subtype = subtype.get(1..)?;
        (!kind.is_empty() && !subtype.is_empty()).then_some((kind, subtype))
    }

    /// Whether type and subtype (`*` for any) are these.
    pub(crate) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.media_type().is_some_and(|(k, s)| {
            k.eq_ignore_ascii_case(kind.as_bytes())
                && (subtype == "*" || s.eq_ignore_ascii_case(subtype.as_bytes()))
        })
    }
}

fn parameter(name: Vec<u8>, tokens: &mut Lexer<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    if tokens.next()? != Token::Special(b'=') {
        return None;
    }
    match tokens.next()? {
        Token::Word(value) => Some((name, value)),
        Token::Special(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let read =
            Parameters::parse(b"Text/Plain (x); charset=\"utf-8\" ; format = flowed;").unwrap();
        assert!(read.is("text", "plain"));
        assert_eq!(read.get("CHARSET"), Some(b"utf-8".as_slice()));
        assert_eq!(read.get("format"), Some(b"flowed".as_slice()));
    }

    #[test]
    fn broken_ones_do_no_harm() {
        assert_eq!(Parameters::parse(b" ; a=b"), None);
        let read = Parameters::parse(b"=?utf-8?q?attachment?=; filename").unwrap_or(Parameters {
            value: Vec::new(),
            list: Vec::new(),
        });
        assert!(read.media_type().is_none());
        let many = [b"a/b".as_slice(), &b";x=y".repeat(1_000)].concat();
        assert_eq!(Parameters::parse(&many).unwrap().list.len(), 64);
    }
}

//! Words and specials of structured header fields (RFC 5322 §3.2), read
//! tolerantly: whatever is broken ends a word, nothing is an error.

/// A word, or a special character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An atom, or what a quoted string or a domain literal says.
    Word(Vec<u8>),
    /// One of `<>@,;:/=` and what else stands alone.
    Special(u8),
}

/// Reads a field's value.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    rest: std::slice::Iter<'a, u8>,
    /// Characters that stand alone.
    specials: &'static [u8],
}

impl<'a> Lexer<'a> {
    /// Over `value`; `specials` stand alone.
    pub(crate) fn new(value: &'a [u8], specials: &'static [u8]) -> Self {
        Self {
            rest: value.iter(),
            specials,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_slice().first().copied()
    }

    /// Skips a comment whose parenthesis was read; they nest by counting.
    fn comment(&mut self) {
        let mut depth = 1_usize;
        while let Some(&octet) = self.rest.next() {
            match octet {
                b'\\' => {
                    self.rest.next();
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads to `end`, without escapes.
    fn enclosed(&mut self, end: u8) -> Vec<u8> {
        let mut word = Vec::new();
        while let Some(&octet) = self.rest.next() {
            match octet {
                _ if octet == end => break,
                b'\\' => word.extend(self.rest.next()),
                _ => word.push(octet),
            }
        }
        word
    }

    fn atom(&mut self, first: u8) -> Vec<u8> {
        let mut word = vec![first];
        while let Some(octet) = self.peek() {
            let ends = octet.is_ascii_whitespace() || matches!(octet, b'"' | b'(');
            if ends || self.specials.contains(&octet) {
                break;
            }
            word.push(octet);
            self.rest.next();
        }
        word
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let octet = *self.rest.next()?;
            return Some(match octet {
                b'(' => {
                    self.comment();
                    continue;
                }
                b'"' => Token::Word(self.enclosed(b'"')),
                _ if octet.is_ascii_whitespace() => continue,
                _ if self.specials.contains(&octet) => Token::Special(octet),
                _ => Token::Word(self.atom(octet)),
            });
        }
    }
}

//! Lists of addresses, as ENVELOPE shows them (RFC 9051 §7.5.2).

use super::lexer::{Lexer, Token};
use crate::limits;
use crate::writer::nstring;

/// Writes the addresses of a field, or NIL. What is broken is shown as far as
/// it can be read: an address without `@` has an empty host.
pub(crate) fn write(field: Option<&[u8]>) -> Vec<u8> {
    let mut list = List::default();
    for token in Lexer::new(field.unwrap_or_default(), b"<>@,;:[]\\") {
        if list.count >= limits::ENVELOPE_ADDRESSES {
            break;
        }
        list.take(token);
    }
    list.finish()
}

#[derive(Debug, Default)]
struct List {
    text: Vec<u8>,
    count: usize,
    in_group: bool,
    /// The words before `<`; `Some` while between `<` and `>`.
    display: Option<Vec<u8>>,
    pending: Vec<Token>,
}

impl List {
    fn take(&mut self, token: Token) {
        match (token, self.display.is_some()) {
            (Token::Special(b'<'), false) => {
                self.display = Some(join(&self.pending, b" "));
                self.pending.clear();
            }
            (Token::Special(b'>'), true) => self.flush(),
            (Token::Special(b':'), false) if !self.in_group => {
                let name = join(&self.pending, b" ");
                self.pending.clear();
                self.in_group = true;
                self.entry([None, None, Some(&name), None]);
            }
            (Token::Special(b',' | b';'), true) => {}
            (Token::Special(b','), false) => self.flush(),
            (Token::Special(b';'), false) => self.end_group(),
            (token, _) => self.pending.push(token),
        }
    }

    fn end_group(&mut self) {
        self.flush();
        if std::mem::take(&mut self.in_group) {
            self.entry([None; 4]);
        }
    }

    /// Writes the address in hand, if there is one.
    fn flush(&mut self) {
        let display = self.display.take();
        let tokens = std::mem::take(&mut self.pending);
        if display.is_none() && tokens.is_empty() {
            return;
        }
        let (route, spec) = split_route(&tokens);
        let route = (!route.is_empty()).then(|| join(route, b""));
        let at = spec
            .iter()
            .rposition(|token| *token == Token::Special(b'@'));
        let (local, host) = spec
            .split_at_checked(at.unwrap_or(spec.len()))
            .unwrap_or_default();
        let (local, host) = (
            join(local, b""),
            join(host.get(1..).unwrap_or_default(), b""),
        );
        let name = display.filter(|name| !name.is_empty());
        self.entry([name.as_deref(), route.as_deref(), Some(&local), Some(&host)]);
    }

    fn entry(&mut self, parts: [Option<&[u8]>; 4]) {
        self.count += 1;
        self.text.push(b'(');
        let parts = parts.map(nstring);
        self.text.extend_from_slice(&parts.join(b" ".as_slice()));
        self.text.push(b')');
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_group();
        if self.text.is_empty() {
            return b"NIL".to_vec();
        }
        [b"(".as_slice(), &self.text, b")"].concat()
    }
}

/// The obsolete route of an address (RFC 5322 §4.4), without its colon.
fn split_route(tokens: &[Token]) -> (&[Token], &[Token]) {
    let routed = tokens.first() == Some(&Token::Special(b'@'));
    let colon = tokens
        .iter()
        .position(|token| *token == Token::Special(b':'));
    match colon
        .filter(|_| routed)
        .and_then(|at| tokens.split_at_checked(at))
    {
        Some((route, spec)) => (route, spec.get(1..).unwrap_or_default()),
        None => (&[], tokens),
    }
}

fn join(tokens: &[Token], between: &[u8]) -> Vec<u8> {
    let one = |token: &Token| match token {
        Token::Word(word) => word.clone(),
        Token::Special(octet) => vec![*octet],
    };
    let words: Vec<Vec<u8>> = tokens.iter().map(one).collect();
    words.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(field: &str) -> String {
        String::from_utf8(write(Some(field.as_bytes()))).unwrap()
    }

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(
            written("Bob (x) <bob@example.org>, alice@example.com"),
            "((\"Bob\" NIL \"bob\" \"example.org\")(NIL NIL \"alice\" \"example.com\"))"
        );
        assert_eq!(
            written("team: a@b.c, d@e.f;"),
            "((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"b.c\")(NIL NIL \"d\" \"e.f\")(NIL NIL NIL NIL))"
        );
        assert_eq!(
            written("<@a.b,@c.d:e@f.g>"),
            "((NIL \"@a.b@c.d\" \"e\" \"f.g\"))"
        );
        assert_eq!(written(""), "NIL");
    }

    #[test]
    fn broken_addresses_are_shown_as_far_as_they_go() {
        assert_eq!(
            written("\"A \\\"q\\\" one\" <a@b>, no-at-sign, <@broken>, \"open"),
            "((\"A \\\"q\\\" one\" NIL \"a\" \"b\")(NIL NIL \"no-at-sign\" \"\")\
             (NIL NIL \"\" \"broken\")(NIL NIL \"open\" \"\"))"
        );
    }
}

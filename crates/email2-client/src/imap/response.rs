//! What a server says, as a flat row of tokens: nothing here recurses, indexes or panics.

use super::wire::announced;

/// A piece of a response as it came.
#[derive(Debug)]
pub(super) enum Piece {
    /// A line; it ends in `{n}` when a literal follows.
    Line(Vec<u8>),
    /// A literal.
    Literal(Vec<u8>),
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An atom, number, flag, or an item with what stands in its brackets.
    Atom(String),
    /// A quoted string.
    Quoted(Vec<u8>),
    /// A literal.
    Literal(Vec<u8>),
    /// `(`
    Open,
    /// `)`
    Close,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Done.
    Ok,
    /// Not done, or not understood.
    No,
}

/// One response.
#[derive(Clone, Debug)]
pub(super) struct Response {
    tokens: Vec<Token>,
    line: String,
}

impl Token {
    /// The text of anything but a bracket, not UTF-8 replaced.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Token::Atom(text) => Some(text.clone()),
            Token::Quoted(octets) | Token::Literal(octets) => {
                Some(String::from_utf8_lossy(octets).into_owned())
            }
            Token::Open | Token::Close => None,
        }
    }

    /// The octets of a string; `None` for NIL and all that is no string.
    pub(super) fn as_octets(&self) -> Option<&[u8]> {
        match self {
            Token::Quoted(octets) | Token::Literal(octets) => Some(octets),
            _ => None,
        }
    }
}

impl Response {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let mut tokens = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(octets) => tokens.push(Token::Literal(octets.clone())),
                Piece::Line(line) => {
                    let ends_in_literal = pieces.get(at + 1).is_some();
                    tokenize(without_announcement(line, ends_in_literal), &mut tokens);
                }
            }
        }
        let line = match pieces.first() {
            Some(Piece::Line(line)) => String::from_utf8_lossy(line).into_owned(),
            _ => String::new(),
        };
        Response { tokens, line }
    }

    #[cfg(test)]
    pub(super) fn of_text(line: &str) -> Self {
        Response::new(&[Piece::Line(line.as_bytes().to_vec())])
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(super) fn is_tagged(&self, tag: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Atom(first)) if first == tag)
    }

    pub(super) fn is_continuation(&self) -> bool {
        self.line.starts_with('+')
    }

    /// OK or not, of a status response, tagged or not.
    pub(super) fn status(&self) -> Option<Status> {
        match self.tokens.get(1)?.as_text()?.to_ascii_uppercase().as_str() {
            "OK" | "PREAUTH" => Some(Status::Ok),
            "NO" | "BAD" | "BYE" => Some(Status::No),
            _ => None,
        }
    }

    /// The words for people: behind tag and status.
    pub(super) fn text(&self) -> String {
        let mut words = self.line.splitn(3, ' ');
        words.nth(2).unwrap_or_default().to_owned()
    }

    /// The value of a response code, as `[UIDNEXT 17]`.
    pub(super) fn code(&self, name: &str) -> Option<String> {
        let (_, rest) = self.line.split_once('[')?;
        let (code, _) = rest.split_once(']')?;
        let (key, value) = code.split_once(' ')?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    }

    /// Whether it tells that the mailbox that is open changed.
    pub(super) fn is_change(&self) -> bool {
        let what = self.tokens.get(2).and_then(Token::as_text);
        what.is_some_and(|what| {
            ["EXISTS", "EXPUNGE", "FETCH"]
                .iter()
                .any(|change| change.eq_ignore_ascii_case(&what))
        })
    }

    /// The numbers of a SEARCH response.
    pub(super) fn search(&self) -> Vec<u32> {
        match self.tokens.as_slice() {
            [_, Token::Atom(verb), numbers @ ..] if verb.eq_ignore_ascii_case("SEARCH") => numbers
                .iter()
                .filter_map(|token| token.as_text()?.parse().ok())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The value that a METADATA response gives for `entry`; `Some(None)` for NIL.
    pub(super) fn metadata(&self, entry: &str) -> Option<Option<Vec<u8>>> {
        let is_metadata = self
            .tokens
            .get(1)?
            .as_text()?
            .eq_ignore_ascii_case("METADATA");
        let named = |pair: &&[Token]| {
            let name = pair.first().and_then(Token::as_text);
            name.is_some_and(|name| name.eq_ignore_ascii_case(entry))
        };
        let pair = self.tokens.windows(2).find(named)?;
        is_metadata.then(|| Some(pair.get(1)?.as_octets()?.to_vec()))
    }
}

/// Cuts what came into responses, each with its literals.
pub(super) fn cut(octets: &[u8]) -> Vec<Response> {
    let (mut responses, mut pieces) = (Vec::new(), Vec::new());
    let mut rest = octets;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, behind) = rest.split_at_checked(end).unwrap_or_default();
        rest = behind.get(2..).unwrap_or_default();
        pieces.push(Piece::Line(line.to_vec()));
        match announced(line) {
            None => responses.push(Response::new(&std::mem::take(&mut pieces))),
            Some(length) => {
                let Some((literal, behind)) = rest.split_at_checked(length) else {
                    break;
                };
                pieces.push(Piece::Literal(literal.to_vec()));
                rest = behind;
            }
        }
    }
    responses
}

fn without_announcement(line: &[u8], is_announced: bool) -> &[u8] {
    if !is_announced {
        return line;
    }
    let brace = line.iter().rposition(|&octet| octet == b'{');
    brace.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn tokenize(line: &[u8], tokens: &mut Vec<Token>) {
    let mut rest = line;
    while let Some((&first, behind)) = rest.split_first() {
        rest = match first {
            b' ' => behind,
            b'(' => {
                tokens.push(Token::Open);
                behind
            }
            b')' => {
                tokens.push(Token::Close);
                behind
            }
            b'"' => {
                let (octets, behind) = quoted(behind);
                tokens.push(Token::Quoted(octets));
                behind
            }
            _ => {
                let (atom, behind) = rest.split_at(atom_length(rest));
                tokens.push(Token::Atom(String::from_utf8_lossy(atom).into_owned()));
                behind
            }
        };
    }
}

/// What stands up to the closing quote, and what stands behind it.
fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'"' => break,
            b'\\' => {
                if let Some((&escaped, behind)) = rest.split_first() {
                    octets.push(escaped);
                    rest = behind;
                }
            }
            other => octets.push(other),
        }
    }
    (octets, rest)
}

/// How long the atom at the front is, at least 1: up to a space or parenthesis that stands
/// outside brackets, as in `BODY[HEADER.FIELDS (FROM TO)]`.
fn atom_length(text: &[u8]) -> usize {
    let mut in_brackets = false;
    let end = text.iter().position(|&octet| {
        match octet {
            b'[' => in_brackets = true,
            b']' => in_brackets = false,
            _ => {}
        }
        !in_brackets && matches!(octet, b' ' | b'(' | b')' | b'"')
    });
    end.unwrap_or(text.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_text_and_codes_are_read() {
        let done = Response::of_text("c1 NO [CANNOT] not that one");
        assert!(done.is_tagged("c1"));
        assert_eq!(done.status(), Some(Status::No));
        assert_eq!(done.text(), "[CANNOT] not that one");
        let next = Response::of_text("* OK [UIDNEXT 17] next");
        assert_eq!(next.code("uidnext").as_deref(), Some("17"));
        assert!(Response::of_text("+ idling").is_continuation());
        assert_eq!(Response::of_text("* SEARCH 3 1 x 2").search(), [3, 1, 2]);
    }

    #[test]
    fn metadata_is_found_by_its_entry() {
        let pieces = [
            Piece::Line(b"* METADATA \"\" (/private/vendor/email2/blocks {5}".to_vec()),
            Piece::Literal(b"a\nb\xff\n".to_vec()),
            Piece::Line(b")".to_vec()),
        ];
        let response = Response::new(&pieces);
        assert_eq!(
            response.metadata("/private/vendor/email2/blocks"),
            Some(Some(b"a\nb\xff\n".to_vec()))
        );
        assert_eq!(response.metadata("/private/vendor/email2/legacy"), None);
        let nil = Response::of_text("* METADATA \"\" (/private/x NIL)");
        assert_eq!(nil.metadata("/private/x"), Some(None));
    }

    #[test]
    fn hostile_lines_do_no_harm() {
        for line in [
            "",
            "*",
            "\"",
            "\"\\",
            "((((",
            "))))",
            "[",
            "* 1 FETCH (",
            "\u{fffd}",
        ] {
            let response = Response::of_text(line);
            let _ = (response.status(), response.text(), response.search());
            let _ = response.metadata("x");
        }
    }
}

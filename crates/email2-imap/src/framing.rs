//! Lines and literals: where one command ends and the next begins.
//!
//! Only CRLF ends a line, and literals are counted, never scanned. A command's
//! octets are kept with its literals as they came (`{5}\r\nabcde`) and read by
//! [`Cursor`](crate::grammar::Cursor); the message of APPEND is handed on in
//! pieces and never kept.

use zeroize::Zeroizing;

/// What stands at the end of a line that announces a literal (RFC 9051 §4.3,
/// RFC 7888).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Octets that follow.
    pub(crate) size: u64,
    /// The client waits for our consent.
    pub(crate) waits: bool,
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A literal is announced: [`Framer::keep`], [`Framer::stream`] or
    /// [`Framer::refuse`] it.
    Announced(Literal),
    /// A command, or the rest of one behind a streamed literal, without CRLF.
    Line(Zeroizing<Vec<u8>>),
    /// Octets of a streamed literal.
    Octets(Vec<u8>),
    /// A line that ends with LF alone.
    BareLf,
    /// A command longer than the limit: where the next begins is not known.
    TooLong,
}

#[derive(Debug)]
enum State {
    Line,
    Announced(Literal),
    Kept { left: u64 },
    Streamed { left: u64 },
    Skipped { left: u64 },
}

/// Cuts the stream of octets.
#[derive(Debug)]
pub(crate) struct Framer {
    input: Zeroizing<Vec<u8>>,
    command: Zeroizing<Vec<u8>>,
    /// Where in `command` the line in hand begins.
    line: usize,
    state: State,
    /// The command in hand was answered already; it is only read to its end.
    discard: bool,
    limit: usize,
}

impl Framer {
    /// Commands may have `limit` octets.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            input: Zeroizing::new(Vec::new()),
            command: Zeroizing::new(Vec::new()),
            line: 0,
            state: State::Line,
            discard: false,
            limit,
        }
    }

    /// From the next command on, commands may have `limit` octets.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes octets.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// The command as it stands before the literal that was announced.
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.command
    }

    /// Whether a literal of this size may be kept with its command.
    pub(crate) fn has_room_for(&self, size: u64) -> bool {
        usize::try_from(size)
            .is_ok_and(|size| self.command.len().saturating_add(size) <= self.limit)
    }

    /// Keeps the announced literal with its command.
    pub(crate) fn keep(&mut self) {
        if let State::Announced(literal) = self.state {
            self.state = State::Kept { left: literal.size };
        }
    }

    /// Hands the announced literal on in pieces; the command before it is done with.
    pub(crate) fn stream(&mut self) {
        if let State::Announced(literal) = self.state {
            self.forget();
            self.state = State::Streamed { left: literal.size };
        }
    }

    /// Takes neither the announced literal nor its command. A client that did
    /// not wait sends it all the same: it is skipped.
    pub(crate) fn refuse(&mut self) {
        match self.state {
            State::Announced(literal) if literal.waits => self.forget(),
            State::Announced(Literal { size: left, .. }) | State::Streamed { left } => {
                self.forget();
                self.discard = true;
                self.state = State::Skipped { left };
            }
            _ => {}
        }
    }

    /// The next frame, if its octets are there.
    pub(crate) fn poll(&mut self) -> Option<Frame> {
        loop {
            match self.state {
                State::Line => {
                    if let Some(frame) = self.line()? {
                        return Some(frame);
                    }
                }
                State::Announced(_) => return None,
                State::Kept { left } => self.kept(left)?,
                State::Streamed { left: 0 } | State::Skipped { left: 0 } => {
                    self.state = State::Line;
                }
                State::Streamed { left } => {
                    let octets = self.take(left)?;
                    self.state = State::Streamed {
                        left: left.saturating_sub(octets.len() as u64),
                    };
                    return Some(Frame::Octets(octets));
                }
                State::Skipped { left } => {
                    let skipped = self.take(left)?.len() as u64;
                    self.state = State::Skipped {
                        left: left.saturating_sub(skipped),
                    };
                }
            }
        }
    }

    /// Reads on to the end of a line. `None`: more octets are needed;
    /// `Some(None)`: go on in the new state.
    fn line(&mut self) -> Option<Option<Frame>> {
        let end = self.input.iter().position(|&octet| octet == b'\n');
        let taken = end.map_or(self.input.len(), |end| end + 1);
        self.command.extend(self.input.drain(..taken));
        if self.command.len() > self.limit {
            return Some(Some(Frame::TooLong));
        }
        end?;
        let line = self.command.get(self.line..).unwrap_or_default();
        let Some(text) = line.strip_suffix(b"\r\n") else {
            self.forget();
            return Some(Some(Frame::BareLf));
        };
        match announced(text) {
            Some(literal) => Some(self.announce(literal)),
            None => Some(self.end()),
        }
    }

    fn announce(&mut self, literal: Literal) -> Option<Frame> {
        self.state = State::Announced(literal);
        if self.discard {
            self.refuse();
            return None;
        }
        self.line = self.command.len();
        Some(Frame::Announced(literal))
    }

    fn end(&mut self) -> Option<Frame> {
        let discarded = self.discard;
        let length = self.command.len().saturating_sub(2);
        let mut command = std::mem::take(&mut self.command);
        command.truncate(length);
        self.forget();
        (!discarded).then_some(Frame::Line(command))
    }

    fn kept(&mut self, left: u64) -> Option<()> {
        if left == 0 {
            self.line = self.command.len();
            self.state = State::Line;
            return Some(());
        }
        let octets = Zeroizing::new(self.take(left)?);
        self.command.extend_from_slice(&octets);
        self.state = State::Kept {
            left: left.saturating_sub(octets.len() as u64),
        };
        Some(())
    }

    /// At most `most` octets of the input; `None` when there are none.
    fn take(&mut self, most: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(most).map_or(self.input.len(), |m| m.min(self.input.len()));
        (length > 0).then(|| self.input.drain(..length).collect())
    }

    fn forget(&mut self) {
        self.command = Zeroizing::new(Vec::new());
        self.line = 0;
        self.discard = false;
        self.state = State::Line;
    }
}

/// The literal that a line announces at its end: `{5}`, `{5+}` or `{5-}`.
fn announced(line: &[u8]) -> Option<Literal> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&octet| octet == b'{')?;
    let inner = std::str::from_utf8(inner.get(open + 1..)?).ok()?;
    let number = inner.trim_end_matches(['+', '-']);
    if number.is_empty() || inner.len() > number.len() + 1 {
        return None;
    }
    let digits = number.bytes().all(|octet| octet.is_ascii_digit());
    let size = digits.then(|| number.parse().ok())??;
    let waits = inner.len() == number.len();
    Some(Literal { size, waits })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framer(octets: &[u8]) -> Framer {
        let mut framer = Framer::new(64);
        framer.push(octets);
        framer
    }

    fn line(text: &str) -> Option<Frame> {
        Some(Frame::Line(Zeroizing::new(text.as_bytes().to_vec())))
    }

    #[test]
    fn commands_are_cut_at_crlf() {
        let mut framer = framer(b"a NOOP\r\nb NO");
        assert_eq!(framer.poll(), line("a NOOP"));
        assert_eq!(framer.poll(), None);
        framer.push(b"OP\r\n");
        assert_eq!(framer.poll(), line("b NOOP"));
    }

    #[test]
    fn a_bare_lf_is_told_and_the_stream_stays_in_step() {
        let mut framer = framer(b"a NOOP\nb NOOP\r\n");
        assert_eq!(framer.poll(), Some(Frame::BareLf));
        assert_eq!(framer.poll(), line("b NOOP"));
    }

    #[test]
    fn literals_are_counted_and_never_scanned() {
        let mut framer = framer(b"a LOGIN {4+}\r\n\r\n{9 x\r\n");
        let literal = Literal {
            size: 4,
            waits: false,
        };
        assert_eq!(framer.poll(), Some(Frame::Announced(literal)));
        framer.keep();
        assert_eq!(framer.poll(), line("a LOGIN {4+}\r\n\r\n{9 x"));
    }

    #[test]
    fn a_refused_literal_is_skipped_when_it_comes_anyway() {
        let mut framer = framer(b"a X {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n");
        assert!(matches!(framer.poll(), Some(Frame::Announced(_))));
        framer.refuse();
        assert_eq!(framer.poll(), line("b NOOP"));
    }

    #[test]
    fn a_refused_literal_is_not_awaited_from_a_client_that_waits() {
        let mut framer = framer(b"a X {3}\r\nb NOOP\r\n");
        assert!(matches!(framer.poll(), Some(Frame::Announced(_))));
        framer.refuse();
        assert_eq!(framer.poll(), line("b NOOP"));
    }

    #[test]
    fn a_streamed_literal_comes_in_pieces_and_then_the_rest_of_its_line() {
        let mut framer = framer(b"a APPEND x {5}\r\nab");
        assert!(matches!(framer.poll(), Some(Frame::Announced(_))));
        framer.stream();
        assert_eq!(framer.poll(), Some(Frame::Octets(b"ab".to_vec())));
        assert_eq!(framer.poll(), None);
        framer.push(b"cde\r\nb NOOP\r\n");
        assert_eq!(framer.poll(), Some(Frame::Octets(b"cde".to_vec())));
        assert_eq!(framer.poll(), line(""));
        assert_eq!(framer.poll(), line("b NOOP"));
    }

    #[test]
    fn a_line_without_end_is_too_long() {
        assert_eq!(framer(&[b'a'; 65]).poll(), Some(Frame::TooLong));
        assert_eq!(framer(&[b'a'; 64]).poll(), None);
    }
}

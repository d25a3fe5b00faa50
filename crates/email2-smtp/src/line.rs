//! Lines out of a stream of octets: only CRLF ends one (spec §3.9, RFC 5321 §2.3.8).

/// Octets for which there stays room when all are used: commands, and not the message that came.
const ROOM: usize = 4 * 1024;

/// Octets received and not used yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    octets: Vec<u8>,
    /// Octets at the front that are used already.
    used: usize,
    /// Octets behind `used` in which no CRLF was found yet.
    searched: usize,
    /// A line that was too long is being thrown away up to its CRLF.
    skipping: bool,
}

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// No whole line yet.
    Incomplete,
    /// A line without its CRLF, and without any other CR, LF or NUL.
    Whole(Vec<u8>),
    /// A line with a bare CR or LF or a NUL in it; thrown away.
    Malformed,
    /// A line longer than allowed; thrown away.
    TooLong,
}

impl Input {
    /// Takes in what the other side sent.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        if self.used > 0 {
            self.octets.drain(..self.used);
            self.used = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// What was received and not used yet.
    pub(crate) fn unread(&self) -> &[u8] {
        self.octets.get(self.used..).unwrap_or_default()
    }

    /// Marks `count` octets as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used = self.octets.len().min(self.used.saturating_add(count));
        self.searched = 0;
        if self.used == self.octets.len() && self.octets.capacity() > ROOM {
            self.octets = Vec::new();
            self.used = 0;
        }
    }

    /// Throws away all that was received: nothing sent before STARTTLS is read after it
    /// (RFC 3207 §4.2).
    pub(crate) fn discard(&mut self) {
        *self = Input::default();
    }

    /// Takes the next line; `limit` gives the longest allowed, CRLF included, from the octets
    /// seen of it so far.
    pub(crate) fn take_line(&mut self, limit: impl Fn(&[u8]) -> usize) -> Line {
        let unread = self.unread();
        let Some(end) = crlf_in(unread, self.searched) else {
            return self.without_end(limit(unread));
        };
        let line = unread.get(..end).unwrap_or_default();
        let verdict = if self.skipping || end + 2 > limit(line) {
            Line::TooLong
        } else if line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            Line::Malformed
        } else {
            Line::Whole(line.to_vec())
        };
        self.skipping = false;
        self.consume(end + 2);
        verdict
    }

    fn without_end(&mut self, limit: usize) -> Line {
        let length = self.unread().len();
        if self.skipping || length >= limit {
            self.skipping = true;
            // A CR at the end may be the first half of the CRLF.
            let keep = usize::from(self.unread().last() == Some(&b'\r'));
            self.consume(length - keep);
        } else {
            self.searched = length.saturating_sub(1);
        }
        Line::Incomplete
    }
}

/// Where the first CRLF at or behind `from` begins.
fn crlf_in(octets: &[u8], from: usize) -> Option<usize> {
    let rest = octets.get(from..)?;
    rest.windows(2)
        .position(|pair| pair == b"\r\n")
        .map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &mut Input) -> Line {
        input.take_line(|_| 10)
    }

    #[test]
    fn lines_come_out_whatever_the_pieces() {
        let mut input = Input::default();
        for octet in b"NOOP\r" {
            input.push(&[*octet]);
            assert_eq!(line(&mut input), Line::Incomplete);
        }
        input.push(b"\nQUIT\r\n");
        assert_eq!(line(&mut input), Line::Whole(b"NOOP".to_vec()));
        assert_eq!(line(&mut input), Line::Whole(b"QUIT".to_vec()));
        assert_eq!(line(&mut input), Line::Incomplete);
    }

    #[test]
    fn the_room_of_a_message_is_given_back() {
        let mut input = Input::default();
        input.push(&[b'x'; 2 * ROOM]);
        input.consume(2 * ROOM - 1);
        assert_eq!(input.unread(), b"x");
        input.consume(1);
        assert_eq!(input.octets.capacity(), 0);
        input.push(b"NOOP\r\n");
        assert_eq!(line(&mut input), Line::Whole(b"NOOP".to_vec()));
        assert!(
            input.octets.capacity() > 0,
            "commands have room of their own"
        );
    }

    #[test]
    fn a_long_line_is_reported_once_and_not_kept() {
        let mut input = Input::default();
        input.push(&[b'x'; 5000]);
        assert_eq!(line(&mut input), Line::Incomplete);
        assert!(input.unread().is_empty());
        input.push(b"yyy\r");
        assert_eq!(line(&mut input), Line::Incomplete);
        input.push(b"\nNOOP\r\n");
        assert_eq!(line(&mut input), Line::TooLong);
        assert_eq!(line(&mut input), Line::Whole(b"NOOP".to_vec()));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_taken() {
        let mut input = Input::default();
        input.push(b"12345678\r\n123456789\r\n");
        assert_eq!(line(&mut input), Line::Whole(b"12345678".to_vec()));
        assert_eq!(line(&mut input), Line::TooLong);
    }

    #[test]
    fn bare_line_ends_do_not_end_lines() {
        let mut input = Input::default();
        input.push(b"A\nB\r\n\rC\r\nD\0\r\nE\r\n");
        assert_eq!(line(&mut input), Line::Malformed);
        assert_eq!(line(&mut input), Line::Malformed);
        assert_eq!(line(&mut input), Line::Malformed);
        assert_eq!(line(&mut input), Line::Whole(b"E".to_vec()));
    }
}

//! Octets into lines, whatever the chunks: the ground under the scan and the
//! guard.

use crate::limits;
use crate::rejection::Rejection;

/// What ends a line, and what may not stand in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// CRLF alone; bare CR, bare LF and NUL are refused (spec §3.9).
    Strict,
    /// LF too, for entities that did not come over the wire (decrypted ones).
    Tolerant,
}

/// Cuts octets into lines; holds at most the line in hand.
#[derive(Debug)]
pub(crate) struct Lines {
    framing: Framing,
    longest: usize,
    partial: Vec<u8>,
}

impl Lines {
    /// `longest` is the most octets of a line, without its end.
    pub(crate) fn new(framing: Framing, longest: usize) -> Self {
        Self {
            framing,
            longest,
            partial: Vec::new(),
        }
    }

    /// Gives every line that `octets` completes, without its end.
    pub(crate) fn push(
        &mut self,
        octets: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let mut rest = octets;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let end_of_line = rest.get(..end).unwrap_or_default();
            rest = rest.get(end + 1..).unwrap_or_default();
            if self.partial.is_empty() {
                each(self.checked(end_of_line)?)?;
            } else {
                self.hold(end_of_line)?;
                let whole = std::mem::take(&mut self.partial);
                each(self.checked(&whole)?)?;
                self.partial = whole;
                self.partial.clear();
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            self.hold(rest)
        }
    }

    /// Gives the last line, when it has no end.
    pub(crate) fn finish(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        match self.framing {
            _ if self.partial.is_empty() => Ok(()),
            Framing::Strict => Err(Rejection::NoFinalLineEnd),
            Framing::Tolerant => each(&std::mem::take(&mut self.partial)),
        }
    }

    /// Keeps the beginning of a line. The CR of its end may still be in it.
    fn hold(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        if self.partial.len() + piece.len() > self.longest + 1 {
            return Err(Rejection::LineTooLong {
                limit: self.longest,
            });
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    /// Takes the CR off and refuses what may not stand in a line.
    fn checked<'a>(&self, line: &'a [u8]) -> Result<&'a [u8], Rejection> {
        let (line, ended) = match line.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if line.len() > self.longest {
            return Err(Rejection::LineTooLong {
                limit: self.longest,
            });
        }
        if self.framing == Framing::Tolerant {
            return Ok(line);
        }
        match memchr::memchr2(0, b'\r', line).and_then(|at| line.get(at)) {
            Some(0) => Err(Rejection::Nul),
            Some(_) => Err(Rejection::BareLineEnd),
            None if !ended => Err(Rejection::BareLineEnd),
            None => Ok(line),
        }
    }
}

/// The name of a header line in lower case, and what follows the colon; `None`
/// when the line is no field. It reads as the laxest parser does: white space
/// and leading colons in the name do not count. Whether the name was written as
/// it should is the caller's question.
pub(crate) fn lax_field(line: &[u8]) -> Option<(String, &[u8])> {
    let begin = line
        .iter()
        .position(|o| !o.is_ascii_whitespace() && *o != b':')?;
    let line = line.get(begin..)?;
    let colon = line
        .iter()
        .take(limits::LINE_OCTETS)
        .position(|octet| *octet == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name: Vec<u8> = name
        .iter()
        .filter(|octet| !octet.is_ascii_whitespace())
        .map(u8::to_ascii_lowercase)
        .collect();
    Some((String::from_utf8_lossy(&name).into_owned(), value.get(1..)?))
}

/// Whether a line continues the field above it (RFC 5322 §2.2.3).
pub(crate) fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(framing: Framing, octets: &[u8], chunk: usize) -> Result<Vec<Vec<u8>>, Rejection> {
        let mut lines = Lines::new(framing, 10);
        let mut found = Vec::new();
        let mut each = |line: &[u8]| {
            found.push(line.to_vec());
            Ok(())
        };
        octets
            .chunks(chunk)
            .try_for_each(|octets| lines.push(octets, &mut each))?;
        lines.finish(&mut each)?;
        Ok(found)
    }

    #[test]
    fn chunks_do_not_matter() {
        for chunk in 1..12 {
            let found = lines(Framing::Strict, b"a\r\n\r\n0123456789\r\n", chunk);
            assert_eq!(found.unwrap(), [&b"a"[..], b"", b"0123456789"]);
            for (octets, expected) in [
                (&b"a\nb\r\n"[..], Rejection::BareLineEnd),
                (b"a\rb\r\n", Rejection::BareLineEnd),
                (b"a\r\r\n", Rejection::BareLineEnd),
                (b"a\0\r\n", Rejection::Nul),
                (b"0123456789a\r\n", Rejection::LineTooLong { limit: 10 }),
                (b"0123456789abcdef", Rejection::LineTooLong { limit: 10 }),
                (b"a\r\nb", Rejection::NoFinalLineEnd),
                (b"a\r\nb\r", Rejection::NoFinalLineEnd),
            ] {
                assert_eq!(
                    lines(Framing::Strict, octets, chunk),
                    Err(expected),
                    "{octets:?}"
                );
            }
            let found = lines(Framing::Tolerant, b"a\nb\r\n\0c", chunk).unwrap();
            assert_eq!(found, [&b"a"[..], b"b", b"\0c"]);
        }
    }

    #[test]
    fn names_are_read_as_the_laxest_parser_reads_them() {
        let name = |line: &[u8]| lax_field(line).map(|(name, _)| name);
        assert_eq!(name(b"From: x").as_deref(), Some("from"));
        assert_eq!(name(b" : Fr om\t: x").as_deref(), Some("from"));
        assert_eq!(name(b"no colon"), None);
        assert_eq!(name(b":::"), None);
        assert_eq!(lax_field(b"A:b:c").unwrap().1, b"b:c");
    }
}

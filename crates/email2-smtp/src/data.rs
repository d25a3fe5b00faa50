//! Content by DATA: dots taken out and put in, and the one true end (RFC 5321 §4.5.2).

/// Takes the content out of the octets behind DATA: removes the dots put in for transparency
/// and finds CRLF.CRLF, the only end (spec §3.9.1).
#[derive(Debug)]
pub(crate) struct DataReader {
    state: State,
    fault: Option<Fault>,
}

/// What no content may have (spec §3.9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A CR without LF, or a LF without CR.
    BareLineEnd,
    /// A NUL.
    Nul,
}

/// Named for what was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    DotAtLineStart,
    CrAfterDot,
    Inside,
    Cr,
    Ended,
}

/// What one step took out of the octets received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Octets used.
    pub(crate) used: usize,
    /// The end of the content stood in them.
    pub(crate) ended: bool,
}

impl DataReader {
    /// A reader that stands right behind the CRLF of `DATA`.
    pub(crate) fn new() -> Self {
        DataReader {
            state: State::LineStart,
            fault: None,
        }
    }

    /// The first fault seen so far.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Reads `octets` and appends their content to `content`.
    pub(crate) fn read(&mut self, octets: &[u8], content: &mut Vec<u8>) -> Taken {
        let mut used = 0;
        while self.state != State::Ended {
            let rest = octets.get(used..).unwrap_or_default();
            let run = self.run(rest);
            content.extend_from_slice(rest.get(..run).unwrap_or_default());
            used += run;
            let Some(&octet) = rest.get(run) else { break };
            self.step(octet, content);
            used += 1;
        }
        Taken {
            used,
            ended: self.state == State::Ended,
        }
    }

    /// How many octets at the front are plain content inside a line.
    fn run(&self, octets: &[u8]) -> usize {
        if self.state != State::Inside {
            return 0;
        }
        memchr::memchr3(b'\r', b'\n', 0, octets).unwrap_or(octets.len())
    }

    fn step(&mut self, octet: u8, content: &mut Vec<u8>) {
        self.state = match (self.state, octet) {
            (State::CrAfterDot, b'\n') => State::Ended,
            (State::LineStart, b'.') => State::DotAtLineStart,
            (State::DotAtLineStart, b'\r') => State::CrAfterDot,
            (State::Cr, b'\n') => {
                content.extend_from_slice(b"\r\n");
                State::LineStart
            }
            (State::Cr | State::CrAfterDot, _) => {
                self.fault.get_or_insert(Fault::BareLineEnd);
                self.inside_line(octet)
            }
            _ => {
                if octet != b'\r' {
                    content.push(octet);
                }
                self.inside_line(octet)
            }
        };
    }

    fn inside_line(&mut self, octet: u8) -> State {
        match octet {
            b'\r' => return State::Cr,
            b'\n' => _ = self.fault.get_or_insert(Fault::BareLineEnd),
            0 => _ = self.fault.get_or_insert(Fault::Nul),
            _ => {}
        }
        State::Inside
    }
}

/// Watches octets that come by BDAT for bare CR, bare LF and NUL (spec §3.9.1).
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    after_cr: bool,
    fault: Option<Fault>,
}

impl LineEnds {
    /// Looks at the next octets.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        for &octet in octets {
            if (octet == b'\n') != self.after_cr {
                self.fault.get_or_insert(Fault::BareLineEnd);
            }
            if octet == 0 {
                self.fault.get_or_insert(Fault::Nul);
            }
            self.after_cr = octet == b'\r';
        }
    }

    /// The first fault so far.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The first fault, if the content ended here.
    pub(crate) fn fault_at_end(&self) -> Option<Fault> {
        self.fault.or(self.after_cr.then_some(Fault::BareLineEnd))
    }
}

/// Puts dots in for transparency while content streams by (RFC 5321 §4.5.2).
#[derive(Debug)]
pub(crate) struct DataWriter {
    line_start: bool,
    ends: LineEnds,
}

impl DataWriter {
    /// A writer right behind the reply 354.
    pub(crate) fn new() -> Self {
        DataWriter {
            line_start: true,
            ends: LineEnds::default(),
        }
    }

    /// Appends `content` with dots put in.
    pub(crate) fn write(&mut self, content: &[u8], out: &mut Vec<u8>) {
        self.ends.push(content);
        for line in content.split_inclusive(|&octet| octet == b'\n') {
            if self.line_start && line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            self.line_start = line.last() == Some(&b'\n');
        }
    }

    /// Nothing written had a bare CR, bare LF or NUL: what has may not be sent (S01).
    pub(crate) fn is_pure(&self) -> bool {
        self.ends.fault().is_none()
    }

    /// Appends the end. False when the content did not end with CRLF: then it cannot be
    /// carried unchanged by DATA, and nothing is appended.
    pub(crate) fn end(&self, out: &mut Vec<u8>) -> bool {
        let whole = self.line_start && self.ends.fault_at_end().is_none();
        if whole {
            out.extend_from_slice(b".\r\n");
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> (Vec<u8>, bool, usize, bool) {
        let (mut reader, mut content) = (DataReader::new(), Vec::new());
        let taken = reader.read(octets, &mut content);
        let mut pieces = (DataReader::new(), Vec::new());
        for octet in octets {
            if pieces.0.read(&[*octet], &mut pieces.1).ended {
                break;
            }
        }
        assert_eq!(pieces.1, content, "one octet at a time gives the same");
        assert_eq!(pieces.0.fault(), reader.fault());
        (content, taken.ended, taken.used, reader.fault().is_none())
    }

    #[test]
    fn dots_are_taken_out() {
        let (content, ended, used, pure) = read(b"..a\r\n.b\r\n...\r\nc.\r\n.\r\nQUIT\r\n");
        assert_eq!(content, b".a\r\nb\r\n..\r\nc.\r\n");
        assert!(ended && pure);
        assert_eq!(used, 21);
    }

    #[test]
    fn an_empty_message_is_a_message() {
        assert_eq!(read(b".\r\n"), (Vec::new(), true, 3, true));
        assert_eq!(read(b"\r\n.\r\n"), (b"\r\n".to_vec(), true, 5, true));
    }

    #[test]
    fn only_crlf_dot_crlf_ends() {
        for false_end in [
            "a\n.\r\n",
            "a\n.\n",
            "a\r\n.\n",
            "a\r.\r",
            "a\n.\r\r\n",
            "a\r\n.\r\r\n",
            ".\r.\r\n",
        ] {
            let (_, ended, _, pure) = read(false_end.as_bytes());
            assert!(!ended, "{false_end:?}");
            assert!(!pure, "{false_end:?}");
        }
        assert!(!read(b"a\0b\r\n").3);
        assert!(!read(b"\n").3);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let content = b".\r\n..\r\na\r\n.b\r\n\r\n.";
        let mut out = Vec::new();
        let mut writer = DataWriter::new();
        for piece in content.chunks(3) {
            writer.write(piece, &mut out);
        }
        assert!(!writer.end(&mut out), "no CRLF at the end");
        writer.write(b"\r\n", &mut out);
        assert!(writer.end(&mut out));
        let (back, ended, _, pure) = read(&out);
        assert!(ended && pure);
        assert_eq!(back, b".\r\n..\r\na\r\n.b\r\n\r\n.\r\n");
    }

    #[test]
    fn line_ends_are_watched_across_pieces() {
        let pure = |pieces: &[&[u8]]| {
            let mut ends = LineEnds::default();
            pieces.iter().for_each(|piece| ends.push(piece));
            ends.fault_at_end().is_none()
        };
        assert!(pure(&[b"a\r", b"\nb\r\n"]));
        assert!(pure(&[b"a"]));
        for impure in [&b"a\rb"[..], b"\n", b"a\r", b"\r\r\n", b"\0"] {
            assert!(!pure(&[impure]), "{impure:?}");
        }
    }
}

//! Reads a message line by line, as its octets come.

use super::field::{Field, Fields};
use super::{Kind, Parameters, Part, Structure};
use crate::limits;
use crate::verdict::NameWatch;

/// Octets of a body's line that are looked at: boundaries are shorter.
const BODY_LINE_OCTETS: usize = 1_000;
/// Octets of fields that are kept of a whole message.
const KEPT_OCTETS: usize = 512 * 1024;
/// Most fields of the verdict's name that are noticed.
const FOREIGN_VERDICTS: usize = email2::limits::HEADER_FIELDS;

/// Where the line in hand belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The header of this part.
    Header(usize),
    /// The body of a part without parts, or what stands before the first and
    /// behind the last part of a multipart.
    Body,
}

/// A part that has not ended.
#[derive(Debug)]
struct Open {
    part: usize,
    /// Its boundary while parts may still begin.
    boundary: Option<Vec<u8>>,
    /// Lines of the message before its body.
    lines_before: u64,
}

/// The line in hand.
#[derive(Debug, Default)]
struct Line {
    start: u64,
    head: Vec<u8>,
    whole: bool,
    last: u8,
}

/// Finds a message's structure.
#[derive(Debug)]
pub(crate) struct Scanner {
    structure: Structure,
    open: Vec<Open>,
    state: State,
    at: u64,
    lines: u64,
    line: Line,
    /// Where the text of the line before ended, without its line end.
    text_end: u64,
    field: Option<(Field, Vec<u8>)>,
    kept: usize,
    watch: NameWatch,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// At the beginning of a message.
    pub(crate) fn new() -> Self {
        let mut scanner = Self {
            structure: Structure {
                parts: Vec::new(),
                foreign_verdicts: Vec::new(),
            },
            open: Vec::new(),
            state: State::Header(0),
            at: 0,
            lines: 0,
            line: Line {
                whole: true,
                ..Line::default()
            },
            text_end: 0,
            field: None,
            kept: 0,
            watch: NameWatch::default(),
        };
        scanner.begin_part(0);
        scanner
    }

    /// Whether the message's own header has been read.
    pub(crate) fn has_header(&self) -> bool {
        self.state != State::Header(0)
    }

    /// Where the message's own header ends, once it has been read.
    pub(crate) fn header_end(&self) -> Option<u64> {
        let root = self.structure.root().filter(|_| self.has_header());
        root.map(|root| root.header.end)
    }

    /// Takes the next octets; chunks may end anywhere.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        for piece in octets.split_inclusive(|&octet| octet == b'\n') {
            self.piece(piece);
            if piece.last() == Some(&b'\n') {
                self.end_line();
            }
        }
    }

    /// Ends the message. `size` is its size, for one whose header alone was
    /// read.
    pub(crate) fn finish(mut self, size: u64) -> Structure {
        if self.at > self.line.start {
            self.end_line();
        }
        self.end_field();
        self.close(0, size, size);
        for part in &mut self.structure.parts {
            if part.kind == Kind::Multipart && part.children.is_empty() {
                part.kind = Kind::Opaque;
            }
        }
        self.structure
    }

    fn piece(&mut self, piece: &[u8]) {
        if self.state == State::Header(0) {
            let found = piece.iter().filter_map(|&octet| self.watch.push(octet));
            let room = FOREIGN_VERDICTS.saturating_sub(self.structure.foreign_verdicts.len());
            self.structure.foreign_verdicts.extend(found.take(room));
        }
        let most = match self.state {
            State::Header(_) => limits::FIELD_OCTETS,
            State::Body => BODY_LINE_OCTETS,
        };
        let room = most.saturating_sub(self.line.head.len());
        self.line.whole &= piece.len() <= room;
        self.line.head.extend(piece.iter().take(room));
        let [.., before, b'\n'] = piece else {
            if piece != b"\n" {
                self.line.last = piece.last().copied().unwrap_or_default();
            }
            self.at += piece.len() as u64;
            return;
        };
        self.line.last = *before;
        self.at += piece.len() as u64;
    }

    fn end_line(&mut self) {
        let line = std::mem::replace(
            &mut self.line,
            Line {
                start: self.at,
                whole: true,
                ..Line::default()
            },
        );
        let delimits = line.whole && self.delimiter(&line);
        self.lines += 1;
        if let (false, State::Header(part)) = (delimits, self.state) {
            self.header_line(part, &line);
        }
        let line_end = if line.last == b'\r' { 2 } else { 1 };
        self.text_end = self.at.saturating_sub(line_end).max(line.start);
    }

    fn header_line(&mut self, part: usize, line: &Line) {
        let text = line.head.trim_ascii_end();
        let begun = self
            .structure
            .part(part)
            .map_or(0, |part| part.header.start);
        if line.start - begun > email2::limits::HEADER_OCTETS as u64 {
            return self.end_header(part, line.start);
        }
        // A line of blanks continues a field (RFC 5322 §4.2).
        if matches!(line.head.as_slice(), b"\r\n" | b"\n") {
            return self.end_header(part, self.at);
        }
        if line
            .head
            .first()
            .is_some_and(|octet| matches!(octet, b' ' | b'\t'))
        {
            return self.continue_field(line);
        }
        self.end_field();
        let colon = line.head.iter().position(|&octet| octet == b':');
        if let Some((name, value)) = colon.and_then(|at| text.split_at_checked(at)) {
            let value = value.get(1..).unwrap_or_default().to_vec();
            let field = Field::named(name.trim_ascii_end()).filter(|_| line.whole);
            self.field = field.map(|field| (field, value));
        }
    }

    fn continue_field(&mut self, line: &Line) {
        let Some((_, value)) = &mut self.field else {
            return;
        };
        let end = line
            .head
            .iter()
            .rposition(|octet| !matches!(octet, b'\r' | b'\n'));
        value.extend(line.head.iter().take(end.map_or(0, |end| end + 1)));
        if !line.whole || value.len() > limits::FIELD_OCTETS {
            self.field = None;
        }
    }

    fn end_field(&mut self) {
        let (Some((field, value)), State::Header(part)) = (self.field.take(), self.state) else {
            return;
        };
        self.kept = self.kept.saturating_add(value.len());
        if let Some(part) = self.structure.parts.get_mut(part)
            && self.kept <= KEPT_OCTETS
        {
            part.fields.keep(field, value);
        }
    }

    fn end_header(&mut self, index: usize, at: u64) {
        self.end_field();
        self.state = State::Body;
        let deep = self.open.len() >= limits::MIME_DEPTH;
        let full = self.structure.parts.len() >= limits::MIME_PARTS;
        let default_message = self.is_in_digest();
        let Some(part) = self.structure.parts.get_mut(index) else {
            return;
        };
        part.header.end = at;
        part.body = at..at;
        let content = part
            .fields
            .get(Field::ContentType)
            .and_then(Parameters::parse);
        let boundary = boundary(content.as_ref());
        part.kind = kind(part, content.as_ref(), default_message);
        let opaque = match part.kind {
            Kind::Multipart => deep || boundary.is_none(),
            Kind::Message => deep || full,
            Kind::Leaf | Kind::Opaque => false,
        };
        if opaque {
            part.kind = Kind::Opaque;
        }
        let kind = part.kind;
        if let Some(open) = self.open.last_mut() {
            open.lines_before = self.lines;
            open.boundary = boundary.filter(|_| kind == Kind::Multipart);
        }
        if kind == Kind::Message {
            self.begin_part(at);
        }
    }

    fn is_in_digest(&self) -> bool {
        let above = self
            .open
            .len()
            .checked_sub(2)
            .and_then(|at| self.open.get(at));
        let above = above.and_then(|open| self.structure.part(open.part));
        let content = above.and_then(|part| part.fields.get(Field::ContentType));
        content
            .and_then(Parameters::parse)
            .is_some_and(|content| content.is("multipart", "digest"))
    }

    /// Begins a part of the innermost open one.
    fn begin_part(&mut self, at: u64) {
        let index = self.structure.parts.len();
        if let Some(parent) = self.open.last()
            && let Some(parent) = self.structure.parts.get_mut(parent.part)
        {
            parent.children.push(index);
        }
        self.structure.parts.push(Part {
            kind: Kind::Leaf,
            children: Vec::new(),
            header: at..at,
            body: at..at,
            lines: 0,
            fields: Fields::default(),
        });
        self.open.push(Open {
            part: index,
            boundary: None,
            lines_before: self.lines,
        });
        self.state = State::Header(index);
    }

    /// Whether the line is a boundary of an open multipart; then it is acted on.
    fn delimiter(&mut self, line: &Line) -> bool {
        let Some(text) = line.head.strip_prefix(b"--") else {
            return false;
        };
        // A delimiter is its whole line but for blanks (RFC 2046 §5.1.1).
        let text = text.trim_ascii_end();
        let hit = self
            .open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, open)| {
                let rest = text.strip_prefix(open.boundary.as_deref()?)?;
                let ends = rest == b"--";
                (ends || rest.is_empty()).then_some((level, ends))
            });
        let full = self.structure.parts.len() >= limits::MIME_PARTS;
        let Some((level, ends)) = hit.filter(|(_, ends)| *ends || !full) else {
            return false;
        };
        self.close(level + 1, self.text_end, line.start);
        if ends && let Some(open) = self.open.get_mut(level) {
            open.boundary = None;
        }
        self.state = State::Body;
        if !ends {
            self.begin_part(self.at);
        }
        true
    }

    /// Ends the open parts from `level` on: bodies at `body_end`, headers that
    /// have not ended at `header_end`.
    fn close(&mut self, level: usize, body_end: u64, header_end: u64) {
        self.end_field();
        let header = self.state;
        for open in self.open.drain(level.min(self.open.len())..) {
            let Some(part) = self.structure.parts.get_mut(open.part) else {
                continue;
            };
            if header == State::Header(open.part) {
                part.header.end = header_end.max(part.header.start);
                part.body = part.header.end..part.header.end;
            } else {
                part.body.end = body_end.max(part.body.start);
            }
            part.lines = self.lines.saturating_sub(open.lines_before);
        }
    }
}

fn boundary(content: Option<&Parameters>) -> Option<Vec<u8>> {
    let boundary = content?.get("boundary")?.trim_ascii_end();
    let fits = !boundary.is_empty() && boundary.len() < BODY_LINE_OCTETS / 2;
    fits.then(|| boundary.to_vec())
}

fn kind(part: &Part, content: Option<&Parameters>, default_message: bool) -> Kind {
    let Some(content) = content else {
        return if default_message {
            Kind::Message
        } else {
            Kind::Leaf
        };
    };
    let encoding = part.fields.get(Field::Encoding).unwrap_or(b"7bit");
    let encoded = [b"base64".as_slice(), b"quoted-printable"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(encoding));
    if content.is("multipart", "*") {
        Kind::Multipart
    } else if content.is("message", "rfc822") || content.is("message", "global") {
        if encoded { Kind::Opaque } else { Kind::Message }
    } else {
        Kind::Leaf
    }
}

//! Where the leaves of a message lie (RFC 2046 §5). One pass over the lines
//! with a bounded stack; nothing recursive, nothing decoded.

use std::ops::Range;

use super::entity::{ContentType, Entity, delimiter};
use crate::limits;

/// The leaves of a message and what was seen between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Where the header section at the top ends: at its empty line.
    pub(crate) header_end: usize,
    /// The leaves, in order.
    pub(crate) leaves: Vec<Leaf>,
    /// Whether a part other than the root announces signed or encrypted content.
    pub(crate) nested_protection: bool,
    /// Whether a bound on depth or parts was passed; what lies beyond is opaque.
    pub(crate) too_deep: bool,
}

/// A part without parts. Offsets count from the start of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Its header section, without the empty line.
    pub(crate) header: Range<usize>,
    /// Its content.
    pub(crate) body: Range<usize>,
    /// `type/subtype`, lower case.
    pub(crate) kind: String,
    /// Whether it lies inside a signed, encrypted or attached message, whose
    /// octets may not change.
    pub(crate) frozen: bool,
}

/// Walks over a message, or a MIME entity.
pub(crate) fn outline(octets: &[u8]) -> Outline {
    let mut walker = Walker {
        octets,
        frames: Vec::new(),
        shortest: usize::MAX,
        messages: 0,
        frozen: false,
        region: Region::Header(0),
        found: Outline::default(),
    };
    let mut at = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        walker.line(line, at);
        at += line.len();
    }
    walker.end_region(at, at);
    walker.found
}

struct Walker<'a> {
    octets: &'a [u8],
    frames: Vec<Frame>,
    /// Octets of the shortest boundary so far: no shorter line is a delimiter.
    shortest: usize,
    /// Attached messages around the current line.
    messages: usize,
    frozen: bool,
    region: Region,
    found: Outline,
}

/// A multipart that is open.
struct Frame {
    boundary: Vec<u8>,
    /// Parts without a Content-Type are messages (RFC 2046 §5.1.5).
    digest: bool,
    frozen: bool,
    messages: usize,
}

/// What the current line belongs to.
enum Region {
    /// A header section that began there.
    Header(usize),
    /// The body of a leaf.
    Leaf {
        header: Range<usize>,
        begin: usize,
        kind: String,
    },
    /// Preamble or epilogue.
    Prose,
}

impl Walker<'_> {
    fn line(&mut self, line: &[u8], at: usize) {
        if let Some((frame, closing)) = self.delimiter(line) {
            self.end_region(at, at + line.len());
            self.begin_part(frame, closing, at + line.len());
        } else if let (Region::Header(begin), b"\r\n" | b"\n") = (&self.region, line) {
            self.end_header(*begin..at, at + line.len());
        }
    }

    /// The innermost open multipart that this line delimits.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        if !line.starts_with(b"--") || line.len() - 2 < self.shortest {
            return None;
        }
        let frames = self.frames.iter().enumerate().rev();
        frames
            .filter_map(|(at, frame)| Some((at, delimiter(line, &frame.boundary)?)))
            .next()
    }

    fn begin_part(&mut self, frame: usize, closing: bool, at: usize) {
        self.frames.truncate(frame + 1);
        if let Some(frame) = self.frames.last() {
            self.frozen = frame.frozen;
            self.messages = frame.messages;
        }
        if closing {
            self.frames.pop();
        }
        self.region = if closing {
            Region::Prose
        } else {
            Region::Header(at)
        };
    }

    /// Ends a leaf, or a header without a body, at a delimiter or at the end.
    fn end_region(&mut self, at: usize, behind: usize) {
        let at_delimiter = behind > at;
        let end = if at_delimiter {
            self.before_line_end(at)
        } else {
            at
        };
        match std::mem::replace(&mut self.region, Region::Prose) {
            Region::Leaf {
                header,
                begin,
                kind,
            } => {
                self.leaf(header, begin..end.max(begin), kind);
            }
            Region::Header(begin) => {
                if begin == 0 {
                    self.found.header_end = at;
                }
                let (kind, _) = self.read_header(begin..at);
                self.leaf(begin..at, at..at, kind);
            }
            Region::Prose => {}
        }
    }

    /// The CRLF before a delimiter is the delimiter's.
    fn before_line_end(&self, at: usize) -> usize {
        let before = self.octets.get(..at).unwrap_or_default();
        match before {
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            _ => at,
        }
    }

    fn leaf(&mut self, header: Range<usize>, body: Range<usize>, kind: String) {
        if self.found.leaves.len() == limits::MIME_PARTS {
            self.found.too_deep = true;
            return;
        }
        self.found.leaves.push(Leaf {
            header,
            body,
            kind,
            frozen: self.frozen,
        });
    }

    fn end_header(&mut self, header: Range<usize>, begin: usize) {
        let is_root = header.start == 0;
        if is_root {
            self.found.header_end = header.end;
        }
        let (kind, content_type) = self.read_header(header.clone());
        let is_protection = content_type
            .as_ref()
            .is_some_and(ContentType::is_protection);
        self.found.nested_protection |= is_protection && !is_root;
        let deep = self.frames.len() + self.messages >= limits::MIME_DEPTH;
        let boundary = content_type.as_ref().and_then(ContentType::boundary);
        self.region = match boundary {
            Some(boundary) if !deep => {
                self.open(boundary, kind == "multipart/digest", is_protection);
                Region::Prose
            }
            None if kind == "message/rfc822" && !deep && self.is_plain(&header) => {
                self.messages += 1;
                self.frozen = true;
                Region::Header(begin)
            }
            _ => {
                self.found.too_deep |= deep && (boundary.is_some() || kind == "message/rfc822");
                Region::Leaf {
                    header,
                    begin,
                    kind,
                }
            }
        };
    }

    fn open(&mut self, boundary: &str, digest: bool, freezes: bool) {
        self.shortest = self.shortest.min(boundary.len());
        self.frames.push(Frame {
            boundary: boundary.as_bytes().to_vec(),
            digest,
            frozen: self.frozen || freezes,
            messages: self.messages,
        });
    }

    fn read_header(&self, header: Range<usize>) -> (String, Option<ContentType>) {
        let in_digest = self.frames.last().is_some_and(|frame| frame.digest);
        let entity = Entity::parse(self.octets.get(header).unwrap_or_default());
        let content_type = entity.content_type();
        let kind = match &content_type {
            Some(content_type) => content_type.kind.clone(),
            None if in_digest && entity.named("Content-Type").next().is_none() => {
                "message/rfc822".to_owned()
            }
            None => "text/plain".to_owned(),
        };
        (kind, content_type)
    }

    /// Whether the body stands there without transfer encoding.
    fn is_plain(&self, header: &Range<usize>) -> bool {
        let entity = Entity::parse(self.octets.get(header.clone()).unwrap_or_default());
        let encoding = entity.only("Content-Transfer-Encoding");
        encoding.is_none_or(super::transfer::is_identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(message: &str) -> Vec<(String, String, bool)> {
        let found = outline(message.as_bytes());
        let leaves = found.leaves.into_iter();
        leaves
            .map(|leaf| {
                (
                    leaf.kind,
                    message.get(leaf.body).unwrap().to_owned(),
                    leaf.frozen,
                )
            })
            .collect()
    }

    fn leaf(kind: &str, body: &str, frozen: bool) -> (String, String, bool) {
        (kind.to_owned(), body.to_owned(), frozen)
    }

    #[test]
    fn a_message_without_parts_is_one_leaf() {
        assert_eq!(
            bodies("A: 1\r\n\r\nx\r\n"),
            [leaf("text/plain", "x\r\n", false)]
        );
        assert_eq!(bodies("A: 1\r\n"), [leaf("text/plain", "", false)]);
    }

    #[test]
    fn nested_parts_are_found_in_order() {
        let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\npre\r\n--a\r\n\r\n1\r\n\
            --a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\nContent-Type: x/y\r\n\
            \r\n2\r\n--ab--\r\n--a\r\n\r\n3\r\n\r\n--a--\r\npost\r\n";
        let expected = [
            leaf("text/plain", "1", false),
            leaf("x/y", "2", false),
            leaf("text/plain", "3\r\n", false),
        ];
        assert_eq!(bodies(message), expected);
    }

    #[test]
    fn what_lies_in_a_signed_or_attached_message_is_frozen() {
        let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\n1\r\n--a\r\n\
            Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n2\r\n--s--\r\n\
            --a\r\n\r\n3\r\n--a--\r\n";
        let frozen: Vec<bool> = bodies(message).into_iter().map(|leaf| leaf.2).collect();
        assert_eq!(frozen, [true, true, false]);
        assert!(outline(message.as_bytes()).nested_protection);
    }

    #[test]
    fn depth_is_bounded() {
        let mut message = String::new();
        for depth in 0..2_000 {
            message +=
                &format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n");
        }
        let found = outline(message.as_bytes());
        assert!(found.too_deep);
        assert_eq!(found.leaves.len(), 1);
    }
}

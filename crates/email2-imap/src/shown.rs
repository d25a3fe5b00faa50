//! A message as it is shown: the verdict in front, fields of that name that
//! came with it renamed (spec §10.3.2), everything else octet for octet.
//! Sizes, offsets and sections are those of what is shown.

use std::ops::Range;

use crate::structure::{Kind, Part, Scanner, Structure};
use crate::verdict;

/// Octets of a message as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Ours.
    Made(Vec<u8>),
    /// From the store.
    Stored(Range<u64>),
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Made(octets) => octets.len() as u64,
            Self::Stored(range) => range.end - range.start,
        }
    }

    /// What is left without the octets before `from`, and those from `to` on.
    fn cut(self, from: u64, to: u64) -> Option<Self> {
        let to = to.min(self.length());
        if from >= to {
            return None;
        }
        Some(match self {
            Self::Stored(range) => Self::Stored(range.start + from..range.start + to),
            Self::Made(octets) => {
                let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
                Self::Made(octets.get(from..to)?.to_vec())
            }
        })
    }
}

/// Octets in all.
pub(crate) fn length(segments: &[Segment]) -> u64 {
    segments.iter().map(Segment::length).sum()
}

/// At most `count` octets from `offset` on.
pub(crate) fn cut(segments: Vec<Segment>, offset: u64, count: u64) -> Vec<Segment> {
    let end = offset.saturating_add(count);
    let mut at = 0;
    let mut left = Vec::new();
    for segment in segments {
        let length = segment.length();
        left.extend(segment.cut(offset.saturating_sub(at), end.saturating_sub(at)));
        at += length;
    }
    left
}

/// What a section shows of a part (RFC 9051 §6.4.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All of the message, or the body of a part.
    All,
    /// The header of a message.
    Header,
    /// The body of a message.
    Text,
    /// The header of a part.
    Mime,
}

/// A message and its structure; that of its header alone when `whole` is false.
#[derive(Debug)]
pub(crate) struct Shown {
    field: String,
    size: u64,
    structure: Structure,
    whole: bool,
}

impl Shown {
    /// What `scanner` has read of a message of `size` octets.
    pub(crate) fn new(verdict: &str, size: u64, scanner: Scanner, whole: bool) -> Self {
        Self {
            field: verdict::field(verdict),
            size,
            structure: scanner.finish(size),
            whole,
        }
    }

    /// Whether parts are known, and not the header alone.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Its parts.
    pub(crate) fn structure(&self) -> &Structure {
        &self.structure
    }

    /// RFC822.SIZE.
    pub(crate) fn size(&self) -> u64 {
        let renamed = self.structure.foreign_verdicts().len() * verdict::FOREIGN_PREFIX.len();
        self.size + (self.field.len() + renamed) as u64
    }

    /// What a section shows; `None` when there is no such part.
    pub(crate) fn section(&self, path: &[u32], portion: Portion) -> Option<Vec<Segment>> {
        let header_end = self.structure.root()?.header.end;
        if path.is_empty() {
            return Some(match portion {
                Portion::All => self.all(0..self.size),
                Portion::Header | Portion::Mime => self.all(0..header_end),
                Portion::Text => vec![Segment::Stored(header_end..self.size)],
            });
        }
        let index = self.structure.find(path)?;
        let part = self.structure.part(index)?;
        let range = match portion {
            Portion::All => part.body.clone(),
            Portion::Mime if index == 0 => return Some(self.all(0..header_end)),
            Portion::Mime => part.header.clone(),
            Portion::Header => self.message_in(part)?.header.clone(),
            Portion::Text => self.message_in(part)?.body.clone(),
        };
        Some(vec![Segment::Stored(range)])
    }

    fn message_in(&self, part: &Part) -> Option<&Part> {
        let child = part
            .children
            .first()
            .filter(|_| part.kind == Kind::Message)?;
        self.structure.part(*child)
    }

    /// The message as shown up to and from places in the stored octets;
    /// `range` begins at 0.
    fn all(&self, range: Range<u64>) -> Vec<Segment> {
        let mut segments = vec![Segment::Made(self.field.clone().into_bytes())];
        let mut at = range.start;
        let names = self.structure.foreign_verdicts().iter();
        for &name in names.filter(|name| **name < range.end) {
            segments.push(Segment::Stored(at..name));
            segments.push(Segment::Made(verdict::FOREIGN_PREFIX.as_bytes().to_vec()));
            at = name;
        }
        segments.push(Segment::Stored(at..range.end));
        segments
    }
}

/// The fields of a header section that are named, or those that are not, and
/// the empty line (RFC 9051 §6.4.5.1).
pub(crate) fn select_fields(header: &[u8], names: &[String], named: bool) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut keeping = false;
    for line in header.split_inclusive(|&octet| octet == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let colon = line.iter().position(|&octet| octet == b':');
            let name = colon.and_then(|at| line.get(..at)).unwrap_or_default();
            let is_this =
                |wanted: &String| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
            keeping = names.iter().any(is_this) == named;
        }
        if keeping {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

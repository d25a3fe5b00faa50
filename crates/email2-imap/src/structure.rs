//! What a message is made of, found while its octets stream by: no parser of
//! whole messages, no recursion, memory that does not grow with the message.
//!
//! Depth, parts and what is kept of fields are bounded (spec §8.1, §9.3); what
//! lies beyond is opaque, never an error: a person can fetch whatever is in
//! their mailbox.

mod address;
mod body;
mod envelope;
mod field;
mod lexer;
mod parameters;
mod scanner;

use std::ops::Range;

pub(crate) use body::write as write_body;
pub(crate) use envelope::write as write_envelope;
pub(crate) use field::{Field, Fields};
pub(crate) use parameters::Parameters;
pub(crate) use scanner::Scanner;

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Octets.
    Leaf,
    /// Parts between boundaries.
    Multipart,
    /// A message; its one child.
    Message,
    /// What would be a multipart or a message, and lies too deep or has no
    /// boundary: octets.
    Opaque,
}

/// One part. Ranges are offsets into the message as stored.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it holds.
    pub(crate) kind: Kind,
    /// Its parts, by index.
    pub(crate) children: Vec<usize>,
    /// Header section, with the empty line behind it.
    pub(crate) header: Range<u64>,
    /// Body, without the line end that belongs to a boundary.
    pub(crate) body: Range<u64>,
    /// Lines of the body.
    pub(crate) lines: u64,
    /// What is kept of its header.
    pub(crate) fields: Fields,
}

/// A message's parts; the first one is the message itself.
#[derive(Debug)]
pub(crate) struct Structure {
    parts: Vec<Part>,
    /// Where fields of the verdict's name begin in the root's header (spec §10.3.2).
    foreign_verdicts: Vec<u64>,
}

impl Structure {
    /// The message itself.
    pub(crate) fn root(&self) -> Option<&Part> {
        self.parts.first()
    }

    /// All of its parts, each behind the one that holds it.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part of this index.
    pub(crate) fn part(&self, index: usize) -> Option<&Part> {
        self.parts.get(index)
    }

    /// Places, in the root's header, of fields that are shown as foreign.
    pub(crate) fn foreign_verdicts(&self) -> &[u64] {
        &self.foreign_verdicts
    }

    /// The part that a section's numbers name (RFC 9051 §6.4.5): each number
    /// descends into a multipart, or into the message that a part holds; `1`
    /// of something that has no parts is its own body.
    pub(crate) fn find(&self, path: &[u32]) -> Option<usize> {
        let mut index = 0;
        let mut is_message = true;
        for &number in path {
            let part = self.part(index)?;
            if !is_message && part.kind == Kind::Message {
                index = *part.children.first()?;
                is_message = true;
            }
            let part = self.part(index)?;
            if part.kind == Kind::Multipart {
                let child = usize::try_from(number.checked_sub(1)?).ok()?;
                index = *part.children.get(child)?;
            } else if number != 1 || !is_message {
                return None;
            }
            is_message = false;
        }
        Some(index)
    }
}

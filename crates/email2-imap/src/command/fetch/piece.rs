//! One message's FETCH response, written in pieces as the octets come.

use std::collections::VecDeque;

use super::item::{Content, Item, Section};
use crate::command::Step;
use crate::date;
use crate::limits;
use crate::request::{MessageInfo, MessageKey, Request};
use crate::shown::{self, Portion, Segment, Shown, select_fields};
use crate::structure::{write_body, write_envelope};
use crate::writer::{Writer, flags, literal};

#[derive(Debug)]
enum Piece {
    Segment(Segment),
    /// Header octets that are gathered; fields of them are a literal.
    Fields {
        header: VecDeque<Segment>,
        gathered: Vec<u8>,
        names: Vec<String>,
        named: bool,
        partial: Option<(u64, u64)>,
    },
}

/// What is still to be written of a message.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    message: Option<MessageKey>,
    queue: VecDeque<Piece>,
}

impl Pieces {
    /// The response for these items.
    pub(crate) fn of(
        place: usize,
        message: &MessageInfo,
        items: &[Item],
        shown: Option<&Shown>,
    ) -> Self {
        let mut pieces = Self {
            message: Some(message.key),
            queue: VecDeque::new(),
        };
        pieces.made(format!("* {place} FETCH ("));
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                pieces.made(" ");
            }
            match (item, shown) {
                (Item::Section(section), Some(shown)) => pieces.section(section, shown),
                _ => pieces.made(value(item, message, shown)),
            }
        }
        pieces.made(")\r\n");
        pieces
    }

    fn made(&mut self, octets: impl Into<Vec<u8>>) {
        let made = Segment::Made(octets.into());
        self.queue.push_back(Piece::Segment(made));
    }

    fn section(&mut self, section: &Section, shown: &Shown) {
        self.made(format!("{} ", section.label));
        let portion = match &section.content {
            Content::Portion(portion) => *portion,
            Content::Fields { .. } => Portion::Header,
        };
        let Some(segments) = shown.section(&section.path, portion) else {
            return self.made("NIL");
        };
        if let Content::Fields { names, named } = &section.content {
            return self.queue.push_back(Piece::Fields {
                header: segments.into(),
                gathered: Vec::new(),
                names: names.clone(),
                named: *named,
                partial: section.partial,
            });
        }
        let segments = match section.partial {
            Some((offset, count)) => shown::cut(segments, offset, count),
            None => segments,
        };
        self.made(format!("{{{}}}\r\n", shown::length(&segments)));
        self.queue.extend(segments.into_iter().map(Piece::Segment));
    }

    /// Whether all is written.
    pub(crate) fn is_done(&self) -> bool {
        self.queue.is_empty()
    }

    /// Writes on, until octets are needed or enough is written.
    pub(crate) fn write(&mut self, out: &mut Writer) -> Step {
        loop {
            if out.len() >= limits::TRANSMIT_OCTETS && !self.is_done() {
                return Step::Send;
            }
            let Some(piece) = self.queue.front_mut() else {
                return Step::ok("done");
            };
            let needed = match piece {
                Piece::Segment(Segment::Made(octets)) => {
                    out.raw(octets);
                    None
                }
                Piece::Segment(Segment::Stored(range)) => Some(range.clone()),
                Piece::Fields { header, .. } => needed_of(header),
            };
            match needed.filter(|range| range.start < range.end) {
                Some(range) => return self.ask(range.start, range.end - range.start),
                None => self.done_with_front(out),
            }
        }
    }

    fn ask(&self, offset: u64, left: u64) -> Step {
        let Some(message) = self.message else {
            return Step::Bye("this server made a mistake");
        };
        let length = usize::try_from(left)
            .map_or(limits::CHUNK_OCTETS, |left| left.min(limits::CHUNK_OCTETS));
        Step::Ask(Request::Read {
            message,
            offset,
            length,
        })
    }

    /// The piece in front has all its octets.
    fn done_with_front(&mut self, out: &mut Writer) {
        match self.queue.front_mut() {
            Some(Piece::Fields {
                header,
                gathered,
                names,
                named,
                partial,
            }) => {
                // Made segments are taken as they come to the front.
                if let Some(segment) = header.pop_front() {
                    if let Segment::Made(octets) = segment {
                        gathered.extend(octets);
                    }
                    return;
                }
                let fields = select_fields(gathered, names, *named);
                out.raw(&literal(&cut(fields, *partial)));
            }
            Some(Piece::Segment(_)) | None => {}
        }
        self.queue.pop_front();
    }

    /// Octets that were asked for.
    pub(crate) fn read(&mut self, octets: &[u8], out: &mut Writer) -> Step {
        // Fewer than were promised cannot be made up for.
        if octets.is_empty() {
            return Step::Bye("a message is shorter than its record says");
        }
        let range = match self.queue.front_mut() {
            Some(Piece::Segment(Segment::Stored(range))) => {
                out.raw(octets);
                range
            }
            Some(Piece::Fields {
                header, gathered, ..
            }) => match header.front_mut() {
                Some(Segment::Stored(range)) => {
                    gathered.extend_from_slice(octets);
                    range
                }
                _ => return Step::Bye("this server made a mistake"),
            },
            _ => return Step::Bye("this server made a mistake"),
        };
        range.start += octets.len() as u64;
        if range.start > range.end {
            return Step::Bye("this server made a mistake");
        }
        self.write(out)
    }
}

fn needed_of(header: &VecDeque<Segment>) -> Option<std::ops::Range<u64>> {
    match header.front() {
        Some(Segment::Stored(range)) => Some(range.clone()),
        _ => None,
    }
}

fn cut(octets: Vec<u8>, partial: Option<(u64, u64)>) -> Vec<u8> {
    let Some((offset, count)) = partial else {
        return octets;
    };
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    octets.into_iter().skip(offset).take(count).collect()
}

/// An item that needs no octets, with its name.
fn value(item: &Item, message: &MessageInfo, shown: Option<&Shown>) -> Vec<u8> {
    let named = |name: &str, value: Vec<u8>| [name.as_bytes(), b" ", &value].concat();
    let text = |name: &str, value: String| named(name, value.into_bytes());
    match (item, shown) {
        (Item::Flags, _) => text("FLAGS", flags(&message.flags, message.verified)),
        (Item::Uid, _) => text("UID", message.uid.to_string()),
        (Item::InternalDate, _) => text("INTERNALDATE", date::internal_date(message.received)),
        (Item::Size, Some(shown)) => text("RFC822.SIZE", shown.size().to_string()),
        (Item::Envelope, Some(shown)) => {
            let root = shown.structure().root();
            let written = root.map(|root| write_envelope(&root.fields));
            named("ENVELOPE", written.unwrap_or_default())
        }
        (Item::Structure(true), Some(shown)) => {
            named("BODYSTRUCTURE", write_body(shown.structure(), true))
        }
        (Item::Structure(false), Some(shown)) => {
            named("BODY", write_body(shown.structure(), false))
        }
        (Item::Section(section), _) => text(&section.label, "NIL".to_owned()),
        (_, None) => b"UID 0".to_vec(),
    }
}

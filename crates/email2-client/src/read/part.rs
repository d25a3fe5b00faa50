//! The parts of a message: texts to show, and everything else as files.

use email2::content::Parts;
use mail_parser::decoders::{base64, html, quoted_printable};
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders as _};
use serde::Serialize;

use super::{charset, event};

/// Largest HTML text that is made readable, octets: more is a file.
const HTML_OCTETS: usize = 1024 * 1024;

/// A text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its number, from 1, among all parts.
    pub part: usize,
    /// `text/plain` and the like.
    pub kind: String,
    /// The text; HTML is made readable, not shown as it is.
    pub text: String,
    /// What the reader must be told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// Its number, from 1, among all parts.
    pub part: usize,
    /// `type/subtype`.
    pub kind: String,
    /// The name that the author gave it, as written: not a path to write to.
    pub name: Option<String>,
    /// Octets.
    pub size: usize,
    /// Its content, decoded.
    #[serde(skip)]
    pub content: Vec<u8>,
}

/// Takes an entity apart, in order. What is signed or encrypted further inside
/// stays closed: one file with all that is in it (spec §5.6.2).
pub(super) fn take_apart(entity: &[u8]) -> Found {
    let mut found = Found::default();
    let mut waiting = vec![entity];
    while let Some(entity) = waiting.pop() {
        let cut = Parts::of(entity);
        found.damaged |= cut.damaged;
        if is_closed(&cut.kind) {
            found.closed(entity, cut.kind);
        } else if cut.parts.is_empty() {
            found.leaf(entity, cut.kind);
        } else {
            let shown = match cut.kind.as_str() {
                "multipart/alternative" => alternatives(cut.parts),
                _ => cut.parts,
            };
            waiting.extend(shown.into_iter().rev());
        }
    }
    found
}

/// Of alternatives the plain text, if there is one, in place of the HTML; what
/// is neither is not left out.
fn alternatives(parts: Vec<&[u8]>) -> Vec<&[u8]> {
    let is = |part: &[u8], kind: &str| Parts::kind_of(part) == kind;
    let has_plain = parts.iter().any(|part| is(part, "text/plain"));
    let shown = parts.into_iter();
    shown
        .filter(|part| !has_plain || !is(part, "text/html"))
        .collect()
}

fn is_closed(kind: &str) -> bool {
    matches!(kind, "multipart/signed" | "multipart/encrypted")
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) sections: Vec<Section>,
    pub(super) attachments: Vec<Attached>,
    /// Whether a multipart lacks its end.
    pub(super) damaged: bool,
}

impl Found {
    /// Only this text.
    pub(super) fn only(section: Section) -> Found {
        Found {
            sections: vec![section],
            ..Found::default()
        }
    }

    fn number(&self) -> usize {
        let texts = self.sections.iter().map(|section| section.part);
        let files = self.attachments.iter().map(|attached| attached.part);
        texts.chain(files).max().unwrap_or(0) + 1
    }

    fn closed(&mut self, entity: &[u8], kind: String) {
        let part = self.number();
        self.attachments.push(Attached {
            part,
            kind,
            name: None,
            size: entity.len(),
            content: entity.to_vec(),
        });
    }

    fn leaf(&mut self, entity: &[u8], kind: String) {
        let message = MessageParser::new().parse(entity).unwrap_or_default();
        let Some(part) = message.parts.first() else {
            return self.closed(entity, kind);
        };
        let number = self.number();
        let is_file = part
            .content_disposition()
            .is_some_and(|given| given.is_attachment());
        let octets = content(&message, part);
        let is_text = kind.starts_with("text/") && !is_file;
        if !is_text || (kind == "text/html" && octets.len() > HTML_OCTETS) {
            return self.file(part, number, kind, octets);
        }
        let declared = part
            .content_type()
            .and_then(|kind| kind.attribute("charset"));
        let (text, note) = charset::decode(&octets, declared);
        let text = match kind.as_str() {
            "text/html" => html::html_to_text(&text),
            "text/calendar" => {
                self.file(part, number, kind.clone(), octets);
                event::describe(&text)
            }
            _ => text,
        };
        self.sections.push(Section {
            part: number,
            kind,
            text,
            note,
        });
    }

    fn file(&mut self, part: &MessagePart<'_>, number: usize, kind: String, content: Vec<u8>) {
        self.attachments.push(Attached {
            part: number,
            name: part.attachment_name().map(str::to_owned),
            size: content.len(),
            content,
            kind,
        });
    }
}

/// The content of a leaf, transfer encoding taken off, charset left on.
fn content(message: &Message<'_>, part: &MessagePart<'_>) -> Vec<u8> {
    let raw = message.raw_message.get(part.offset_body as usize..);
    let raw = raw.unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::None => None,
        Encoding::Base64 => base64::base64_decode(raw),
        Encoding::QuotedPrintable => quoted_printable::quoted_printable_decode(raw),
    };
    decoded.unwrap_or_else(|| raw.to_vec())
}

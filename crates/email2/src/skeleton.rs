//! The guard in front of every parser (spec §9.3): bounds the structure of a
//! message while its octets stream by. It never recurses and takes linear time.
//!
//! It is a pessimist: whatever some parser may take for a header section, a
//! delimiter or an attached message counts. It follows two readings at once, the
//! RFCs' and that of a parser that finds a delimiter anywhere in a line and
//! never closes a multipart that was not closed.

mod boundaries;
mod content_type;

use crate::limits;
use crate::line::{Framing, Lines, is_folded, lax_field};
use crate::rejection::Rejection;

use boundaries::{Boundaries, Delimiter};
use content_type::{ParameterCount, meaning};

/// Watches a message's structure as it arrives.
#[derive(Debug)]
pub struct Skeleton {
    lines: Lines,
    structure: Structure,
}

impl Default for Skeleton {
    fn default() -> Self {
        Self::new()
    }
}

impl Skeleton {
    /// Begins with the header section of a message.
    pub fn new() -> Self {
        let lines = Lines::new(Framing::Tolerant, limits::ORDINARY_LINE_OCTETS);
        Self {
            lines,
            structure: Structure::new(),
        }
    }

    /// Takes the next octets; chunks may end anywhere.
    ///
    /// # Errors
    /// The first bound that is passed; nothing may be pushed after it.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        let Self { lines, structure } = self;
        lines.push(octets, |line| structure.line(line))
    }

    /// How many parts, attached messages included, a parser can have found so far
    /// at most.
    pub fn parts(&self) -> usize {
        self.structure.parts
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`Skeleton::push`], for a last line without an end.
    pub fn finish(mut self) -> Result<(), Rejection> {
        let Self { lines, structure } = &mut self;
        lines.finish(|line| structure.line(line))?;
        structure.finish()
    }

    /// Checks a whole message or MIME entity in memory.
    ///
    /// # Errors
    /// As [`Skeleton::push`].
    pub fn check(entity: &[u8]) -> Result<(), Rejection> {
        let mut skeleton = Self::new();
        skeleton.push(entity)?;
        skeleton.finish()
    }
}

/// The guard behind the lines.
#[derive(Debug)]
pub(crate) struct Structure {
    boundaries: Boundaries,
    parts: usize,
    /// The header section that is being read; `None` in a body.
    section: Option<Section>,
}

/// A header section in progress.
#[derive(Debug, Default)]
struct Section {
    depth: usize,
    /// Without a type the part is a message (RFC 2046 §5.1.5).
    digest: bool,
    octets: usize,
    fields: usize,
    addresses: usize,
    field: Field,
    /// It has a plain Content-Type.
    typed: bool,
    /// It has a Content-Type in which some parser sees no type.
    mistyped: bool,
    /// It has a Content-Type of an attached message.
    message: bool,
    /// Its body is encoded.
    encoded: bool,
}

/// The field that the next line may continue.
#[derive(Debug, Default)]
struct Field {
    kind: Kind,
    value: Vec<u8>,
    parameters: ParameterCount,
    quoted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Nothing that a folded line could continue.
    #[default]
    None,
    ContentType,
    Encoding,
    Parameters,
    Addresses,
    Other,
}

impl Structure {
    pub(crate) fn new() -> Self {
        let section = Some(Section::default());
        Self {
            boundaries: Boundaries::new(),
            parts: 1,
            section,
        }
    }

    /// Takes one line, without its end.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), Rejection> {
        // Looked for before the line can declare a boundary: a declaration is
        // no delimiter of itself.
        let delimiters = self.boundaries.delimiters(line, self.section.is_some());
        if self.boundaries.are_overworked() {
            let what = "lines that nearly repeat a boundary";
            return Err(Rejection::AmbiguousMime { what });
        }
        self.header_line(line)?;
        let mut opening = delimiters
            .into_iter()
            .filter(|delimiter| delimiter.opens)
            .peekable();
        if opening.peek().is_some() {
            self.open(opening, line)?;
        }
        Ok(())
    }

    /// Ends the message.
    pub(crate) fn finish(&mut self) -> Result<(), Rejection> {
        self.end_field()
    }

    /// Begins a part: one section stands for all readings of the line.
    fn open(
        &mut self,
        delimiters: impl Iterator<Item = Delimiter>,
        line: &[u8],
    ) -> Result<(), Rejection> {
        self.end_field()?;
        let unfinished = self.section.take().unwrap_or_default();
        let mut section = Section {
            depth: unfinished.depth,
            message: unfinished.message,
            encoded: unfinished.encoded,
            ..Section::default()
        };
        let mut rests = Vec::new();
        for delimiter in delimiters {
            self.count_part()?;
            section.depth = section.depth.max(delimiter.depth);
            section.digest |= delimiter.digest;
            rests.push(line.get(delimiter.end..).unwrap_or_default());
        }
        self.section = Some(section);
        // Some parsers read what stands behind a delimiter as the first field.
        rests
            .into_iter()
            .filter(|rest| !rest.trim_ascii().is_empty())
            .try_for_each(|rest| {
                self.header_line(rest)?;
                self.end_field()
            })
    }

    fn count_part(&mut self) -> Result<(), Rejection> {
        self.parts += 1;
        if self.parts > limits::MIME_PARTS {
            Err(Rejection::TooManyParts)
        } else {
            Ok(())
        }
    }

    /// Reads a line as part of a header section, if one is being read.
    fn header_line(&mut self, line: &[u8]) -> Result<(), Rejection> {
        let Some(section) = &mut self.section else {
            return Ok(());
        };
        section.count_line(line)?;
        let continues = section.field.kind != Kind::None;
        if line.is_empty() {
            return self.end_section();
        }
        if is_folded(line) && continues {
            return section.continue_field(line);
        }
        self.end_field()?;
        let Some(section) = &mut self.section else {
            return Ok(());
        };
        match lax_field(line) {
            Some((name, value)) => section.begin_field(kind_of(&name), value),
            // A blank line that is not empty ends the section for some parsers.
            None if line.trim_ascii().is_empty() => self.end_section_perhaps(),
            None => Ok(()),
        }
    }

    /// Acts on the field that has ended.
    fn end_field(&mut self) -> Result<(), Rejection> {
        let Some(section) = &mut self.section else {
            return Ok(());
        };
        let field = std::mem::take(&mut section.field);
        match field.kind {
            Kind::ContentType => self.end_content_type(&field.value),
            Kind::Encoding => {
                section.encoded |= is_encoded(&field.value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end_content_type(&mut self, value: &[u8]) -> Result<(), Rejection> {
        let Some(section) = &mut self.section else {
            return Ok(());
        };
        let meaning = meaning(value)?;
        section.typed |= meaning.plain;
        section.mistyped |= !meaning.plain;
        if meaning.message {
            section.message = true;
            section.depth = deeper(section.depth)?;
        }
        if let Some(boundary) = meaning.boundary {
            let depth = deeper(section.depth)?;
            self.boundaries.declare(&boundary, depth, meaning.digest);
        }
        if self.boundaries.declared() > limits::MIME_PARTS {
            return Err(Rejection::TooManyParts);
        }
        if self.boundaries.unopened() > limits::UNOPENED_BOUNDARIES {
            return Err(Rejection::AmbiguousMime {
                what: "boundaries that do not occur",
            });
        }
        Ok(())
    }

    /// An empty line: a body follows, or the header section of an attached
    /// message.
    fn end_section(&mut self) -> Result<(), Rejection> {
        self.end_field()?;
        let Some(section) = self.section.take() else {
            return Ok(());
        };
        let by_default = section.digest && (section.mistyped || !section.typed);
        if !section.message && !by_default {
            return Ok(());
        }
        if section.encoded {
            // RFC 2046 §5.2.1 forbids it, and some parsers decode and descend.
            return Err(Rejection::AmbiguousMime {
                what: "an attached message is encoded",
            });
        }
        self.count_part()?;
        let depth = if section.message {
            section.depth
        } else {
            deeper(section.depth)?
        };
        self.section = Some(Section {
            depth,
            ..Section::default()
        });
        Ok(())
    }

    /// A line of blanks: some parsers end the section here, some do not. What
    /// follows is read as a header section in both cases.
    fn end_section_perhaps(&mut self) -> Result<(), Rejection> {
        let before = self
            .section
            .as_ref()
            .map(|section| (section.depth, section.octets));
        self.end_section()?;
        if let (None, Some((depth, octets))) = (&self.section, before) {
            self.section = Some(Section {
                depth,
                octets,
                ..Section::default()
            });
        }
        Ok(())
    }
}

impl Section {
    /// Counts a line against the bounds of a header section.
    fn count_line(&mut self, line: &[u8]) -> Result<(), Rejection> {
        if line.len() > limits::LINE_OCTETS {
            return Err(Rejection::LineTooLong {
                limit: limits::LINE_OCTETS,
            });
        }
        self.octets += line.len() + 2;
        if self.octets > limits::HEADER_OCTETS {
            return Err(Rejection::HeaderTooBig);
        }
        Ok(())
    }

    fn begin_field(&mut self, kind: Kind, value: &[u8]) -> Result<(), Rejection> {
        self.fields += 1;
        if self.fields > limits::HEADER_FIELDS {
            return Err(Rejection::TooManyFields);
        }
        self.field = Field {
            kind,
            ..Field::default()
        };
        self.addresses += usize::from(kind == Kind::Addresses);
        self.continue_field(value)
    }

    fn continue_field(&mut self, line: &[u8]) -> Result<(), Rejection> {
        let field = &mut self.field;
        match field.kind {
            Kind::ContentType => {
                field.value.extend_from_slice(line);
                field.value.extend_from_slice(b"\r\n");
                field.count_parameters(line)
            }
            Kind::Encoding => {
                field.value.extend_from_slice(line);
                Ok(())
            }
            Kind::Parameters => field.count_parameters(line),
            Kind::Addresses => self.count_addresses(line),
            Kind::None | Kind::Other => Ok(()),
        }
    }

    fn count_addresses(&mut self, line: &[u8]) -> Result<(), Rejection> {
        for octet in line {
            self.field.quoted ^= *octet == b'"';
            let separates = matches!(octet, b',' | b';' | b':') && !self.field.quoted;
            self.addresses += usize::from(separates);
        }
        if self.addresses > limits::HEADER_ADDRESSES {
            return Err(Rejection::TooManyAddresses);
        }
        Ok(())
    }
}

impl Field {
    fn count_parameters(&mut self, line: &[u8]) -> Result<(), Rejection> {
        if self.parameters.line(line) > limits::FIELD_PARAMETERS {
            return Err(Rejection::TooManyParameters);
        }
        Ok(())
    }
}

/// One level deeper, if that is allowed.
fn deeper(depth: usize) -> Result<usize, Rejection> {
    if depth >= limits::MIME_DEPTH {
        Err(Rejection::TooDeep)
    } else {
        Ok(depth + 1)
    }
}

/// What to count in a field of that name (lower case).
fn kind_of(name: &str) -> Kind {
    match name {
        "content-type" => Kind::ContentType,
        "content-transfer-encoding" => Kind::Encoding,
        "from" | "to" | "cc" | "bcc" | "reply-to" | "sender" => Kind::Addresses,
        _ if name.starts_with("content-") => Kind::Parameters,
        _ if name.starts_with("resent-") || name.starts_with("list-") => Kind::Addresses,
        _ => Kind::Other,
    }
}

/// Whether some parser would decode the body: base64 or quoted-printable, also
/// when an encoded word hides it.
fn is_encoded(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    [&b"base64"[..], b"quoted-printable", b"=?"]
        .iter()
        .any(|word| lower.windows(word.len()).any(|window| window == *word))
}

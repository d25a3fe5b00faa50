//! A MIME entity as octets: its fields, its body, its parts (RFC 5322 §2.2,
//! RFC 2046 §5.1). Nothing is decoded, nothing copied, nothing recursive.

use memchr::memmem;

use crate::limits;

/// A MIME entity, taken apart one level, as this protocol cuts it everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// `type/subtype`, lower case; `text/plain` where nothing is said.
    pub kind: String,
    /// The parts of a multipart, in order; none for anything else.
    pub parts: Vec<&'a [u8]>,
    /// Whether a multipart lacks its closing delimiter: something is missing.
    pub damaged: bool,
}

impl<'a> Parts<'a> {
    /// Cuts an entity, whose structure was bounded before (spec §5.6.7).
    pub fn of(entity: &'a [u8]) -> Self {
        let entity = Entity::parse(entity);
        let content_type = entity.content_type();
        let boundary = content_type.as_ref().and_then(ContentType::boundary);
        let cut = boundary.map(|boundary| Multipart::split(entity.body, boundary));
        Self {
            damaged: cut.as_ref().is_some_and(|cut| !cut.closed),
            parts: cut.map(|cut| cut.parts).unwrap_or_default(),
            kind: content_type.map_or("text/plain".to_owned(), |it| it.kind),
        }
    }

    /// The kind of an entity, by its header alone.
    pub fn kind_of(entity: &[u8]) -> String {
        let content_type = Entity::parse(entity).content_type();
        content_type.map_or("text/plain".to_owned(), |it| it.kind)
    }
}

/// A header section and what follows it.
#[derive(Clone, Debug)]
pub(crate) struct Entity<'a> {
    /// The fields, in order.
    pub(crate) fields: Vec<RawField<'a>>,
    /// What follows the empty line; nothing when there is none.
    pub(crate) body: &'a [u8],
    /// Why the header section is none that may be protected.
    pub(crate) flaw: Option<&'static str>,
}

/// A header field as octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawField<'a> {
    /// The name, as written.
    pub(crate) name: &'a str,
    /// What follows the colon, without the final CRLF, folds kept.
    pub(crate) value: &'a [u8],
    /// The whole field with its final CRLF.
    pub(crate) octets: &'a [u8],
}

impl RawField<'_> {
    /// Whether the field has this name (any case).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the field describes the body rather than the message (RFC 9788
    /// §1.1: structural).
    pub(crate) fn is_structural(&self) -> bool {
        is_structural(self.name)
    }
}

/// Whether a field of this name describes the body rather than the message.
pub(crate) fn is_structural(name: &str) -> bool {
    let content = name.as_bytes().get(.."content-".len());
    content.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"content-"))
        || name.eq_ignore_ascii_case("mime-version")
}

impl<'a> Entity<'a> {
    /// Reads an entity. A line that is no field ends the header section, as
    /// mail programs take it; it is a flaw for whoever protects.
    pub(crate) fn parse(octets: &'a [u8]) -> Self {
        let mut entity = Self {
            fields: Vec::new(),
            body: &[],
            flaw: None,
        };
        let mut rest = octets;
        loop {
            if rest.is_empty() {
                return entity;
            }
            if let Some(body) = rest.strip_prefix(b"\r\n") {
                entity.body = body;
                return entity;
            }
            match take_field(rest) {
                Some((field, behind)) if entity.fields.len() < limits::HEADER_FIELDS => {
                    entity.fields.push(field);
                    rest = behind;
                }
                _ => {
                    entity.body = rest;
                    entity.flaw = Some("holds a line that is no header field");
                    return entity;
                }
            }
        }
    }

    /// The fields of that name (any case), in order.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &RawField<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// The value of the only field of that name; `None` when there is none or
    /// more than one.
    pub(crate) fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut found = self.named(name);
        let value = found.next()?.value;
        found.next().is_none().then_some(value)
    }

    /// The Content-Type; `None` when it is absent, doubled or does not parse.
    pub(crate) fn content_type(&self) -> Option<ContentType> {
        ContentType::parse(self.only("Content-Type")?)
    }
}

/// Cuts the first field off; `None` when the line is none.
fn take_field(octets: &[u8]) -> Option<(RawField<'_>, &[u8])> {
    let colon = octets.iter().position(|octet| !is_field_name(*octet))?;
    let (name, behind) = octets.split_at_checked(colon)?;
    let behind = behind.strip_prefix(b":")?;
    if name.is_empty() {
        return None;
    }
    let length = folded_length(behind);
    let (value, rest) = behind.split_at_checked(length)?;
    let (whole, _) = octets.split_at_checked(colon + 1 + length)?;
    let field = RawField {
        name: std::str::from_utf8(name).ok()?,
        value: value.strip_suffix(b"\r\n").unwrap_or(value),
        octets: whole,
    };
    Some((field, rest))
}

/// Octets up to and with the first CRLF that no white space follows.
fn folded_length(octets: &[u8]) -> usize {
    let mut length = 0;
    let mut lines = octets.split_inclusive(|octet| *octet == b'\n');
    let mut ended = false;
    for line in &mut lines {
        if ended && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            break;
        }
        ended = line.ends_with(b"\r\n");
        length += line.len();
    }
    length
}

/// RFC 5322 §2.2: printable US-ASCII except the colon.
fn is_field_name(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b':'
}

/// A Content-Type field, or another one with parameters (RFC 2045 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// `type/subtype`, lower case.
    pub(crate) kind: String,
    /// Parameters in order; names in lower case.
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// Reads a value strictly; comments are dropped.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let mut rest = without_comments(text)?;
        let kind = rest.split(';').next()?.trim().to_ascii_lowercase();
        let (main, sub) = kind.split_once('/')?;
        if !is_token(main) || !is_token(sub) {
            return None;
        }
        rest = rest.get(rest.find(';').unwrap_or(rest.len())..)?.to_owned();
        let parameters = parameters(&rest)?;
        Some(Self { kind, parameters })
    }

    /// The parameter of that name (lower case), if it stands exactly once.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_str())
    }

    /// Whether this is `multipart/…` with a boundary.
    pub(crate) fn boundary(&self) -> Option<&str> {
        let boundary = self.parameter("boundary")?;
        (self.kind.starts_with("multipart/") && !boundary.is_empty()).then_some(boundary)
    }

    /// Whether it announces another layer of protection.
    pub(crate) fn is_protection(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "multipart/signed"
                | "multipart/encrypted"
                | "application/pkcs7-mime"
                | "application/x-pkcs7-mime"
        )
    }
}

/// Parameters, each begun by `;`. An empty one is skipped, as real mail has it.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim_matches(is_blank);
    while !rest.is_empty() {
        rest = rest.strip_prefix(';')?.trim_start_matches(is_blank);
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_matches(is_blank).to_ascii_lowercase();
        let (value, behind) = parameter_value(behind.trim_start_matches(is_blank))?;
        if !is_token(&name) || found.len() == limits::FIELD_PARAMETERS {
            return None;
        }
        found.push((name, value));
        rest = behind.trim_start_matches(is_blank);
    }
    Some(found)
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ';' || is_blank(c));
        let (value, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
        return is_value(value).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => {
                escaped = true;
                continue;
            }
            '"' => return Some((value, quoted.get(at + 1..)?)),
            _ => {}
        }
        if !matches!(character, '\r' | '\n') {
            value.push(character);
        }
    }
    None
}

/// Removes comments outside of quoted strings (RFC 5322 §3.2.2).
fn without_comments(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for character in text.chars() {
        let was_escaped = escaped;
        escaped = character == '\\' && !was_escaped;
        match character {
            _ if was_escaped => {}
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        if depth > limits::COMMENT_DEPTH {
            return None;
        }
        if depth == 0 {
            out.push(character);
        }
    }
    (depth == 0).then_some(out)
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// RFC 2045 §5.1.
fn is_token(text: &str) -> bool {
    let special = |c: char| "()<>@,;:\\\"/[]?=".contains(c);
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !special(c))
}

/// A token, or what programs write without the quotes it would need: nothing
/// that could end the value.
fn is_value(text: &str) -> bool {
    let ends = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',' | '<' | '>' | '@');
    !text.is_empty() && text.chars().all(|c| !c.is_control() && !ends(c))
}

/// A multipart body, cut at its delimiters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Multipart<'a> {
    /// The parts, in order.
    pub(crate) parts: Vec<&'a [u8]>,
    /// Whether the closing delimiter is there.
    pub(crate) closed: bool,
}

impl<'a> Multipart<'a> {
    /// Cuts a body. A delimiter is a whole line but for trailing blanks; the
    /// CRLF before it is its own (RFC 2046 §5.1.1).
    pub(crate) fn split(body: &'a [u8], boundary: &str) -> Self {
        let mut found = Self {
            parts: Vec::new(),
            closed: false,
        };
        let mut begin = None;
        // Searched for, not read line by line: a part may lie below many boundaries.
        let needle = [b"--", boundary.as_bytes()].concat();
        for at in memmem::find_iter(body, &needle) {
            let line = line_at(body, at);
            let Some(closing) = delimiter(line, boundary.as_bytes()) else {
                continue;
            };
            found.parts.extend(begin.map(|begin| part(body, begin, at)));
            found.closed = closing;
            begin = Some(at + line.len());
            if closing || found.parts.len() > limits::MIME_PARTS {
                return found;
            }
        }
        let end = body.len();
        found
            .parts
            .extend(begin.map(|begin| part(body, begin, end)));
        found
    }
}

/// The line that begins here, with its end; nothing where no line begins.
fn line_at(body: &[u8], at: usize) -> &[u8] {
    let (before, line) = body.split_at_checked(at).unwrap_or_default();
    if before.last().is_some_and(|octet| *octet != b'\n') {
        return &[];
    }
    let end = memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1);
    line.get(..end).unwrap_or_default()
}

fn part(body: &[u8], begin: usize, end: usize) -> &[u8] {
    let part = body.get(begin..end).unwrap_or_default();
    part.strip_suffix(b"\r\n").unwrap_or(part)
}

/// Whether a line is a delimiter of this boundary; if so, whether it closes.
pub(crate) fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (closing, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    rest.iter()
        .all(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
        .then_some(closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_folds_and_the_body_its_octets() {
        let entity = Entity::parse(b"A: 1\r\nB: 2\r\n  x\r\n\ty\r\n\r\n\r\nbody");
        let values: Vec<&[u8]> = entity.fields.iter().map(|field| field.value).collect();
        assert_eq!(values, [&b" 1"[..], b" 2\r\n  x\r\n\ty"]);
        assert_eq!(entity.body, b"\r\nbody");
        assert_eq!(entity.flaw, None);
    }

    #[test]
    fn a_line_that_is_no_field_is_a_flaw_and_begins_the_body() {
        for broken in [
            &b"A: 1\r\nno field\r\n\r\nx"[..],
            b"A : 1\r\n\r\n",
            b": x\r\n",
        ] {
            assert!(Entity::parse(broken).flaw.is_some(), "{broken:?}");
        }
    }

    #[test]
    fn an_entity_without_body_is_an_entity() {
        assert_eq!(Entity::parse(b"A: 1\r\n").body, b"");
        assert_eq!(Entity::parse(b"A: 1").fields.len(), 1);
        assert!(Entity::parse(b"").fields.is_empty());
    }

    #[test]
    fn content_types_are_read_strictly() {
        let read = |text: &str| ContentType::parse(text.as_bytes());
        let good = read(" Multipart/Signed (yes; no) ; Boundary=\"a\\\"b;c\";\r\n x=y;").unwrap();
        assert_eq!(good.kind, "multipart/signed");
        assert_eq!(good.boundary(), Some("a\"b;c"));
        assert_eq!(good.parameter("x"), Some("y"));
        let bad = [
            "text",
            "text/",
            "/plain",
            "a/b/c",
            "text/plain; x",
            "text/plain; x=\"y",
            "",
        ];
        for text in bad {
            assert_eq!(read(text), None, "{text}");
        }
        let twice = read("a/b; boundary=x; boundary=y").unwrap();
        assert_eq!(twice.parameter("boundary"), None);
    }

    #[test]
    fn a_delimiter_is_a_whole_line() {
        let body = b"pre\r\n--b\r\n1\r\n--bc\r\n--b  \r\n\r\n2\r\n\r\n--b--\r\npost";
        let cut = Multipart::split(body, "b");
        assert_eq!(cut.parts, [&b"1\r\n--bc"[..], b"\r\n2\r\n"]);
        assert!(cut.closed);
        let open = Multipart::split(b"--b\r\n1", "b");
        assert_eq!((open.parts.len(), open.closed), (1, false));
        assert!(Multipart::split(b"nothing", "b").parts.is_empty());
    }
}

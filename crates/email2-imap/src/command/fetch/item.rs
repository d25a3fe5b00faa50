//! What FETCH can be asked for (RFC 9051 §6.4.5).

use crate::grammar::{Bad, Cursor, Parsed};
use crate::limits;
use crate::shown::Portion;

/// How far a message is looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Its record is enough.
    #[default]
    Record,
    /// Its header.
    Header,
    /// All of it.
    Whole,
}

/// What a section shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Octets as they are.
    Portion(Portion),
    /// Fields of a header: those named, or all others.
    Fields { names: Vec<String>, named: bool },
}

/// `BODY[…]<…>` or one of its older forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// As the answer names it.
    pub(crate) label: String,
    /// Numbers of parts.
    pub(crate) path: Vec<u32>,
    /// What of that part.
    pub(crate) content: Content,
    /// Offset and count.
    pub(crate) partial: Option<(u64, u64)>,
    peek: bool,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    Envelope,
    /// BODY, or BODYSTRUCTURE when true.
    Structure(bool),
    Section(Section),
}

impl Item {
    /// How far it needs the message to be looked into.
    pub(crate) fn depth(&self) -> Depth {
        match self {
            Self::Flags | Self::Uid | Self::InternalDate => Depth::Record,
            Self::Size | Self::Envelope => Depth::Header,
            Self::Section(section) if section.path.is_empty() => Depth::Header,
            Self::Structure(_) | Self::Section(_) => Depth::Whole,
        }
    }

    /// Whether reading it sets `\Seen`.
    pub(crate) fn marks_seen(&self) -> bool {
        matches!(self, Self::Section(section) if !section.peek)
    }
}

/// Reads one item, several in parentheses, or a macro.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    if cursor.peek() == Some(b'(') {
        let items = cursor.list(limits::FETCH_ITEMS, item)?;
        let some = !items.is_empty();
        return some.then_some(items).ok_or(Bad("nothing is to be fetched"));
    }
    let fast = [Item::Flags, Item::InternalDate, Item::Size];
    let mut rest = *cursor;
    let all = match name(&mut rest).as_str() {
        "FAST" => fast.to_vec(),
        "ALL" => [fast.as_slice(), &[Item::Envelope]].concat(),
        "FULL" => [fast.as_slice(), &[Item::Envelope, Item::Structure(false)]].concat(),
        _ => return Ok(vec![item(cursor)?]),
    };
    *cursor = rest;
    Ok(all)
}

fn name(cursor: &mut Cursor<'_>) -> String {
    let name = cursor.take_while(|octet| octet.is_ascii_alphanumeric() || octet == b'.');
    String::from_utf8_lossy(name).to_ascii_uppercase()
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<Item> {
    Ok(match name(cursor).as_str() {
        "FLAGS" => Item::Flags,
        "UID" => Item::Uid,
        "INTERNALDATE" => Item::InternalDate,
        "RFC822.SIZE" => Item::Size,
        "ENVELOPE" => Item::Envelope,
        "BODYSTRUCTURE" => Item::Structure(true),
        "BODY" if cursor.peek() != Some(b'[') => Item::Structure(false),
        "BODY" => Item::Section(section(cursor, false)?),
        "BODY.PEEK" => Item::Section(section(cursor, true)?),
        "RFC822" => older("RFC822", Portion::All, false),
        "RFC822.HEADER" => older("RFC822.HEADER", Portion::Header, true),
        "RFC822.TEXT" => older("RFC822.TEXT", Portion::Text, false),
        _ => return Err(Bad("that cannot be fetched")),
    })
}

fn older(label: &str, portion: Portion, peek: bool) -> Item {
    Item::Section(Section {
        label: label.to_owned(),
        path: Vec::new(),
        content: Content::Portion(portion),
        partial: None,
        peek,
    })
}

fn section(cursor: &mut Cursor<'_>, peek: bool) -> Parsed<Section> {
    cursor.expect(b'[', "a section stands in brackets")?;
    let mut path = Vec::new();
    while cursor.peek().is_some_and(|octet| octet.is_ascii_digit()) {
        if path.len() > limits::MIME_DEPTH * 2 {
            return Err(Bad("a section lies too deep"));
        }
        match cursor.number()? {
            0 => return Err(Bad("parts are numbered from 1")),
            number => path.push(number),
        }
        if !cursor.skip(b'.') {
            break;
        }
    }
    let (content, text) = content(cursor, path.is_empty())?;
    cursor.expect(b']', "a section does not end")?;
    let partial = partial(cursor)?;
    let numbers: Vec<String> = path.iter().map(u32::to_string).collect();
    let dot = if path.is_empty() || text.is_empty() {
        ""
    } else {
        "."
    };
    let mut label = format!("BODY[{}{dot}{text}]", numbers.join("."));
    if let Some((offset, _)) = partial {
        label.push_str(&format!("<{offset}>"));
    }
    Ok(Section {
        label,
        path,
        content,
        partial,
        peek,
    })
}

/// What stands behind the numbers, and how the answer repeats it.
fn content(cursor: &mut Cursor<'_>, is_top: bool) -> Parsed<(Content, String)> {
    let text = name(cursor);
    let content = match text.as_str() {
        "" => Content::Portion(Portion::All),
        "HEADER" => Content::Portion(Portion::Header),
        "TEXT" => Content::Portion(Portion::Text),
        "MIME" if !is_top => Content::Portion(Portion::Mime),
        "HEADER.FIELDS" => return fields(cursor, text, true),
        "HEADER.FIELDS.NOT" => return fields(cursor, text, false),
        _ => return Err(Bad("there is no such section")),
    };
    Ok((content, text))
}

fn fields(cursor: &mut Cursor<'_>, mut text: String, named: bool) -> Parsed<(Content, String)> {
    cursor.space()?;
    let names = cursor.list(limits::FETCH_ITEMS * 4, |cursor| {
        let name = cursor.astring_text()?;
        let is_name = name
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b':');
        let quotable = !name.contains(['"', '\\', '(', ')', '{', '}', ']']);
        (is_name && quotable && !name.is_empty())
            .then_some(name)
            .ok_or(Bad("that is no name of a header field"))
    })?;
    text.push_str(&format!(" ({})", names.join(" ")));
    Ok((Content::Fields { names, named }, text))
}

fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<(u64, u64)>> {
    if !cursor.skip(b'<') {
        return Ok(None);
    }
    let offset = cursor.number64()?;
    cursor.expect(b'.', "a partial fetch is <offset.count>")?;
    let count = cursor.number64()?;
    cursor.expect(b'>', "a partial fetch is <offset.count>")?;
    if count == 0 {
        return Err(Bad("a partial fetch of nothing"));
    }
    Ok(Some((offset, count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        let items = parse(&mut Cursor::new(text.as_bytes())).unwrap();
        let label = |item: &Item| match item {
            Item::Section(section) => section.label.clone(),
            other => format!("{other:?}"),
        };
        items.iter().map(label).collect()
    }

    #[test]
    fn items_are_read() {
        assert_eq!(labels("all"), ["Flags", "InternalDate", "Size", "Envelope"]);
        assert_eq!(
            labels("(uid body.peek[header.fields (From \"to\")]<0.10> BODY[1.2.MIME] body[] BODY)"),
            [
                "Uid",
                "BODY[HEADER.FIELDS (From to)]<0>",
                "BODY[1.2.MIME]",
                "BODY[]",
                "Structure(false)"
            ]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "BODY[MIME]",
            "BODY[1.",
            "(",
            "X",
            "BODY[]<5.0>",
            "BODY[HEADER.FIELDS (a:b)]",
        ] {
            assert!(parse(&mut Cursor::new(text.as_bytes())).is_err(), "{text}");
        }
    }
}

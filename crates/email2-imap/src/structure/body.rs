//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use super::field::Field;
use super::{Kind, Parameters, Part, Structure, envelope};
use crate::writer::{nstring, string};

/// What is still to be written; a stack in place of recursion.
enum Todo {
    Part(usize),
    Text(Vec<u8>),
}

/// Writes the structure; `extended` is BODYSTRUCTURE, else BODY.
pub(crate) fn write(structure: &Structure, extended: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let mut todo = vec![Todo::Part(0)];
    while let Some(next) = todo.pop() {
        match next {
            Todo::Text(octets) => text.extend_from_slice(&octets),
            Todo::Part(index) => {
                if let Some(part) = structure.part(index) {
                    let pieces = write_part(structure, part, extended);
                    todo.extend(pieces.into_iter().rev());
                }
            }
        }
    }
    text
}

fn write_part(structure: &Structure, part: &Part, extended: bool) -> Vec<Todo> {
    match part.kind {
        Kind::Multipart => multipart(part, extended),
        Kind::Message => message(structure, part, extended),
        Kind::Leaf | Kind::Opaque => leaf(part, extended),
    }
}

fn multipart(part: &Part, extended: bool) -> Vec<Todo> {
    let content = content_type(part);
    let subtype = content.as_ref().and_then(Parameters::media_type);
    let mut end = b" ".to_vec();
    end.extend(string(
        &subtype.map_or(b"MIXED".to_vec(), |(_, s)| s.to_ascii_uppercase()),
    ));
    if extended {
        end.push(b' ');
        end.extend(parameters(content.as_ref()));
        end.extend(extension(part));
    }
    end.push(b')');
    let mut pieces = vec![Todo::Text(b"(".to_vec())];
    pieces.extend(part.children.iter().copied().map(Todo::Part));
    pieces.push(Todo::Text(end));
    pieces
}

fn message(structure: &Structure, part: &Part, extended: bool) -> Vec<Todo> {
    let Some((&child, inner)) = part
        .children
        .first()
        .and_then(|child| Some((child, structure.part(*child)?)))
    else {
        return leaf(part, extended);
    };
    let mut begin = b"(".to_vec();
    begin.extend(basic(part));
    begin.push(b' ');
    begin.extend(envelope::write(&inner.fields));
    begin.push(b' ');
    let mut end = format!(" {}", part.lines).into_bytes();
    end.extend(leaf_end(part, extended));
    vec![Todo::Text(begin), Todo::Part(child), Todo::Text(end)]
}

fn leaf(part: &Part, extended: bool) -> Vec<Todo> {
    let mut text = b"(".to_vec();
    text.extend(basic(part));
    let content = content_type(part);
    let is_text = content.is_none_or(|content| content.is("text", "*"));
    if is_text && part.kind == Kind::Leaf {
        text.extend(format!(" {}", part.lines).into_bytes());
    }
    text.extend(leaf_end(part, extended));
    vec![Todo::Text(text)]
}

/// Type, subtype, parameters, id, description, encoding, octets.
fn basic(part: &Part) -> Vec<u8> {
    let content = content_type(part);
    let named = content.as_ref().and_then(Parameters::media_type);
    let (kind, subtype) = match part.kind {
        Kind::Opaque => (b"application".as_slice(), b"octet-stream".as_slice()),
        // In a digest a part without a type is a message (RFC 2046 §5.1.5).
        Kind::Message => named.unwrap_or((b"message", b"rfc822")),
        _ => named.unwrap_or((b"text", b"plain")),
    };
    let encoding = part.fields.get(Field::Encoding).unwrap_or(b"7bit");
    let parts = [
        string(&kind.to_ascii_uppercase()),
        string(&subtype.to_ascii_uppercase()),
        parameters(content.as_ref().filter(|_| part.kind != Kind::Opaque)),
        nstring(part.fields.get(Field::Id)),
        nstring(part.fields.get(Field::Description)),
        string(&encoding.to_ascii_uppercase()),
        (part.body.end - part.body.start).to_string().into_bytes(),
    ];
    parts.join(b" ".as_slice())
}

fn leaf_end(part: &Part, extended: bool) -> Vec<u8> {
    if !extended {
        return b")".to_vec();
    }
    let md5 = nstring(part.fields.get(Field::Md5));
    [b" ".as_slice(), &md5, &extension(part), b")"].concat()
}

/// Disposition, language, location.
fn extension(part: &Part) -> Vec<u8> {
    let disposition = part.fields.get(Field::Disposition);
    let disposition = match disposition.and_then(Parameters::parse) {
        None => b"NIL".to_vec(),
        Some(read) => {
            let list = parameters(Some(&read));
            [b"(".as_slice(), &string(&read.value), b" ", &list, b")"].concat()
        }
    };
    let language = nstring(part.fields.get(Field::Language));
    let location = nstring(part.fields.get(Field::Location));
    [b"".as_slice(), &disposition, &language, &location].join(b" ".as_slice())
}

fn parameters(read: Option<&Parameters>) -> Vec<u8> {
    let list = read.map(|read| read.list.as_slice()).unwrap_or_default();
    if list.is_empty() {
        return b"NIL".to_vec();
    }
    let pairs: Vec<Vec<u8>> = list
        .iter()
        .flat_map(|(name, value)| [string(name), string(value)])
        .collect();
    [b"(".as_slice(), &pairs.join(b" ".as_slice()), b")"].concat()
}

fn content_type(part: &Part) -> Option<Parameters> {
    let read = Parameters::parse(part.fields.get(Field::ContentType)?)?;
    read.media_type().is_some().then_some(read)
}

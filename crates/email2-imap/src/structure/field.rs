//! The header fields that ENVELOPE and BODYSTRUCTURE are made of, as written.

/// Which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    ContentType,
    Encoding,
    Id,
    Description,
    Disposition,
    Language,
    Location,
    Md5,
}

const NAMES: [(&str, Field); 18] = [
    ("date", Field::Date),
    ("subject", Field::Subject),
    ("from", Field::From),
    ("sender", Field::Sender),
    ("reply-to", Field::ReplyTo),
    ("to", Field::To),
    ("cc", Field::Cc),
    ("bcc", Field::Bcc),
    ("in-reply-to", Field::InReplyTo),
    ("message-id", Field::MessageId),
    ("content-type", Field::ContentType),
    ("content-transfer-encoding", Field::Encoding),
    ("content-id", Field::Id),
    ("content-description", Field::Description),
    ("content-disposition", Field::Disposition),
    ("content-language", Field::Language),
    ("content-location", Field::Location),
    ("content-md5", Field::Md5),
];

impl Field {
    /// The field of this name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let named = |(known, _): &&(&str, Self)| known.as_bytes().eq_ignore_ascii_case(name);
        NAMES.iter().find(named).map(|(_, field)| *field)
    }
}

/// The fields of one header section; of several of a name, the first.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(Field, Vec<u8>)>);

impl Fields {
    /// The value, unfolded, without the blanks around it.
    pub(crate) fn get(&self, field: Field) -> Option<&[u8]> {
        let (_, value) = self.0.iter().find(|(kept, _)| *kept == field)?;
        Some(value.trim_ascii())
    }

    /// Keeps a value, unless there is one.
    pub(crate) fn keep(&mut self, field: Field, value: Vec<u8>) {
        if self.get(field).is_none() {
            self.0.push((field, value));
        }
    }
}

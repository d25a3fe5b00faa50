//! The keys of SEARCH (RFC 9051 §6.4.4).

use crate::date;
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::MessageInfo;
use crate::sequence_set::SequenceSet;
use crate::verdict;
use crate::view::Numbers;

/// A flag that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Answered,
    Deleted,
    Draft,
    Flagged,
    Seen,
    Keyword(String),
}

impl Flag {
    fn is_set(&self, message: &MessageInfo) -> bool {
        let flags = &message.flags;
        match self {
            Self::Answered => flags.answered,
            Self::Deleted => flags.deleted,
            Self::Draft => flags.draft,
            Self::Flagged => flags.flagged,
            Self::Seen => flags.seen,
            Self::Keyword(name) if name.eq_ignore_ascii_case(verdict::KEYWORD) => message.verified,
            Self::Keyword(name) => {
                let mut keywords = flags.keywords.iter();
                keywords.any(|keyword| keyword.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// What a header is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderTest {
    /// A field of this name holds this text; empty text: there is such a field.
    Holds(String, String),
    /// The day of Date, since 1970-01-01, is at least and at most this.
    Sent(i64, i64),
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// All, or none.
    Constant(bool),
    /// These messages.
    Set(SequenceSet, Numbers),
    /// Those with, or without, a flag.
    Flag(Flag, bool),
    /// Received on a day from, to (both are meant), since 1970-01-01.
    Received(i64, i64),
    /// Larger than this many octets, as stored.
    Larger(u64),
    /// Smaller than this.
    Smaller(u64),
    /// By their header.
    Header(HeaderTest),
    /// By text in the body; in the header too when true.
    Text(String, bool),
}

impl Key {
    /// What a message's record says; `None` when it says nothing.
    pub(crate) fn of_record(&self, message: &MessageInfo) -> Option<bool> {
        match self {
            Self::Constant(all) => Some(*all),
            Self::Flag(flag, wanted) => Some(flag.is_set(message) == *wanted),
            Self::Received(from, to) => {
                Some((*from..=*to).contains(&date::day_of(message.received)))
            }
            Self::Larger(size) => Some(message.size > *size),
            Self::Smaller(size) => Some(message.size < *size),
            Self::Set(..) | Self::Header(_) | Self::Text(..) => None,
        }
    }

    /// Reads a key that is not made of others.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        if matches!(cursor.peek(), Some(b'0'..=b'9' | b'*')) {
            let set = SequenceSet::parse(cursor)?;
            return Ok(Self::Set(set, Numbers::Sequence));
        }
        let name = cursor.atom()?.to_ascii_uppercase();
        if let Some(key) = Self::plain(&name) {
            return Ok(key);
        }
        cursor.space()?;
        Self::with_argument(&name, cursor)
    }

    fn plain(name: &str) -> Option<Self> {
        let (name, wanted) = match name.strip_prefix("UN") {
            Some(rest) => (rest, false),
            None => (name, true),
        };
        Some(match (name, wanted) {
            ("ANSWERED", _) => Self::Flag(Flag::Answered, wanted),
            ("DELETED", _) => Self::Flag(Flag::Deleted, wanted),
            ("DRAFT", _) => Self::Flag(Flag::Draft, wanted),
            ("FLAGGED", _) => Self::Flag(Flag::Flagged, wanted),
            ("SEEN", _) => Self::Flag(Flag::Seen, wanted),
            ("ALL" | "OLD", true) => Self::Constant(true),
            // Nothing is ever recent here.
            ("RECENT" | "NEW", true) => Self::Constant(false),
            _ => return None,
        })
    }

    fn with_argument(name: &str, cursor: &mut Cursor<'_>) -> Parsed<Self> {
        const ANY: i64 = i64::MAX;
        let holds = |field: &str, text: String| {
            Self::Header(HeaderTest::Holds(field.to_owned(), text.to_lowercase()))
        };
        Ok(match name {
            "UID" => Self::Set(SequenceSet::parse(cursor)?, Numbers::Uid),
            "KEYWORD" => Self::Flag(Flag::Keyword(cursor.atom()?.to_owned()), true),
            "UNKEYWORD" => Self::Flag(Flag::Keyword(cursor.atom()?.to_owned()), false),
            "BEFORE" => Self::Received(-ANY, date::parse_date(cursor)? - 1),
            "SINCE" => Self::Received(date::parse_date(cursor)?, ANY),
            "ON" => on(cursor, Self::Received)?,
            "SENTBEFORE" => sent(-ANY, date::parse_date(cursor)? - 1),
            "SENTSINCE" => sent(date::parse_date(cursor)?, ANY),
            "SENTON" => on(cursor, sent)?,
            "LARGER" => Self::Larger(cursor.number64()?),
            "SMALLER" => Self::Smaller(cursor.number64()?),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => holds(name, cursor.astring_text()?),
            "HEADER" => {
                let field = cursor.astring_text()?;
                cursor.space()?;
                holds(&field, cursor.astring_text()?)
            }
            "BODY" => Self::Text(cursor.astring_text()?.to_lowercase(), false),
            "TEXT" => Self::Text(cursor.astring_text()?.to_lowercase(), true),
            _ => return Err(Bad("there is no such key of SEARCH")),
        })
    }
}

fn sent(from: i64, to: i64) -> Key {
    Key::Header(HeaderTest::Sent(from, to))
}

fn on(cursor: &mut Cursor<'_>, key: impl Fn(i64, i64) -> Key) -> Parsed<Key> {
    let day = date::parse_date(cursor)?;
    Ok(key(day, day))
}

//! ESEARCH (RFC 4731): what of the result is wanted, and how it is told.

use crate::grammar::{Bad, Cursor, Parsed};
use crate::sequence_set;
use crate::view::Numbers;

/// What SEARCH returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    min: bool,
    max: bool,
    all: bool,
    count: bool,
}

impl Wanted {
    /// `RETURN (MIN MAX ALL COUNT)`, with the space behind it; `None` when the
    /// client wants the older answer.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Option<Self>> {
        if !cursor.skip_word("RETURN ") {
            return Ok(None);
        }
        let mut wanted = Self::default();
        cursor.list(4, |cursor| wanted.want(cursor.atom()?))?;
        cursor.space()?;
        if wanted == Self::default() {
            wanted.all = true;
        }
        Ok(Some(wanted))
    }

    fn want(&mut self, option: &str) -> Parsed<()> {
        match option.to_ascii_uppercase().as_str() {
            "MIN" => self.min = true,
            "MAX" => self.max = true,
            "ALL" => self.all = true,
            "COUNT" => self.count = true,
            _ => return Err(Bad("that cannot be returned by SEARCH")),
        }
        Ok(())
    }

    /// The response for ascending `found`.
    pub(crate) fn write(self, tag: &str, numbers: Numbers, found: &[u32]) -> String {
        let mut text = format!("ESEARCH (TAG \"{tag}\")");
        if numbers == Numbers::Uid {
            text.push_str(" UID");
        }
        if let (Some(first), Some(last)) = (found.first(), found.last()) {
            if self.min {
                text.push_str(&format!(" MIN {first}"));
            }
            if self.max {
                text.push_str(&format!(" MAX {last}"));
            }
            if self.all {
                text.push_str(&format!(" ALL {}", sequence_set::write(found)));
            }
        }
        if self.count {
            text.push_str(&format!(" COUNT {}", found.len()));
        }
        text
    }
}

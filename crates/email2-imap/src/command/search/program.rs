//! Keys as a program: each key by its number, then NOT, AND and OR behind
//! what they join. Values are true, false, or not known yet.

use super::header;
use super::key::Key;
use super::needle::Needle;
use super::text;
use crate::grammar::{Bad, Cursor, Parsed};
use crate::limits;
use crate::request::MessageInfo;
use crate::view::View;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Key(usize),
    Not,
    And,
    Or,
}

/// What is being read, and how many keys of it have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Keys side by side.
    All(usize),
    Not,
    Or(usize),
}

/// The keys of one SEARCH.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    keys: Vec<Key>,
    ops: Vec<Op>,
    /// For keys that are sets: their UIDs, ascending.
    sets: Vec<Vec<u32>>,
}

impl Program {
    /// Reads keys to the end of the command.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let mut program = Self::default();
        let mut frames = vec![Frame::All(0)];
        loop {
            if program.ops.len() + frames.len() >= limits::SEARCH_KEYS {
                return Err(Bad("too many keys"));
            }
            if let Some(frame) = opening(cursor) {
                frames.push(frame);
                continue;
            }
            program.ops.push(Op::Key(program.keys.len()));
            program.keys.push(Key::parse(cursor)?);
            program.complete(&mut frames);
            while frames.len() > 1 && cursor.skip(b')') {
                if !matches!(frames.pop(), Some(Frame::All(_))) {
                    return Err(Bad("a key of SEARCH is missing"));
                }
                program.complete(&mut frames);
            }
            if cursor.at_end() {
                break;
            }
            cursor.space()?;
        }
        match frames.as_slice() {
            [Frame::All(_)] => Ok(program),
            _ => Err(Bad("a key of SEARCH is missing")),
        }
    }

    /// A key is whole: what waited for it may be, too.
    fn complete(&mut self, frames: &mut Vec<Frame>) {
        loop {
            match frames.last_mut() {
                Some(Frame::Not) => self.ops.push(Op::Not),
                Some(Frame::Or(1)) => self.ops.push(Op::Or),
                Some(Frame::Or(come)) => {
                    *come += 1;
                    return;
                }
                Some(Frame::All(come)) => {
                    if *come > 0 {
                        self.ops.push(Op::And);
                    }
                    *come += 1;
                    return;
                }
                None => return,
            }
            frames.pop();
        }
    }

    /// Finds out which messages the sets name.
    pub(crate) fn resolve(&mut self, view: &View) -> Parsed<()> {
        let uids = |key: &Key| match key {
            Key::Set(set, numbers) => view.resolve(set, *numbers),
            _ => Ok(Vec::new()),
        };
        self.sets = self.keys.iter().map(uids).collect::<Parsed<_>>()?;
        Ok(())
    }

    /// What a message's record says.
    pub(crate) fn begin(&self, message: &MessageInfo) -> Reading {
        let value = |(key, set): (&Key, &Vec<u32>)| match key {
            Key::Set(..) => Some(set.binary_search(&message.uid).is_ok()),
            _ => key.of_record(message),
        };
        let mut reading = Reading {
            values: self.keys.iter().zip(&self.sets).map(value).collect(),
            ..Reading::default()
        };
        if self.verdict(&reading).is_none() {
            reading.needles = self.needles();
        }
        reading
    }

    fn needles(&self) -> Vec<Looking> {
        let looking = |(key, wanted): (usize, &Key)| match wanted {
            Key::Text(text, in_header) => Some(Looking {
                key,
                needle: Needle::new(text),
                in_header: *in_header,
            }),
            _ => None,
        };
        self.keys.iter().enumerate().filter_map(looking).collect()
    }

    /// What the message's header says, as shown.
    pub(crate) fn header_ended(&self, reading: &mut Reading, verdict: &str) {
        let fields = header::fields(&reading.header, verdict);
        for (key, value) in self.keys.iter().zip(&mut reading.values) {
            if let Key::Header(test) = key {
                *value = Some(header::passes(test, &fields));
            }
        }
        reading.look(&text::lines(&fields), |looking| looking.in_header);
        reading.header = Vec::new();
    }

    /// Whether the message is found, as far as is known.
    pub(crate) fn verdict(&self, reading: &Reading) -> Option<bool> {
        let mut stack: Vec<Option<bool>> = Vec::new();
        for op in &self.ops {
            let value = match op {
                Op::Key(index) => reading.values.get(*index).copied().flatten(),
                Op::Not => stack.pop().flatten().map(|value| !value),
                Op::And => join(&mut stack, false),
                Op::Or => join(&mut stack, true),
            };
            stack.push(value);
        }
        stack.pop().flatten()
    }
}

/// What begins a key that is made of others.
fn opening(cursor: &mut Cursor<'_>) -> Option<Frame> {
    if cursor.skip(b'(') {
        Some(Frame::All(0))
    } else if cursor.skip_word("NOT ") {
        Some(Frame::Not)
    } else if cursor.skip_word("OR ") {
        Some(Frame::Or(0))
    } else {
        None
    }
}

/// Joins the two values on top; one that is `decides` decides.
fn join(stack: &mut Vec<Option<bool>>, decides: bool) -> Option<bool> {
    let (one, other) = (stack.pop().flatten(), stack.pop().flatten());
    if one == Some(decides) || other == Some(decides) {
        return Some(decides);
    }
    one.and(other)
}

/// A text that is looked for.
#[derive(Clone, Debug)]
struct Looking {
    key: usize,
    needle: Needle,
    in_header: bool,
}

/// A message that is looked into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    values: Vec<Option<bool>>,
    needles: Vec<Looking>,
    header: Vec<u8>,
}

impl Reading {
    /// More octets of the header.
    pub(crate) fn header(&mut self, octets: &[u8]) {
        self.header.extend_from_slice(octets);
    }

    /// Another passage begins: no text stands in two.
    pub(crate) fn passage(&mut self) {
        for looking in &mut self.needles {
            looking.needle.restart();
        }
    }

    /// More text below the header, in lower case.
    pub(crate) fn text(&mut self, text: &str) {
        self.look(text, |_| true);
    }

    fn look(&mut self, text: &str, looks: impl Fn(&Looking) -> bool) {
        for looking in self.needles.iter_mut().filter(|looking| looks(looking)) {
            if looking.needle.push(text.as_bytes())
                && let Some(value) = self.values.get_mut(looking.key)
            {
                *value = Some(true);
            }
        }
    }

    /// The message has ended: what was not found is not there.
    pub(crate) fn ended(&mut self) {
        self.text("");
        for value in &mut self.values {
            *value = value.or(Some(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(text: &str) -> Vec<Op> {
        Program::parse(&mut Cursor::new(text.as_bytes()))
            .unwrap()
            .ops
    }

    #[test]
    fn keys_become_a_program() {
        use Op::{And, Key, Not, Or};
        assert_eq!(ops("SEEN"), [Key(0)]);
        assert_eq!(ops("SEEN UNDRAFT"), [Key(0), Key(1), And]);
        assert_eq!(
            ops("OR NOT SEEN (DRAFT 1:2) ALL"),
            [Key(0), Not, Key(1), Key(2), And, Or, Key(3), And]
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        for text in [
            "",
            "OR SEEN",
            "NOT",
            "(SEEN",
            "()",
            "SEEN)",
            "OR (SEEN) (",
            "SEEN  DRAFT",
        ] {
            assert!(
                Program::parse(&mut Cursor::new(text.as_bytes())).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}SEEN", "NOT ".repeat(900));
        assert_eq!(ops(&deep).len(), 901);
        let deeper = format!("{}SEEN", "NOT ".repeat(5_000));
        assert!(Program::parse(&mut Cursor::new(deeper.as_bytes())).is_err());
    }
}

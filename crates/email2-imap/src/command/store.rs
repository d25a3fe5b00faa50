//! STORE (RFC 9051 §6.4.6). The verdict's keyword is the server's alone:
//! naming it is refused, and replacing all flags leaves it (spec §10.3.1).

use crate::command::{Input, Run, Step, expunge};
use crate::grammar::{Bad, Cursor, NamedFlags, Parsed};
use crate::request::{Answer, FlagAction, MessageInfo, Request};
use crate::sequence_set::SequenceSet;
use crate::session::Desk;
use crate::view::Numbers;
use crate::writer::{Completion, flags};

/// `STORE set [+-]FLAGS[.SILENT] flags`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Sequence)
}

/// The same with UIDs.
pub(crate) fn parse_uid(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, Numbers::Uid)
}

fn read(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    let action = match cursor.peek() {
        Some(b'+') => FlagAction::Add,
        Some(b'-') => FlagAction::Remove,
        _ => FlagAction::Replace,
    };
    cursor.take_while(|octet| matches!(octet, b'+' | b'-'));
    if !cursor.skip_word("FLAGS") {
        return Err(Bad("STORE changes FLAGS"));
    }
    let silent = cursor.skip_word(".SILENT");
    cursor.space()?;
    let named = flags_of(cursor)?;
    cursor.end()?;
    Ok(Box::new(Store {
        set,
        numbers,
        action,
        silent,
        named,
    }))
}

/// Flags with or without parentheses.
fn flags_of(cursor: &mut Cursor<'_>) -> Parsed<NamedFlags> {
    if cursor.peek() == Some(b'(') {
        return cursor.flag_list();
    }
    let mut named = NamedFlags::default();
    cursor.flag(&mut named)?;
    while cursor.skip(b' ') {
        cursor.flag(&mut named)?;
    }
    Ok(named)
}

#[derive(Debug)]
struct Store {
    set: SequenceSet,
    numbers: Numbers,
    action: FlagAction,
    silent: bool,
    named: NamedFlags,
}

impl Store {
    fn begin(&self, desk: &Desk) -> Step {
        let Some(view) = &desk.view else {
            return Step::ok("done");
        };
        if self.named.verdict {
            return Step::Finish(verdict_is_ours());
        }
        if view.read_only {
            return Step::Finish(expunge::read_only());
        }
        match view.resolve(&self.set, self.numbers) {
            Err(bad) => Step::bad(bad),
            Ok(uids) if uids.is_empty() => Step::ok("done"),
            Ok(uids) => Step::Ask(Request::ChangeFlags {
                mailbox: view.mailbox,
                uids,
                action: self.action,
                flags: self.named.flags.clone(),
            }),
        }
    }

    fn changed(&self, messages: &[MessageInfo], desk: &mut Desk) {
        let Some(view) = &mut desk.view else {
            return;
        };
        for message in messages {
            view.told(message);
            let Some(place) = view.sequence_of(message.uid).filter(|_| !self.silent) else {
                continue;
            };
            let flags = flags(&message.flags, message.verified);
            let uid = match self.numbers {
                Numbers::Uid => format!("UID {} ", message.uid),
                Numbers::Sequence => String::new(),
            };
            desk.out
                .untagged(&format!("{place} FETCH ({uid}FLAGS {flags})"));
        }
    }
}

impl Run for Store {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Begin => self.begin(desk),
            Input::Answer(Answer::Messages(messages)) => {
                self.changed(&messages, desk);
                Step::ok("done")
            }
            Input::Answer(answer) => desk.refused(answer),
            _ => Step::ok("done"),
        }
    }

    fn may_expunge(&self) -> bool {
        self.numbers == Numbers::Uid
    }
}

/// The answer to a command that names the verdict's keyword.
pub(crate) fn verdict_is_ours() -> Completion {
    let text = "only this server says that a message is verified";
    Completion::no("CANNOT", text)
}

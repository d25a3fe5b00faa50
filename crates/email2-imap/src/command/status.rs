//! STATUS (RFC 9051 §6.3.11).

use crate::command::{Input, Run, Step};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Answer, MailboxInfo, Request};
use crate::session::Desk;
use crate::writer::{Writer, mailbox};

/// One number of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
}

impl Item {
    /// Reads one.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        match cursor.atom()?.to_ascii_uppercase().as_str() {
            "MESSAGES" => Ok(Self::Messages),
            "RECENT" => Ok(Self::Recent),
            "UIDNEXT" => Ok(Self::UidNext),
            "UIDVALIDITY" => Ok(Self::UidValidity),
            "UNSEEN" => Ok(Self::Unseen),
            "DELETED" => Ok(Self::Deleted),
            _ => Err(Bad("that cannot be asked by STATUS")),
        }
    }

    fn write(self, info: &MailboxInfo) -> String {
        let (name, number) = match self {
            Self::Messages => ("MESSAGES", info.messages),
            Self::Recent => ("RECENT", 0),
            Self::UidNext => ("UIDNEXT", info.uid_next),
            Self::UidValidity => ("UIDVALIDITY", info.uid_validity),
            Self::Unseen => ("UNSEEN", info.unseen),
            Self::Deleted => ("DELETED", info.deleted),
        };
        format!("{name} {number}")
    }
}

/// Most items of one command.
pub(crate) const ITEMS: usize = 16;

/// Writes the response.
pub(crate) fn write(info: &MailboxInfo, items: &[Item], out: &mut Writer) {
    let numbers: Vec<String> = items.iter().map(|item| item.write(info)).collect();
    out.raw(b"* STATUS ");
    out.raw(&mailbox(&info.name));
    out.line(&format!(" ({})", numbers.join(" ")));
}

/// `STATUS mailbox (items)`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let name = cursor.mailbox()?;
    cursor.space()?;
    let items = cursor.list(ITEMS, Item::parse)?;
    cursor.end()?;
    Ok(Box::new(Status { name, items }))
}

#[derive(Debug)]
struct Status {
    name: String,
    items: Vec<Item>,
}

impl Run for Status {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Answer(Answer::Mailbox(info)) => {
                write(&info, &self.items, &mut desk.out);
                Step::ok("done")
            }
            Input::Answer(answer) => desk.refused(answer),
            _ => Step::Ask(Request::Mailbox(std::mem::take(&mut self.name))),
        }
    }
}

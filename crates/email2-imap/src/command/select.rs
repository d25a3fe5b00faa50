//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3).

use std::collections::BTreeSet;

use crate::command::{Input, Run, Step};
use crate::grammar::{Cursor, Parsed};
use crate::request::{Answer, MailboxInfo, MessageInfo, Request};
use crate::session::Desk;
use crate::verdict;
use crate::view::View;
use crate::writer::Completion;

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

/// `SELECT mailbox`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, false)
}

/// `EXAMINE mailbox`
pub(crate) fn parse_examine(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    read(cursor, true)
}

fn read(cursor: &mut Cursor<'_>, read_only: bool) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let name = cursor.mailbox()?;
    cursor.end()?;
    Ok(Box::new(Select { name, read_only }))
}

#[derive(Debug)]
struct Select {
    name: String,
    read_only: bool,
}

impl Select {
    fn selected(&self, mailbox: &MailboxInfo, messages: &[MessageInfo], desk: &mut Desk) -> Step {
        self.tell(mailbox, messages, desk);
        let since = mailbox.highest_modseq;
        desk.view = Some(View::new(mailbox.key, self.read_only, since, messages));
        let access = if self.read_only {
            "READ-ONLY"
        } else {
            "READ-WRITE"
        };
        Step::Finish(Completion::ok_with(access, "selected"))
    }

    fn tell(&self, mailbox: &MailboxInfo, messages: &[MessageInfo], desk: &mut Desk) {
        let keywords = keywords(messages);
        let out = &mut desk.out;
        out.untagged(&format!("FLAGS ({FLAGS} {}{keywords})", verdict::KEYWORD));
        out.untagged(&format!("{} EXISTS", messages.len()));
        out.untagged("0 RECENT");
        let unseen = messages.iter().position(|message| !message.flags.seen);
        if let Some(index) = unseen {
            out.untagged(&format!("OK [UNSEEN {}] the first unseen one", index + 1));
        }
        // The verdict's keyword is not among these (spec §10.3.1).
        let permanent = if self.read_only {
            "()".to_owned()
        } else {
            format!("({FLAGS}{keywords} \\*)")
        };
        out.untagged(&format!("OK [PERMANENTFLAGS {permanent}] are kept"));
        let (validity, next) = (mailbox.uid_validity, mailbox.uid_next);
        out.untagged(&format!("OK [UIDVALIDITY {validity}] of the UIDs"));
        out.untagged(&format!("OK [UIDNEXT {next}] comes next"));
    }
}

/// Keywords in use, each with a space before it.
fn keywords(messages: &[MessageInfo]) -> String {
    let all = messages.iter().flat_map(|message| &message.flags.keywords);
    let own = |keyword: &&String| !keyword.eq_ignore_ascii_case(verdict::KEYWORD);
    let used: BTreeSet<&String> = all.filter(own).collect();
    used.iter().map(|keyword| format!(" {keyword}")).collect()
}

impl Run for Select {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Answer(Answer::Selected { mailbox, messages }) => {
                self.selected(&mailbox, &messages, desk)
            }
            Input::Answer(answer) => desk.refused(answer),
            _ => {
                // A SELECT that fails leaves no mailbox selected.
                desk.view = None;
                desk.last_shown = None;
                Step::Ask(Request::Select(std::mem::take(&mut self.name)))
            }
        }
    }
}

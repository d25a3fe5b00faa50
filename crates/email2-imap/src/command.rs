//! What a client can ask for: one table of all commands, one file a verb.
//!
//! A command is read by the `parse` of its row, which gives a [`Run`]: the
//! machine that serves it, one typed request after the other.

pub(crate) mod append;
pub(crate) mod authenticate;
pub(crate) mod close;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod expunge;
pub(crate) mod fetch;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod search;
pub(crate) mod select;
pub(crate) mod simple;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod uid;

use std::fmt::Debug;

use zeroize::Zeroizing;

use crate::extension::{rfc2177, rfc2342, rfc2971, rfc5161, rfc5464};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Answer, Request};
use crate::session::{Desk, Phase};
use crate::writer::Completion;

/// What a running command is given.
#[derive(Debug)]
pub(crate) enum Input {
    /// It begins.
    Begin,
    /// The answer to its request.
    Answer(Answer),
    /// The line it waits for, without CRLF.
    Line(Zeroizing<Vec<u8>>),
    /// Octets of its literal.
    Octets(Vec<u8>),
    /// What it made was sent.
    Sent,
    /// Something changed in the account's mailboxes.
    News,
}

/// What a running command wants next.
#[derive(Debug)]
pub(crate) enum Step {
    /// An answer.
    Ask(Request),
    /// A line.
    AwaitLine,
    /// Octets of its literal, and after the last the rest of its line.
    AwaitOctets,
    /// That what it made is sent.
    Send,
    /// Nothing: it is served.
    Finish(Completion),
    /// The session cannot go on.
    Bye(&'static str),
}

impl Step {
    /// It is served.
    pub(crate) fn ok(text: &str) -> Self {
        Self::Finish(Completion::ok(text))
    }

    /// It is not a command after all.
    pub(crate) fn bad(reason: Bad) -> Self {
        Self::Finish(Completion::bad(reason.0))
    }
}

/// Serves one command.
pub(crate) trait Run: Debug + Send {
    /// The next step.
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step;

    /// Whether numbers may move before its last line: not for commands that
    /// name messages by number (RFC 9051 §7.5.1).
    fn may_expunge(&self) -> bool {
        true
    }

    /// Whether it waits for news (RFC 2177).
    fn is_idle(&self) -> bool {
        false
    }
}

/// A command that was read.
pub(crate) type Parser = fn(&mut Cursor<'_>) -> Parsed<Box<dyn Run>>;

/// In which phases a command is allowed (RFC 9051 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Always,
    BeforeLogin,
    AfterLogin,
    Selected,
}

struct Row(&'static str, Allowed, Parser);

const TABLE: [Row; 33] = [
    Row("CAPABILITY", Allowed::Always, simple::capability),
    Row("NOOP", Allowed::Always, simple::noop),
    Row("LOGOUT", Allowed::Always, simple::logout),
    Row("ID", Allowed::Always, rfc2971::parse),
    Row("LOGIN", Allowed::BeforeLogin, login::parse),
    Row("AUTHENTICATE", Allowed::BeforeLogin, authenticate::parse),
    Row("ENABLE", Allowed::AfterLogin, rfc5161::parse),
    Row("NAMESPACE", Allowed::AfterLogin, rfc2342::parse),
    Row("LIST", Allowed::AfterLogin, list::parse),
    Row("LSUB", Allowed::AfterLogin, list::parse_lsub),
    Row("STATUS", Allowed::AfterLogin, status::parse),
    Row("SELECT", Allowed::AfterLogin, select::parse),
    Row("EXAMINE", Allowed::AfterLogin, select::parse_examine),
    Row("CREATE", Allowed::AfterLogin, create::parse),
    Row("DELETE", Allowed::AfterLogin, create::parse_delete),
    Row("RENAME", Allowed::AfterLogin, create::parse_rename),
    Row("SUBSCRIBE", Allowed::AfterLogin, create::parse_subscribe),
    Row(
        "UNSUBSCRIBE",
        Allowed::AfterLogin,
        create::parse_unsubscribe,
    ),
    Row("APPEND", Allowed::AfterLogin, append::parse_without_message),
    Row("IDLE", Allowed::AfterLogin, rfc2177::parse),
    Row("GETMETADATA", Allowed::AfterLogin, rfc5464::parse_get),
    Row("SETMETADATA", Allowed::AfterLogin, rfc5464::parse_set),
    Row("CHECK", Allowed::Selected, simple::noop),
    Row("CLOSE", Allowed::Selected, close::parse),
    Row("UNSELECT", Allowed::Selected, close::parse_unselect),
    Row("EXPUNGE", Allowed::Selected, expunge::parse),
    Row("SEARCH", Allowed::Selected, search::parse),
    Row("FETCH", Allowed::Selected, fetch::parse),
    Row("STORE", Allowed::Selected, store::parse),
    Row("COPY", Allowed::Selected, copy::parse),
    Row("MOVE", Allowed::Selected, copy::parse_move),
    Row("UID", Allowed::Selected, uid::parse),
    Row("STARTTLS", Allowed::Always, simple::starttls),
];

/// Reads the verb and what follows it.
pub(crate) fn parse(cursor: &mut Cursor<'_>, phase: Phase) -> Parsed<Box<dyn Run>> {
    let verb = cursor.atom()?;
    let row = TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(verb));
    let Row(_, allowed, parser) = row.ok_or(Bad("there is no such command"))?;
    check(*allowed, phase)?;
    parser(cursor)
}

fn check(allowed: Allowed, phase: Phase) -> Parsed<()> {
    match (allowed, phase) {
        (Allowed::Always, _)
        | (Allowed::BeforeLogin, Phase::NotAuthenticated)
        | (Allowed::AfterLogin, Phase::Authenticated | Phase::Selected)
        | (Allowed::Selected, Phase::Selected) => Ok(()),
        (Allowed::BeforeLogin, _) => Err(Bad("you are logged in already")),
        (Allowed::AfterLogin | Allowed::Selected, Phase::NotAuthenticated) => {
            Err(Bad("log in first"))
        }
        (Allowed::Selected, Phase::Authenticated) => Err(Bad("select a mailbox first")),
    }
}

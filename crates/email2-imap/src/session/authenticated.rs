//! Logged in: commands that ask one thing and are done, and the words for
//! what cannot be done (RFC 5530).

use crate::command::{Input, Run, Step};
use crate::request::{Answer, Refusal, Request};
use crate::session::Desk;
use crate::writer::Completion;

/// A command that asks one thing.
#[derive(Debug)]
pub(crate) struct One(Option<Request>);

impl One {
    /// It asks this.
    pub(crate) fn asking(request: Request) -> Box<dyn Run> {
        Box::new(Self(Some(request)))
    }
}

impl Run for One {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match (self.0.take(), input) {
            (Some(request), _) => Step::Ask(request),
            (None, Input::Answer(Answer::Done)) => Step::ok("done"),
            (None, Input::Answer(answer)) => desk.refused(answer),
            (None, _) => Step::ok("done"),
        }
    }
}

impl Desk {
    /// Ends a command whose request was refused.
    pub(crate) fn refused(&self, answer: Answer) -> Step {
        let Answer::Refused(refusal) = answer else {
            let text = "this server made a mistake";
            return Step::Finish(Completion::no("SERVERBUG", text));
        };
        Step::Finish(completion(&refusal))
    }
}

fn completion(refusal: &Refusal) -> Completion {
    let (code, text) = match refusal {
        Refusal::LoginFailed | Refusal::TooManyLogins => {
            ("AUTHENTICATIONFAILED", "address or token is wrong")
        }
        Refusal::NoSuchMailbox => ("NONEXISTENT", "there is no mailbox of that name"),
        Refusal::MailboxExists => ("ALREADYEXISTS", "there is a mailbox of that name already"),
        Refusal::NoSuchMessage => ("EXPUNGEISSUED", "a message is gone"),
        Refusal::OverQuota => ("OVERQUOTA", "the account is full"),
        Refusal::TooLarge => ("LIMIT", "that is too large"),
        Refusal::Cannot(reason) => ("CANNOT", reason.as_str()),
        Refusal::Unavailable(reason) => ("UNAVAILABLE", reason.as_str()),
    };
    Completion::no(code, text)
}

/// The same for commands that put messages into a mailbox: one that is not
/// there could be made (RFC 9051 §6.3.12).
pub(crate) fn refused_into(desk: &Desk, answer: Answer) -> Step {
    if answer == Answer::Refused(Refusal::NoSuchMailbox) {
        let text = "there is no mailbox of that name";
        return Step::Finish(Completion::no("TRYCREATE", text));
    }
    desk.refused(answer)
}

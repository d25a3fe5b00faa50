//! A mailbox is selected: its news are asked for and told.

use crate::command::Step;
use crate::request::{Answer, Refusal, Request};
use crate::session::Desk;

impl Desk {
    /// Asks what changed in the selected mailbox.
    pub(crate) fn news(&self) -> Option<Request> {
        let view = self.view.as_ref()?;
        Some(Request::Changes {
            mailbox: view.mailbox,
            since: view.since(),
        })
    }

    /// Tells it. What cannot be asked now is told another time; a mailbox that
    /// is gone ends the session, for its numbers mean nothing any more.
    pub(crate) fn tell(&mut self, answer: Answer, may_expunge: bool) -> Option<Step> {
        match (answer, &mut self.view) {
            (Answer::Changes(changes), Some(view)) => {
                view.tell(&changes, may_expunge, &mut self.out);
                None
            }
            (Answer::Refused(Refusal::NoSuchMailbox), _) => {
                Some(Step::Bye("the selected mailbox is gone"))
            }
            _ => None,
        }
    }
}

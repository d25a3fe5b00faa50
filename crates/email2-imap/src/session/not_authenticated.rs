//! Waiting for a login: LOGIN and AUTHENTICATE both end here. Failures are
//! counted (spec §8.1); the connection is under TLS, so passwords may come.

use crate::command::{Input, Step};
use crate::extension;
use crate::request::{Answer, Password, Refusal, Request};
use crate::session::Desk;
use crate::writer::Completion;

/// Asks whether this person may come in.
pub(crate) fn ask(user: String, password: Password) -> Step {
    Step::Ask(Request::Login { user, password })
}

/// The answer.
pub(crate) fn told(input: Input, desk: &mut Desk) -> Step {
    match input {
        Input::Answer(Answer::Done) => {
            desk.logged_in = true;
            let code = extension::capabilities(desk.append_limit);
            Step::Finish(Completion::ok_with(code, "welcome"))
        }
        Input::Answer(Answer::Refused(Refusal::LoginFailed)) => {
            desk.failures += 1;
            failed()
        }
        Input::Answer(Answer::Refused(Refusal::TooManyLogins)) => {
            Step::Bye("too many logins failed from where you are; try again later")
        }
        Input::Answer(answer) => desk.refused(answer),
        _ => failed(),
    }
}

fn failed() -> Step {
    let text = "address or token is wrong";
    Step::Finish(Completion::no("AUTHENTICATIONFAILED", text))
}

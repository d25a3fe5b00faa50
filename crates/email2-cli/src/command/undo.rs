//! Ten seconds in which a letter can be taken back, where somebody sits at a terminal.

use std::io::{IsTerminal, stderr, stdin};
use std::time::Duration;

use email2_client::Client;
use tokio::sync::oneshot;

use super::context::Context;

/// How long, seconds.
const SECONDS: u64 = 10;

/// The line that is typed next.
pub(crate) type Typed = oneshot::Receiver<String>;

/// What came of the time.
pub(crate) struct Passed {
    /// It was not taken back.
    pub(crate) goes: bool,
    /// Whoever asks next hears this line: it is waited for already.
    pub(crate) typed: Option<Typed>,
}

impl Passed {
    /// Nothing was typed.
    pub(crate) const UNASKED: Passed = Passed {
        goes: true,
        typed: None,
    };
}

/// Whether somebody sits there who can be asked.
pub(crate) fn is_asked(context: &Context) -> bool {
    !context.output.is_json() && stdin().is_terminal() && stderr().is_terminal()
}

/// Lets the time pass, in which it can be taken back. Nothing is kept or sent yet, so that Ctrl-C
/// takes it back as well. Without a terminal there is nobody to wait for.
pub(crate) async fn passes(context: &Context, client: &Client) -> Passed {
    if !is_asked(context) {
        return Passed::UNASKED;
    }
    let progress = context.progress();
    let mut typed = typed_line();
    for left in (1..=SECONDS).rev() {
        progress.say(format!(
            "sending in {left} s; u and Enter, or Ctrl-C, takes it back; Enter sends now"
        ));
        let answer = tokio::select! {
            () = client.world().clock.sleep(Duration::from_secs(1)) => None,
            line = &mut typed => Some(line.ok().is_none_or(|line| sends(&line))),
        };
        if let Some(goes) = answer {
            return Passed { goes, typed: None };
        }
    }
    Passed {
        goes: true,
        typed: Some(typed),
    }
}

/// The next line that is typed. Its thread ends with the program: nothing waits for it.
pub(crate) fn typed_line() -> Typed {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if stdin().read_line(&mut line).is_ok() {
            // When the time is over nobody listens any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn sends(line: &str) -> bool {
    !line.trim().eq_ignore_ascii_case("u")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_u_takes_it_back() {
        assert!(!sends("u\n") && !sends(" U\r\n"));
        assert!(sends("\n") && sends("") && sends("yes\n"));
    }
}

//! Ten seconds in which a letter can be taken back, where somebody sits at a terminal.

use std::io::{IsTerminal, stderr, stdin};
use std::time::Duration;

use email2_client::Client;
use tokio::sync::oneshot;

use super::context::Context;

/// How long, seconds.
const SECONDS: u64 = 10;

/// Lets the time pass; `false`: it was taken back. Nothing is kept or sent yet, so that Ctrl-C
/// takes it back as well. Without a terminal there is nobody to wait for.
pub(crate) async fn passes(context: &Context, client: &Client) -> bool {
    if context.output.is_json() || !stdin().is_terminal() || !stderr().is_terminal() {
        return true;
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
        if let Some(answer) = answer {
            return answer;
        }
    }
    true
}

/// The next line that is typed. Its thread ends with the program: nothing waits for it.
fn typed_line() -> oneshot::Receiver<String> {
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

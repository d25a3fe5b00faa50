//! Some recipients have a key and some have none, or nothing is certain of somebody's domain:
//! whoever sits at the terminal decides (spec §5.5.2, §5.5.4).

use std::io::Write;

use email2_client::display::shown;
use email2_client::send::Encryption;
use email2_client::send::protect::Undecided;

use super::undo::{Typed, typed_line};

/// Asks what is to be done with a letter; `None`: nothing is sent. A line that somebody waits for
/// already is the one that answers.
pub(crate) async fn ask(undecided: &Undecided, typed: Option<Typed>) -> Option<Encryption> {
    let told: Vec<String> = undecided
        .sentences()
        .iter()
        .map(|told| whole(&shown(told)))
        .collect();
    answer(
        &told.join("\n"),
        [
            "encrypt it to whoever has a key, and send it to the others signed only",
            "send it to everybody signed only: whoever carries it can read it",
            "send nothing",
        ],
        typed,
    )
    .await
}

/// Asks what is to be done with what waits in the outbox, for this reason; `None`: it waits on.
pub(crate) async fn ask_about(why: &str) -> Option<Encryption> {
    answer(
        &shown(why),
        [
            "encrypt it if there is a key, else send it signed only",
            "send it signed only: whoever carries it can read it",
            "leave it in the outbox",
        ],
        None,
    )
    .await
}

async fn answer(
    question: &str,
    [split, clear, nothing]: [&str; 3],
    typed: Option<Typed>,
) -> Option<Encryption> {
    // Nothing is left to be told where even this cannot be written.
    let _ = writeln!(
        anstream::stderr(),
        "{question}\n  s  {split}\n  c  {clear}\n  any other line: {nothing}"
    );
    let line = typed.unwrap_or_else(typed_line).await;
    decided(&line.unwrap_or_default())
}

/// With a capital and a full stop.
fn whole(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn decided(line: &str) -> Option<Encryption> {
    match line.trim().to_ascii_lowercase().as_str() {
        "s" | "split" => Some(Encryption::Split),
        "c" | "clear" => Some(Encryption::Refuse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_sends() {
        assert_eq!(decided("s\n"), Some(Encryption::Split));
        assert_eq!(decided(" Clear\r\n"), Some(Encryption::Refuse));
        for nothing in ["", "\n", "y\n", "sc\n", "encrypt\n"] {
            assert_eq!(decided(nothing), None);
        }
    }
}

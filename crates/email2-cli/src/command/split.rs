//! Some recipients have a key and some have none: whoever sits at the terminal decides
//! (spec §5.5.2).

use std::io::Write;

use email2::Address;
use email2_client::display::shown;
use email2_client::send::Encryption;

use super::undo::{Typed, typed_line};

/// Asks what is to be done; `None`: nothing is sent. A line that somebody waits for already is the
/// one that answers.
pub(crate) async fn ask(keyless: &[Address], typed: Option<Typed>) -> Option<Encryption> {
    let named: Vec<String> = keyless.iter().map(|who| shown(&who.to_string())).collect();
    // Nothing is left to be told where even this cannot be written.
    let _ = writeln!(
        anstream::stderr(),
        "There is no key for {}; for others there is, or was.\n  \
         s  encrypt it to the others, and send it to these signed only\n  \
         c  send it to everybody signed only: whoever carries it can read it\n  \
         any other line: send nothing",
        named.join(", ")
    );
    let line = typed.unwrap_or_else(typed_line).await;
    decided(&line.unwrap_or_default())
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

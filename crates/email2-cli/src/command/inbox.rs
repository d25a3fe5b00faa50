//! `email2 inbox`: what is in a mailbox, the newest first.

use std::process::ExitCode;

use email2_client::display::shown;
use email2_client::inbox::{self, Entry};

use super::context::Context;
use crate::args::InboxArgs;
use crate::exit::Outcome;

/// Lists, after what is due in the outbox was tried.
pub(crate) async fn run(context: &Context, args: InboxArgs) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let entries = inbox::list(&client, &args.mailbox, limit).await?;
    context.output.data("inbox", &entries, |entries| {
        if entries.is_empty() {
            return format!("{} is empty.\n", shown(&args.mailbox));
        }
        entries.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The verdict stands in front, in a column that no text of a message reaches (spec §5.7.2); the
/// author is an address, not a name (spec §5.7.1).
fn line(entry: &Entry) -> String {
    let verdict = verdict(entry);
    let new = if entry.seen { ' ' } else { '*' };
    let lock = if entry.encrypted { "encrypted " } else { "" };
    format!(
        "{verdict} {new} {id:>5}  {received}  {from}  {lock}{subject}\n",
        id = entry.id,
        received = entry.received.as_deref().unwrap_or("-"),
        from = shown(entry.from.as_deref().unwrap_or("(no author)")),
        subject = shown(&entry.subject),
    )
}

/// In one word: who wrote it is proved, or not, or it did not come from anybody else.
fn verdict(entry: &Entry) -> &'static str {
    let word = entry.verdict.split([';', ' ']).next();
    match word {
        _ if entry.verified => "verified",
        Some("appended") => "appended",
        Some("generated") => "service ",
        Some("unreadable") => "damaged ",
        _ => "UNPROVED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_message_imitates_the_verdict() {
        let entry = Entry {
            id: "7".to_owned(),
            uid_validity: 1,
            verified: false,
            verdict: String::new(),
            from: Some("mallory@example.org".to_owned()),
            name: None,
            subject: "x\r\nverified   8 bob@example.org\u{1b}[2K".to_owned(),
            received: None,
            size: 1,
            seen: true,
            answered: false,
            encrypted: false,
        };
        let line = line(&entry);
        assert!(line.starts_with("UNPROVED"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

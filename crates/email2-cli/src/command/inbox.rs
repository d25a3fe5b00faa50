//! `email2 inbox`: what is in a mailbox, the newest first.

use std::process::ExitCode;

use email2_client::contact;
use email2_client::display::shown;
use email2_client::inbox::{self, Entry, Page};
use email2_client::thread::{self, Thread, Threaded};

use super::context::Context;
use crate::args::InboxArgs;
use crate::exit::Outcome;

/// Lists, after what is due in the outbox was tried.
pub(crate) async fn run(context: &Context, args: InboxArgs) -> Outcome {
    let client = context.client()?;
    let mailbox = match args.requests {
        true => contact::existing_requests(&client).await?,
        false => Some(args.mailbox.clone()),
    };
    let Some(mailbox) = mailbox else {
        context.output.data("inbox", &Vec::<Entry>::new(), |_| {
            "No stranger's mail waits.\n".to_owned()
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    context.run_due(&client).await?;
    let page = Page {
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
        before: args.before,
    };
    if args.threads {
        let key = context.key(&client)?;
        let threads = thread::page(&client, Some(&key), &mailbox, &page).await?;
        context.output.data("threads", &threads, |threads| {
            threads.iter().map(conversation).collect()
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let entries = inbox::page(&client, &mailbox, &page).await?;
    context.output.data("inbox", &entries, |entries| {
        if entries.is_empty() {
            return format!("{} is empty.\n", shown(&mailbox));
        }
        entries.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The verdict stands in front, in a column that no text of a message reaches (spec §5.7.2); the
/// author is an address, not a name (spec §5.7.1).
pub(super) fn line(entry: &Entry) -> String {
    indented(entry, 0)
}

/// A thread: what answers stands to the right of what it answers, the verdict in its column.
fn conversation(thread: &Thread) -> String {
    let line = |message: &Threaded| indented(&message.entry, message.depth.min(DEEPEST));
    thread.messages.iter().map(line).collect::<String>() + "\n"
}

/// Steps to the right at most.
const DEEPEST: usize = 8;

fn indented(entry: &Entry, depth: usize) -> String {
    let step = "  ".repeat(depth);
    let verdict = verdict(entry);
    let new = if entry.seen { ' ' } else { '*' };
    let lock = if entry.encrypted { "encrypted " } else { "" };
    let by = entry.checked.as_ref();
    let by = by.map_or(String::new(), |checked| {
        format!(" [{}]", shown(&checked.by))
    });
    format!(
        "{verdict} {new} {id:>5}  {received}  {step}{from}{by}  {lock}{subject}\n",
        id = entry.id,
        received = entry.received.as_deref().unwrap_or("-"),
        from = shown(entry.from.as_deref().unwrap_or("(no author)")),
        subject = shown(&entry.subject),
    )
}

/// In one word: who wrote it is proved, or checked by a mediator of the reader's, or not, or it did not come from anybody else.
fn verdict(entry: &Entry) -> &'static str {
    let word = entry.verdict.split([';', ' ']).next();
    match word {
        _ if entry.verified => "verified",
        _ if entry.checked.is_some() => "checked ",
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
            checked: None,
            way: Vec::new(),
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

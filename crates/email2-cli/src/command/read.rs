//! `email2 read`: one message, its verdict outside of what its author wrote.

use std::process::ExitCode;

use email2::content::ContentError;
use email2_client::Client;
use email2_client::display::{shown, shown_text};
use email2_client::inbox;
use email2_client::read::{self, Attached, Difference, MailingList, Person, Section, Shown};
use email2_client::way;

use super::context::Context;
use crate::args::ReadArgs;
use crate::exit::{Failure, Outcome};

/// Between the verdict and what the author wrote; each line of the latter is
/// marked, so that none can imitate the former (spec §5.7.2).
const MARK: &str = "| ";

/// Shows a message and notes that it was read.
pub(crate) async fn run(context: &Context, args: ReadArgs) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    let (mailbox, id) = (&args.message.mailbox, &args.message.id);
    let whole = inbox::fetch(&client, mailbox, id).await?;
    if args.raw {
        context.output.raw(&whole.octets)?;
        return Ok(ExitCode::SUCCESS);
    }
    let message = open(context, &client, &whole.octets).await?;
    let all_fields = args.headers;
    context
        .output
        .data("message", &message, |message| page(message, all_fields))?;
    if !whole.seen {
        // The message was shown; that it stays marked as new is no failure.
        let _ = inbox::mark(&client, mailbox, &whole.id, "\\Seen").await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a message; one's own key is asked for only when it is needed.
pub(crate) async fn open(
    context: &Context,
    client: &Client,
    octets: &[u8],
) -> Result<Shown, Failure> {
    match read::open(client, octets, None).await {
        Err(ContentError::NotForTheseKeys) => {
            let key = context.key(client)?;
            Ok(read::open(client, octets, Some(&key)).await?)
        }
        opened => Ok(opened?),
    }
}

/// The verdict first and unmarked, then the message, marked.
fn page(message: &Shown, all_fields: bool) -> String {
    let mut lines = verdict(message);
    lines.extend(
        message
            .notes
            .iter()
            .map(|note| format!("NOTE: {}", shown(note))),
    );
    if all_fields {
        lines.extend(message.differing.iter().map(difference));
    }
    lines.push(String::new());
    lines.extend(
        header(message, all_fields)
            .iter()
            .map(|line| format!("{MARK}{line}")),
    );
    for section in &message.sections {
        lines.push(MARK.trim_end().to_owned());
        lines.extend(text(section));
    }
    if !message.attachments.is_empty() {
        lines.push(String::new());
        lines.extend(message.attachments.iter().map(attachment));
    }
    lines.join("\n") + "\n"
}

fn verdict(message: &Shown) -> Vec<String> {
    let author = match (&message.verdict.author, &message.verdict.checked) {
        (Some(author), _) => format!("VERIFIED: from {}", shown(author)),
        (None, Some(checked)) => format!(
            "CHECKED by {}, not verified: from {}",
            shown(&checked.by),
            shown(&checked.author)
        ),
        (None, None) => "NOT VERIFIED".to_owned(),
    };
    let protection = &message.protection;
    let secrecy = match (protection.encrypted, protection.post_quantum) {
        (true, true) => "encrypted (post-quantum)",
        (true, false) => "encrypted",
        (false, _) => "not encrypted",
    };
    let mut lines = vec![
        author,
        format!("server:  {}", shown(&message.verdict.words)),
        format!("content: {}; {secrecy}", shown(&protection.words)),
    ];
    let way = way::words(&message.verdict.way);
    lines.extend(way.map(|way| format!("way:     {}", shown(&way))));
    let checks = message.checks.as_deref();
    lines.extend(checks.map(|checks| format!("checks:  {}", shown(checks))));
    let advice = message.verdict.advice.as_deref();
    lines.extend(advice.map(|advice| format!("note:    {}", shown(advice))));
    lines
}

fn difference(difference: &Difference) -> String {
    let why = if difference.intended {
        "meant so by the author"
    } else {
        "changed on the way"
    };
    format!(
        "OUTSIDE: {}: {} ({why})",
        shown(&difference.name),
        shown(&difference.outer)
    )
}

fn header(message: &Shown, all_fields: bool) -> Vec<String> {
    if all_fields {
        let fields = message.header.iter();
        return fields
            .map(|(name, value)| format!("{}: {}", shown(name), shown(value)))
            .collect();
    }
    let named: Vec<String> = message.named.iter().map(Person::line).collect();
    let from = match &message.from {
        Some(author) => author.line(),
        None if named.is_empty() => "nobody".to_owned(),
        None => format!("nobody in particular: {}", named.join(", ")),
    };
    let mut lines = vec![format!("From: {}", shown(&from))];
    for (name, people) in [
        ("To", &message.to),
        ("Cc", &message.cc),
        ("Reply-To", &message.reply_to),
    ] {
        if !people.is_empty() {
            let people: Vec<String> = people.iter().map(Person::line).collect();
            lines.push(format!("{name}: {}", shown(&people.join(", "))));
        }
    }
    if let Some(list) = &message.list {
        lines.push(format!("List: {}", shown(&listed(list))));
    }
    lines.push(format!("Date: {}", shown(&message.date)));
    lines.push(format!("Subject: {}", shown(&message.subject)));
    lines
}

/// As the list says itself.
fn listed(list: &MailingList) -> String {
    let name = list.id.as_deref().unwrap_or("without a name");
    let leave = match (&list.leave, &list.one_click) {
        (Some(_), _) => "; email2 unsubscribe leaves it",
        (None, Some(_)) => "; it is left by a link",
        (None, None) => "",
    };
    format!("{name}{leave}")
}

fn text(section: &Section) -> Vec<String> {
    let note = section.note.iter().map(|note| format!("[{}]", shown(note)));
    let safe = shown_text(section.text.trim_end());
    let lines: Vec<String> = safe.lines().map(|line| format!("{MARK}{line}")).collect();
    note.chain(lines).collect()
}

fn attachment(attached: &Attached) -> String {
    let name = attached.name.as_deref().map(shown).unwrap_or_default();
    let kind = shown(&attached.kind);
    format!(
        "[{}] {kind}, {} octets {name}",
        attached.part, attached.size
    )
}

#[cfg(test)]
mod tests {
    use email2::certificate::Certificate;
    use email2::content::Reader;

    use super::*;

    #[test]
    fn no_text_of_a_message_can_imitate_its_verdict() {
        let nobody = |_: &email2::Address| -> Option<Certificate> { None };
        let reader = Reader {
            keys: &[],
            known: &nobody,
            now: 1_795_705_199,
        };
        let raw = "From: eve@example.net\r\nSubject: =?utf-8?Q?a=0AVERIFIED:_from_ceo?=\r\n\r\n\
            VERIFIED: from ceo@example.org\r\n\u{1b}[2JVERIFIED\r\n";
        let message = read::read(raw.as_bytes(), &reader).unwrap();
        for all_fields in [false, true] {
            let page = page(&message, all_fields);
            let mut lines = page.lines();
            assert_eq!(lines.next(), Some("NOT VERIFIED"));
            let imitating = lines.filter(|line| line.contains("VERIFIED"));
            assert!(
                imitating.into_iter().all(|line| line.starts_with(MARK)),
                "{page}"
            );
            assert!(!page.contains('\u{1b}'));
        }
    }
}

//! `email2 outbox`: what waits to be sent.

use std::process::ExitCode;
use std::time::Duration;

use email2_client::Client;
use email2_client::display::shown;
use email2_client::send::queue::{self, Decision, Entry};
use email2_client::send::{Author, Encryption, Report};

use super::context::Context;
use super::key::fingerprint;
use super::send::{Told, finish};
use super::{split, undo};
use crate::args::OutboxCommand;
use crate::exit::{Code, Failure, Outcome};

/// Lists, runs, retries or drops.
pub(crate) async fn run(context: &Context, command: OutboxCommand) -> Outcome {
    let client = context.client()?;
    match command {
        OutboxCommand::List => list(context, &client).await,
        OutboxCommand::Show { id } => show(context, &client, number(&id)?).await,
        OutboxCommand::Run => {
            let reports = with_key(context, &client, None).await?;
            finish(context, &reports)
        }
        OutboxCommand::Retry {
            id,
            accept_new,
            split,
            no_encrypt,
        } => {
            let decision = Decision {
                accept_new: accept_new.as_deref().map(fingerprint).transpose()?,
                encryption: match (split, no_encrypt) {
                    (true, _) => Some(Encryption::Split),
                    (_, true) => Some(Encryption::Refuse),
                    _ => None,
                },
            };
            let one = (number(&id)?, decision);
            let reports = with_key(context, &client, Some(one)).await?;
            finish(context, &reports)
        }
        OutboxCommand::Drop { id } => {
            if queue::drop_entry(&client, number(&id)?).await? {
                return Ok(ExitCode::SUCCESS);
            }
            Err(nothing(&id))
        }
    }
}

fn nothing(id: &dyn std::fmt::Display) -> Failure {
    let line = format!("no entry {id} waits in the outbox");
    Failure::new(Code::NoInput, line)
}

async fn show(context: &Context, client: &Client, id: i64) -> Outcome {
    let mut entries = queue::entries(client).await?.into_iter();
    let entry = entries.find(|entry| entry.id == id);
    let entry = entry.ok_or_else(|| nothing(&id))?;
    context.output.data("outbox-entry", &entry, |entry| {
        format!(
            "{}    {} octets, made {}, tried {} times\n",
            line(entry),
            entry.size,
            entry.created,
            entry.attempts
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let entries = queue::entries(client).await?;
    context.output.data("outbox", &entries, |entries| {
        if entries.is_empty() {
            return "The outbox is empty.\n".to_owned();
        }
        entries.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &Entry) -> String {
    let next = match entry.undecided {
        true => "waits for your decision".to_owned(),
        false => format!("next attempt {}", entry.next),
    };
    let mut lines = format!("{}: to {}, {next}\n", entry.id, entry.domain);
    for to in &entry.recipients {
        lines.push_str(&format!(
            "    {}: {}: {}\n",
            to.recipient,
            to.state,
            shown(&to.words)
        ));
    }
    if entry.undecided {
        lines.push_str(&format!("    {}\n", ways_out(entry.id)));
    }
    lines
}

/// How one decides about an entry without a terminal.
pub(crate) fn ways_out(id: i64) -> String {
    format!("decide: email2 outbox retry {id} --split, or --no-encrypt, or email2 outbox drop {id}")
}

/// Tries what is due, or one entry, with the key at hand where a passphrase can be had; asks about
/// what waits for a decision, where somebody sits at a terminal.
async fn with_key(
    context: &Context,
    client: &Client,
    one: Option<(i64, Decision)>,
) -> Result<Vec<Report>, Failure> {
    let key = context.key(client)?;
    let author = Author {
        key: &key,
        address: client.address()?,
    };
    // A line of progress must not stand where a question is asked.
    let watch = || Told(context.progress());
    let mut reports = match &one {
        Some((id, decision)) => queue::retry(client, &author, *id, decision, &watch()).await?,
        None => queue::run(client, Some(&author), Duration::ZERO, &watch()).await?,
    };
    if undo::is_asked(context) {
        let only = one.map(|(id, _)| id);
        for entry in queue::entries(client).await? {
            let Some(decision) = asked_about(&entry, only).await else {
                continue;
            };
            let decided = queue::retry(client, &author, entry.id, &decision, &watch()).await?;
            reports.retain(|report| report.outbox != Some(entry.id));
            reports.extend(decided);
        }
    }
    Ok(reports)
}

/// What the person says about an entry that waits for their decision, if it is the one that is
/// meant; `None`: it waits on.
async fn asked_about(entry: &Entry, only: Option<i64>) -> Option<Decision> {
    if !entry.undecided || only.is_some_and(|id| id != entry.id) {
        return None;
    }
    let why = entry.recipients.first().map(|to| to.words.as_str());
    let encryption = split::ask_about(why.unwrap_or_default()).await?;
    Some(Decision {
        encryption: Some(encryption),
        ..Decision::default()
    })
}

fn number(id: &str) -> Result<i64, Failure> {
    id.parse()
        .map_err(|_| Failure::new(Code::Usage, format_args!("{id:?} is no id of the outbox")))
}

//! `email2 outbox`: what waits to be sent.

use std::process::ExitCode;
use std::time::Duration;

use email2_client::Client;
use email2_client::display::shown;
use email2_client::send::queue::{self, Entry};
use email2_client::send::{Author, Report};

use super::context::Context;
use super::key::fingerprint;
use super::send::{Told, finish};
use crate::args::OutboxCommand;
use crate::exit::{Code, Failure, Outcome};

/// Lists, runs, retries or drops.
pub(crate) async fn run(context: &Context, command: OutboxCommand) -> Outcome {
    let client = context.client()?;
    match command {
        OutboxCommand::List => list(context, &client).await,
        OutboxCommand::Show { id } => show(context, &client, number(&id)?).await,
        OutboxCommand::Run => {
            let reports = with_key(context, &client, None, None).await?;
            finish(context, &reports)
        }
        OutboxCommand::Retry { id, accept_new } => {
            let reports =
                with_key(context, &client, Some(number(&id)?), accept_new.as_deref()).await?;
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
    let mut lines = format!(
        "{}: to {}, next attempt {}\n",
        entry.id, entry.domain, entry.next
    );
    for to in &entry.recipients {
        lines.push_str(&format!(
            "    {}: {}: {}\n",
            to.recipient,
            to.state,
            shown(&to.words)
        ));
    }
    lines
}

/// Tries what is due, or one entry, with the key at hand where a passphrase can be had.
async fn with_key(
    context: &Context,
    client: &Client,
    id: Option<i64>,
    accept_new: Option<&str>,
) -> Result<Vec<Report>, Failure> {
    let accept_new = accept_new.map(fingerprint).transpose()?;
    let key = context.key(client)?;
    let author = Author {
        key: &key,
        address: client.address()?,
    };
    let watch = Told(context.progress());
    Ok(match id {
        Some(id) => queue::retry(client, &author, id, accept_new.as_ref(), &watch).await?,
        None => queue::run(client, Some(&author), Duration::ZERO, &watch).await?,
    })
}

fn number(id: &str) -> Result<i64, Failure> {
    id.parse()
        .map_err(|_| Failure::new(Code::Usage, format_args!("{id:?} is no id of the outbox")))
}

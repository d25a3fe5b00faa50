//! `email2d queue`: mail that this server carries on for its users.

use clap::Subcommand;
use email2_store::{QueueEntry, QueueId};
use serde_json::json;

use super::output::rfc3339;
use super::{Desk, Failure};

/// What can be done to the queue.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what waits, oldest first
    List,
    /// Show one entry: its recipients, and what their servers said
    Show {
        /// Its number
        id: i64,
    },
    /// Try entries again within seconds; all when none is named
    Retry {
        /// Their numbers
        ids: Vec<i64>,
    },
    /// Drop entries; their authors are not told
    Drop {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::List => {
            for entry in desk.store.entries().await? {
                desk.output.print(&line(&entry), &object(&entry))?;
            }
            Ok(())
        }
        Command::Show { id } => show(&desk, *id).await,
        Command::Retry { ids } => {
            let ids = chosen(&desk, ids).await?;
            let due = desk.store.retry_now(&ids, desk.now).await?;
            desk.output
                .print(&format!("{due} due now."), &json!({"due": due}))
        }
        Command::Drop { ids } => {
            let ids: Vec<QueueId> = ids.iter().copied().map(QueueId).collect();
            let dropped = desk.store.drop_entries(&ids, desk.now).await?;
            desk.output
                .print(&format!("{dropped} dropped."), &json!({"dropped": dropped}))
        }
    }
}

async fn chosen(desk: &Desk, ids: &[i64]) -> Result<Vec<QueueId>, Failure> {
    if !ids.is_empty() {
        return Ok(ids.iter().copied().map(QueueId).collect());
    }
    let entries = desk.store.entries().await?;
    Ok(entries.iter().map(|entry| entry.id).collect())
}

async fn show(desk: &Desk, id: i64) -> Result<(), Failure> {
    let entries = desk.store.entries().await?;
    let found = entries.iter().find(|entry| entry.id == QueueId(id));
    let entry = found.ok_or_else(|| {
        Failure::data(format!(
            "there is no entry {id} in the queue; `email2d queue list` shows what there is"
        ))
    })?;
    let mut text = line(entry);
    for to in &entry.recipients {
        let reply = to.reply.as_deref().unwrap_or("not tried yet");
        text.push_str(&format!(
            "\n  {}: {}: {}",
            to.address,
            to.state.as_str(),
            reply.escape_debug()
        ));
    }
    desk.output.print(&text, &object(entry))
}

fn line(entry: &QueueEntry) -> String {
    format!(
        "{id} from <{from}> to {domain}, {count} recipients, {size} octets, {attempts} attempts, next {next}",
        id = entry.id.0,
        from = entry.mail_from,
        domain = entry.domain,
        count = entry.recipients.len(),
        size = entry.size,
        attempts = entry.attempts,
        next = rfc3339(entry.next_attempt),
    )
}

fn object(entry: &QueueEntry) -> serde_json::Value {
    let recipients = entry.recipients.iter().map(|to| {
        json!({
            "address": to.address.to_string(),
            "state": to.state.as_str(),
            "reply": to.reply,
        })
    });
    json!({
        "id": entry.id.0,
        "group": entry.group,
        "from": entry.mail_from.to_string(),
        "domain": entry.domain.to_string(),
        "size": entry.size,
        "attempts": entry.attempts,
        "created": rfc3339(entry.created),
        "expires": rfc3339(entry.expires),
        "next_attempt": rfc3339(entry.next_attempt),
        "recipients": recipients.collect::<Vec<_>>(),
    })
}

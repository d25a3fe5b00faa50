//! `email2d forward`: where the mail of an account is passed on to, by its administrator's word.

use clap::Subcommand;
use email2_store::Scope;
use serde_json::json;

use super::{Desk, Failure, user};
use crate::mediator::forward::Rule;
use crate::settings::{CONFIRMED, FORWARD};

/// What can be done to forwarding.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Pass the mail of an account on; the owners of the addresses need not confirm
    Set {
        /// Whose mail
        address: String,
        /// Where to
        #[arg(required = true)]
        targets: Vec<String>,
        /// Keep a copy in the account
        #[arg(long)]
        keep: bool,
    },
    /// Show where the mail of an account is passed on to
    Show {
        /// Whose mail
        address: String,
    },
    /// Pass nothing on any more
    Clear {
        /// Whose mail
        address: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Set {
            address,
            targets,
            keep,
        } => {
            let scope = scope(&desk, address).await?;
            let mut lines = String::new();
            for target in targets {
                lines.push_str(&format!("{}\n", user::parse(target)?));
            }
            let keep = if *keep { "keep\n" } else { "" };
            let rule = format!("{keep}{lines}");
            Rule::parse(&rule).map_err(|error| Failure::data(error.to_string()))?;
            let values = vec![
                (FORWARD.to_owned(), Some(rule.into_bytes())),
                (CONFIRMED.to_owned(), Some(lines.into_bytes())),
            ];
            desk.store.set(scope, values).await?;
            show(&desk, address).await
        }
        Command::Show { address } => show(&desk, address).await,
        Command::Clear { address } => {
            let scope = scope(&desk, address).await?;
            let values = vec![(FORWARD.to_owned(), None), (CONFIRMED.to_owned(), None)];
            desk.store.set(scope, values).await?;
            show(&desk, address).await
        }
    }
}

async fn scope(desk: &Desk, address: &str) -> Result<Scope, Failure> {
    Ok(Scope::Account(user::find(desk, address).await?.id))
}

async fn show(desk: &Desk, address: &str) -> Result<(), Failure> {
    let scope = scope(desk, address).await?;
    let text =
        |value: Option<Vec<u8>>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
    let rule = text(desk.store.setting(scope, FORWARD).await?);
    let confirmed = text(desk.store.setting(scope, CONFIRMED).await?);
    let rule = Rule::parse(&rule).map_err(|error| Failure::data(error.to_string()))?;
    let mut lines = vec![format!(
        "mail for {address} is passed on to {} addresses{}",
        rule.to.len(),
        if rule.keep { ", a copy stays" } else { "" }
    )];
    let mut targets = Vec::new();
    for target in &rule.to {
        let target = target.to_string();
        let is_confirmed = confirmed.lines().any(|line| line == target);
        let word = if is_confirmed {
            "confirmed"
        } else {
            "waits for its owner"
        };
        lines.push(format!("  {target}: {word}"));
        targets.push(json!({"address": target, "confirmed": is_confirmed}));
    }
    let object = json!({"address": address, "keep": rule.keep, "targets": targets});
    desk.output.print(&lines.join("\n"), &object)
}

//! `email2d block`: from whom nothing is wanted, for the server or one user.

use clap::{Args, Subcommand};
use email2::block::BlockPattern;
use email2_store::Scope;
use serde_json::json;

use super::{Desk, Failure, user};

/// What can be done to blocks.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add blocks
    Add {
        /// Addresses, domains (`@example.net`) or patterns with `*`
        #[arg(required = true)]
        patterns: Vec<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// List the blocks
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Remove blocks
    Remove {
        /// As they were added
        #[arg(required = true)]
        patterns: Vec<String>,
        #[command(flatten)]
        whose: Whose,
    },
}

/// Whose blocks.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The blocks of this user, not the server's
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Add { patterns, whose } => {
            let (scope, patterns) = (whose.scope(&desk).await?, parse(patterns)?);
            let added = desk.store.add_blocks(scope, &patterns, desk.now).await?;
            desk.output
                .print(&format!("{added} added."), &json!({"added": added}))
        }
        Command::Remove { patterns, whose } => {
            let (scope, patterns) = (whose.scope(&desk).await?, parse(patterns)?);
            let removed = desk.store.remove_blocks(scope, &patterns).await?;
            desk.output
                .print(&format!("{removed} removed."), &json!({"removed": removed}))
        }
        Command::List { whose } => {
            for pattern in desk.store.blocks(whose.scope(&desk).await?).await? {
                let pattern = pattern.to_string();
                desk.output.print(&pattern, &json!({"pattern": pattern}))?;
            }
            Ok(())
        }
    }
}

impl Whose {
    async fn scope(&self, desk: &Desk) -> Result<Scope, Failure> {
        match &self.user {
            None => Ok(Scope::Server),
            Some(address) => Ok(Scope::Account(user::find(desk, address).await?.id)),
        }
    }
}

fn parse(patterns: &[String]) -> Result<Vec<BlockPattern>, Failure> {
    let read = |text: &String| {
        BlockPattern::parse(text).map_err(|error| {
            Failure::data(format!(
                "{text:?}: {error}; a block is an address, @domain or a pattern with *"
            ))
        })
    };
    patterns.iter().map(read).collect()
}

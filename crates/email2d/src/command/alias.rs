//! `email2d alias`: other addresses of accounts, and addresses whose mail goes elsewhere.

use clap::Subcommand;
use email2::address::Address;
use email2::limits;
use email2_store::{Alias, AliasTarget};
use serde_json::json;

use super::{Desk, Failure, user};

/// What can be done to aliases.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an alias of an account here, or of addresses elsewhere
    Add {
        /// The alias
        address: String,
        /// Whose it is: one account of this server, or where the mail is passed on to
        #[arg(required = true)]
        targets: Vec<String>,
        /// Answer writers with the account's key; else its owner publishes one for the alias
        #[arg(long)]
        linked: bool,
    },
    /// List the aliases
    List,
    /// Remove an alias; its mail is refused from now on
    Remove {
        /// The alias
        address: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Add {
            address,
            targets,
            linked,
        } => {
            let alias = Alias {
                address: served(&desk, address)?,
                target: target(&desk, targets, *linked).await?,
                created: desk.now,
            };
            desk.store.add_alias(&alias).await?;
            print(&desk, &alias)
        }
        Command::List => {
            let aliases = desk.store.aliases().await?;
            aliases.iter().try_for_each(|alias| print(&desk, alias))
        }
        Command::Remove { address } => {
            let address = user::parse(address)?;
            if !desk.store.remove_alias(&address).await? {
                return Err(Failure::no_user(format!(
                    "there is no alias {address}; `email2d alias list` shows what there is"
                )));
            }
            let text = format!("{address} removed.");
            desk.output
                .print(&text, &json!({"removed": address.to_string()}))
        }
    }
}

/// An address of a domain that is served here.
pub(super) fn served(desk: &Desk, text: &str) -> Result<Address, Failure> {
    let address = user::parse(text)?;
    if desk.config.domain(address.domain()).is_none() {
        return Err(Failure::no_domain(format!(
            "{} is not served here: add it to the configuration as a [[domain]]",
            address.domain()
        )));
    }
    Ok(address)
}

async fn target(desk: &Desk, targets: &[String], linked: bool) -> Result<AliasTarget, Failure> {
    let parsed: Result<Vec<Address>, Failure> =
        targets.iter().map(|target| user::parse(target)).collect();
    let targets = parsed?;
    if let [one] = targets.as_slice()
        && desk.store.account(one).await?.is_some()
    {
        return Ok(AliasTarget::Account {
            address: one.clone(),
            linked,
        });
    }
    if linked {
        return Err(Failure::data(
            "--linked is for an alias of one account of this server",
        ));
    }
    if targets.len() > limits::FORWARD_TARGETS {
        return Err(Failure::data(format!(
            "an alias names at most {} addresses; a list takes more: `email2d list create`",
            limits::FORWARD_TARGETS
        )));
    }
    Ok(AliasTarget::Elsewhere(targets))
}

fn print(desk: &Desk, alias: &Alias) -> Result<(), Failure> {
    let address = alias.address.to_string();
    let (targets, linked) = match &alias.target {
        AliasTarget::Account { address, linked } => (vec![address.to_string()], *linked),
        AliasTarget::Elsewhere(targets) => {
            (targets.iter().map(ToString::to_string).collect(), false)
        }
    };
    let text = format!(
        "{address} is {}{}",
        targets.join(", "),
        if linked { ", with its key" } else { "" }
    );
    desk.output.print(
        &text,
        &json!({"alias": address, "targets": targets, "linked": linked}),
    )
}

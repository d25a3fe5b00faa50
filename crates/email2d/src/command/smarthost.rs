//! `email2d smarthost`: names by which mail systems behind sign in (spec §15.2.3).

use clap::Subcommand;
use serde_json::json;

use super::{Desk, Failure};
use crate::smarthost;

/// What can be done to them.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a password for a name, in place of the one that it had; shown once
    Add {
        /// The name, one word; it stands in `names` of a [[smarthost]] table
        name: String,
    },
    /// List the names that have a password
    List,
    /// Forget a name with its password
    Remove {
        /// The name
        name: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Add { name } => add(desk, name).await,
        Command::List => list(desk).await,
        Command::Remove { name } => remove(desk, name).await,
    }
}

async fn add(mut desk: Desk, name: &str) -> Result<(), Failure> {
    if !smarthost::is_name(name) {
        return Err(Failure::data(format!(
            "{name:?}: a name is at most 64 letters, digits, dots, dashes and underscores"
        )));
    }
    let password = smarthost::add(&desk.store, name, &mut desk.rng).await?;
    let used = is_named(&desk, name);
    let hint = match used {
        true => "It signs in from now on; only a server that was started before its \
                 configuration named it has to be restarted."
            .to_owned(),
        false => format!(
            "No door takes it yet: add names = [\"{name}\"] to a [[smarthost]] table of the \
             configuration and restart the server."
        ),
    };
    let text = format!(
        "Password of {name}, shown once, for AUTH under TLS at the smarthost:\n\n  {}\n\n{hint}",
        password.reveal()
    );
    let object = json!({"name": name, "password": password.reveal(), "used": used});
    desk.output.print(&text, &object)
}

/// Does a door of the configuration take that name?
fn is_named(desk: &Desk, name: &str) -> bool {
    let mut names = desk.config.smarthosts.iter().flat_map(|door| &door.names);
    names.any(|known| known == name)
}

async fn list(desk: Desk) -> Result<(), Failure> {
    for name in smarthost::names(&desk.store).await? {
        let used = is_named(&desk, &name);
        let remark = match used {
            true => "",
            false => " (no [[smarthost]] table names it)",
        };
        desk.output.print(
            &format!("{name}{remark}"),
            &json!({"name": name, "used": used}),
        )?;
    }
    Ok(())
}

async fn remove(desk: Desk, name: &str) -> Result<(), Failure> {
    if !smarthost::remove(&desk.store, name).await? {
        return Err(Failure::no_user(format!("{name:?} has no password here")));
    }
    let text = format!("{name} removed: it cannot sign in any more.");
    desk.output.print(&text, &json!({"removed": name}))
}

//! `email2 contact`: whose mail goes to the inbox (spec §10.5), and by whom it may come.

use std::process::ExitCode;

use email2_client::Client;
use email2_client::contact::{self, Accepted};
use email2_client::display::shown;
use email2_client::settings::{self, Setting};

use super::context::Context;
use crate::args::{ContactCommand, Ordinary, Strangers};
use crate::exit::{Code, Failure, Outcome};

/// Lists, accepts, removes, or says where strangers' mail goes.
pub(crate) async fn run(context: &Context, command: ContactCommand) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    match command {
        ContactCommand::List => {
            let contacts = settings::get(&client, Setting::Contacts).await?;
            context.output.data("contacts", &contacts, |contacts| {
                let line = |contact: &String| format!("{}\n", shown(contact));
                contacts.iter().map(line).collect()
            })?;
        }
        ContactCommand::Accept { who } => {
            let accepted = contact::accept(&client, &who).await?;
            context
                .output
                .data("accepted", &accepted, |accepted| told(&who, accepted))?;
        }
        ContactCommand::Remove { who } => {
            if !settings::remove(&client, Setting::Contacts, &who).await? {
                let line = format!("{} is no contact", shown(&who));
                return Err(Failure::new(Code::NoInput, line));
            }
        }
        ContactCommand::Strangers { place } => {
            if let Some(place) = place {
                let word = match place {
                    Strangers::Inbox => "inbox",
                    Strangers::Requests => "requests",
                };
                settings::set(&client, Setting::Strangers, &[word.to_owned()]).await?;
            }
            let word = settings::get(&client, Setting::Strangers).await?;
            let word = word.into_iter().next().unwrap_or("inbox".to_owned());
            context
                .output
                .data("strangers", &word, |word| format!("{}\n", shown(word)))?;
        }
        ContactCommand::Ordinary { place } => ordinary(context, &client, place).await?,
        ContactCommand::Via { address, remove } => via(context, &client, address, remove).await?,
        ContactCommand::PassOn {
            addresses,
            keep,
            off,
        } => pass_on(context, &client, addresses, keep, off).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says, or changes, what becomes of mail without a seal.
async fn ordinary(
    context: &Context,
    client: &Client,
    place: Option<Ordinary>,
) -> Result<(), Failure> {
    if let Some(place) = place {
        let word = match place {
            Ordinary::Accept => "accept",
            Ordinary::Junk => "junk",
            Ordinary::Reject => "reject",
        };
        settings::set(client, Setting::Legacy, &[word.to_owned()]).await?;
    }
    let word = settings::get(client, Setting::Legacy).await?;
    let word = word.into_iter().next();
    let word = word.unwrap_or("as your server's administrator says".to_owned());
    context
        .output
        .data("ordinary", &word, |word| format!("{}\n", shown(word)))
}

/// Registers a mediator's address, or takes it back; then lists them (spec §4.6.4).
async fn via(
    context: &Context,
    client: &Client,
    address: Option<String>,
    remove: bool,
) -> Result<(), Failure> {
    if let Some(address) = address {
        let done = match remove {
            true => settings::remove(client, Setting::Forwarders, &address).await?,
            false => {
                settings::add(client, Setting::Forwarders, &address).await?;
                true
            }
        };
        if !done {
            let line = format!("{} was not there", shown(&address));
            return Err(Failure::new(Code::NoInput, line));
        }
    }
    let registered = settings::get(client, Setting::Forwarders).await?;
    context.output.data("via", &registered, |registered| {
        let line = |address: &String| format!("{}\n", shown(address));
        registered.iter().map(line).collect()
    })
}

/// Where one's own mail is passed on to (spec §14.2).
async fn pass_on(
    context: &Context,
    client: &Client,
    addresses: Vec<String>,
    keep: bool,
    off: bool,
) -> Result<(), Failure> {
    if off || !addresses.is_empty() {
        let keep = keep.then(|| "keep".to_owned());
        let rule: Vec<String> = addresses.into_iter().chain(keep).collect();
        settings::set(client, Setting::Forward, &rule).await?;
    }
    let rule = settings::get(client, Setting::Forward).await?;
    let own = client.address()?;
    context.output.data("pass_on", &rule, |rule| {
        let mut text: String = rule
            .iter()
            .map(|line| format!("{}\n", shown(line)))
            .collect();
        if rule.iter().any(|line| line != "keep") {
            text.push_str(&format!(
                "Each owner takes it by an Email 2.0 letter to {}+confirm-forward@{}\n",
                own.local(),
                own.domain()
            ));
        }
        text
    })?;
    Ok(())
}

fn told(who: &str, accepted: &Accepted) -> String {
    let who = shown(who);
    let is = if accepted.is_new { "is now" } else { "was" };
    let moved = accepted.moved;
    format!("{who} {is} a contact; {moved} messages moved to the inbox\n")
}

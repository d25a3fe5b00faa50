//! `email2d key`: the certificates that this server answers with.

use clap::Subcommand;
use email2::address::Identity;
use email2::certificate::Certificate;
use email2_store::CertificateVersion;
use serde_json::json;

use super::output::rfc3339;
use super::{Desk, Failure};
use crate::service_key;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every version of a key
    Show {
        /// A user's address, or `@DOMAIN` for the domain's service key
        subject: String,
        /// Print the certificate that is served, armored
        #[arg(long)]
        armor: bool,
    },
    /// Make a key worth nothing from now on, also for mail that it sealed before
    Revoke {
        /// A user's address, or `@DOMAIN` for the domain's service key
        subject: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Show { subject, armor } => show(desk, subject, *armor).await,
        Command::Revoke { subject } => revoke(desk, subject).await,
    }
}

fn parse(text: &str) -> Result<Identity, Failure> {
    Identity::parse(text).map_err(|error| Failure::data(format!("{text:?}: {error}")))
}

async fn show(desk: Desk, subject: &str, armor: bool) -> Result<(), Failure> {
    let who = parse(subject)?;
    if armor {
        return show_armored(&desk, &who).await;
    }
    let versions = desk.store.versions(&who).await?;
    if versions.is_empty() {
        return Err(Failure::no_user(format!("there is no key of {who} here")));
    }
    let served = desk.store.served(&who).await?.map(|version| version.id);
    for version in &versions {
        let (text, object) = describe(version, served == Some(version.id));
        desk.output.print(&text, &object)?;
    }
    Ok(())
}

async fn show_armored(desk: &Desk, who: &Identity) -> Result<(), Failure> {
    let none = || Failure::no_user(format!("no key of {who} is served"));
    let served = desk.store.served(who).await?.ok_or_else(none)?;
    let certificate = Certificate::parse(&served.octets)
        .map_err(|error| Failure::input_output(format!("the certificate of {who}: {error}")))?;
    let armored = certificate.armored();
    let object = json!({"identity": who.to_string(), "armored": armored});
    desk.output.print(armored.trim_end(), &object)
}

fn describe(version: &CertificateVersion, served: bool) -> (String, serde_json::Value) {
    let standing = match (version.hard, version.until, served) {
        (true, _, _) => "revoked for good".to_owned(),
        (false, Some(until), _) => format!("replaced {}", rfc3339(until)),
        (false, None, true) => "served".to_owned(),
        (false, None, false) => "earlier version".to_owned(),
    };
    let text = format!(
        "{}\t{}\tsince {}\t{standing}",
        version.identity,
        version.primary,
        rfc3339(version.since)
    );
    let object = json!({
        "identity": version.identity.to_string(),
        "primary": version.primary.to_string(),
        "etag": version.etag.as_str(),
        "since": rfc3339(version.since),
        "until": version.until.map(rfc3339),
        "hard": version.hard,
        "served": served,
        "stored": rfc3339(version.stored),
    });
    (text, object)
}

async fn revoke(mut desk: Desk, subject: &str) -> Result<(), Failure> {
    let who = parse(subject)?;
    let what_now = match &who {
        Identity::Service(domain) => {
            if desk.config.domain(domain).is_none() {
                return Err(Failure::no_domain(format!("{domain} is not served here")));
            }
            let directory = &desk.config.data_directory;
            let rng = &mut desk.rng;
            let key = service_key::revoke(directory, domain, &desk.store, desk.now, rng).await?;
            format!(
                "A new service key {} is served.",
                key.certificate().primary()
            )
        }
        Identity::Address(address) => {
            if desk.store.mark_hard(&who, None).await? == 0 {
                return Err(Failure::no_user(format!("no key of {who} is served")));
            }
            format!("`email2d user reset {address}` lets its owner make a new one.")
        }
    };
    let text = format!(
        "The key of {who} is revoked; others learn it within the hour. {what_now} \
         A server that runs knows it already."
    );
    desk.output.print(
        &text,
        &json!({"identity": who.to_string(), "revoked": true}),
    )
}

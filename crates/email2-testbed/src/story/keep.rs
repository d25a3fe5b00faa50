//! A world that stays: `world.json`, and how to use it.

use std::path::PathBuf;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::{Scene, TO};
use crate::domain::Place;
use crate::failure::{Outcome, Step};
use crate::loopback::{DIRECT_PORT, IMAPS_PORT, MX_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use crate::testbed::Testbed;

/// What `world.json` says; the version changes when a field changes its meaning.
#[derive(Serialize)]
struct World {
    version: u32,
    dns: String,
    dnssec_anchor: PathBuf,
    ca_file: PathBuf,
    mx_port: u16,
    domains: Vec<DomainEntry>,
    accounts: Vec<Account>,
}

#[derive(Serialize)]
struct DomainEntry {
    name: String,
    host: String,
    mx: String,
    direct: String,
    submissions: String,
    submission: String,
    imaps: String,
    configuration: PathBuf,
}

/// An account, and where its owner keeps things.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Its address.
    pub address: String,
    /// Password for submission and IMAP.
    pub password: String,
    /// `EMAIL2_HOME` of its owner, when they use `email2`.
    pub home: Option<PathBuf>,
    /// The file with the passphrase of their key.
    pub passphrase_file: Option<PathBuf>,
}

/// Writes `world.json` into the world's folder; the text that says how to use it.
///
/// # Errors
/// The folder cannot be written.
pub fn write(scene: &Scene) -> Outcome<String> {
    let testbed = &scene.testbed;
    let world = World {
        version: 1,
        dns: testbed.authority.address().to_string(),
        dnssec_anchor: testbed.folder.join("dnssec-anchor"),
        ca_file: testbed.certification.file(),
        mx_port: MX_PORT,
        domains: testbed
            .domains
            .values()
            .map(|domain| entry(testbed, &domain.place))
            .collect(),
        accounts: scene.accounts()?,
    };
    let file = testbed.folder.join("world.json");
    let json = serde_json::to_string_pretty(&world).step("world.json")?;
    std::fs::write(&file, json + "\n").step("world.json")?;
    Ok(usage(&world, &file))
}

fn entry(testbed: &Testbed, place: &Place) -> DomainEntry {
    let at = |port| testbed.network.port(place.number, port).to_string();
    DomainEntry {
        name: place.plan.name.to_owned(),
        host: place.plan.host.clone(),
        mx: at(MX_PORT),
        direct: at(DIRECT_PORT),
        submissions: at(SUBMISSIONS_PORT),
        submission: at(SUBMISSION_PORT),
        imaps: at(IMAPS_PORT),
        configuration: place.configuration(),
    }
}

fn usage(world: &World, file: &std::path::Path) -> String {
    let mut text = format!(
        "\nThe world stays until Enter or SIGTERM: {}\n",
        file.display()
    );
    for account in &world.accounts {
        if let (Some(home), Some(passphrase)) = (&account.home, &account.passphrase_file) {
            text += &format!(
                "\n{}:\n    EMAIL2_HOME={} email2 --passphrase-file {} inbox\n",
                account.address,
                home.display(),
                passphrase.display()
            );
        }
    }
    let to = world.domains.iter().find(|domain| domain.name == TO);
    let alice = world.accounts.first();
    if let (Some(domain), Some(alice)) = (to, alice) {
        text += &format!(
            "\nAn IMAP program: server {imaps} (TLS), user {user}, password {password}, authority {ca}\n\
             \nThe server by hand:\n    openssl s_client -connect {mx} -starttls smtp \
             -servername {host} -CAfile {ca} -crlf\n",
            imaps = domain.imaps,
            user = alice.address,
            password = alice.password,
            mx = domain.mx,
            host = domain.host,
            ca = world.ca_file.display(),
        );
    }
    text
}

/// Waits for Enter, or for SIGTERM or SIGINT. A standard input that is closed is no Enter.
pub async fn until_asked() {
    let (entered, enter) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin()
            .read_line(&mut line)
            .is_ok_and(|octets| octets > 0)
        {
            let _ = entered.send(());
        } else {
            std::mem::forget(entered);
        }
    });
    tokio::select! {
        _ = enter => {}
        () = signalled(SignalKind::terminate()) => {}
        () = signalled(SignalKind::interrupt()) => {}
    }
}

async fn signalled(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

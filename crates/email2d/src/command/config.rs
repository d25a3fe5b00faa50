//! `email2d config`: is the configuration right?

mod certificate;

use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use email2::address::Domain;
use email2_io::clock::{Clock as _, SystemClock};
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;
use serde_json::json;

use super::Failure;
use super::output::{Output, rfc3339};
use crate::config::{Config, DomainConfig, TlsConfig};

/// What can be done to the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the configuration, the certificates and the data directory
    Check,
}

/// A certificate is mentioned this long before it expires, seconds: 14 days.
const WARN_BEFORE: u64 = 14 * 24 * 3600;

/// Does it.
pub(super) fn run(command: &Command, path: &Path, json: bool) -> Result<(), Failure> {
    let Command::Check = command;
    let config = Config::read(path)?;
    let mut warnings = check_certificates(&config, path)?;
    if !config.data_directory.is_dir() {
        let directory = config.data_directory.display();
        warnings.push(format!(
            "data_directory: {directory} is not there yet; the server makes it"
        ));
    }
    let mut text: String = warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"))
        .collect();
    text.push_str(&format!(
        "{}: good; a server that runs takes it when it is restarted",
        path.display()
    ));
    let object = json!({"file": path.display().to_string(), "good": true, "warnings": warnings});
    Output::new(json).print(&text, &object)
}

/// Reads the certificates as the server would; an expired one is an error.
pub(super) fn check_certificates(config: &Config, path: &Path) -> Result<Vec<String>, Failure> {
    let clock = Arc::new(SystemClock::new());
    let now = clock.now();
    let files: Vec<_> = config.tls.iter().map(files).collect();
    ServerTls::new(&files, clock).map_err(|error| {
        at(
            path,
            &format!("{error}: name a PEM file that the server can read"),
        )
    })?;
    let mut warnings = Vec::new();
    for tls in &config.tls {
        let valid = certificate::validity(&tls.certificate).map_err(|error| at(path, &error))?;
        let file = tls.certificate.display();
        match valid.end {
            end if end <= now => {
                let reason = format!(
                    "{file} expired {}: renew it, the server takes the new file by itself",
                    rfc3339(end)
                );
                return Err(at(path, &reason));
            }
            end if end <= now + WARN_BEFORE => {
                warnings.push(format!("tls: {file} expires {}", rfc3339(end)));
            }
            _ if valid.begin > now => {
                let begin = rfc3339(valid.begin);
                return Err(at(path, &format!("{file} is not valid before {begin}")));
            }
            _ => {}
        }
    }
    Ok(warnings)
}

/// The domain of that name, which is served here.
pub(super) fn served<'a>(config: &'a Config, text: &str) -> Result<&'a DomainConfig, Failure> {
    let domain =
        Domain::parse(text).map_err(|error| Failure::data(format!("{text:?}: {error}")))?;
    let found = config.domain(&domain);
    found.ok_or_else(|| Failure::no_domain(format!("{domain} is not served here")))
}

/// The world as `[network]` describes it.
pub(super) fn world(config: &Config) -> Result<World, Failure> {
    World::real(&config.network)
        .map_err(|error| Failure::configuration(format!("[network]: {error}")))
}

/// The two files of a certificate.
pub(super) fn files(tls: &TlsConfig) -> CertificateFiles {
    CertificateFiles {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
    }
}

fn at(path: &Path, reason: &str) -> Failure {
    Failure::configuration(format!("{}: tls: {reason}", path.display()))
}

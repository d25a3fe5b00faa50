//! `email2d quickstart`: everything that a new server needs, and what its DNS must say.

mod certificate;
mod made;
mod template;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use email2::address::{Address, Domain};
use email2_io::clock::{Clock as _, SystemClock};
use email2_io::entropy::{OsEntropy, Rng};
use email2_store::{Opening, Purpose, Secret, Store};
use serde_json::json;

use super::dns::{self, Record};
use super::output::Output;
use super::{CONFIGURATION, Desk, Failure, config, user};
use crate::config::Config;
use crate::{dkim_key, https, service_key};
use made::Made;
use template::{Ports, Template};

/// What the administrator decides.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The mail domain, the part behind the @
    domain: String,
    /// The name of this host, as the MX record will call it [default: mail.DOMAIN]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// The directory of store and keys
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/email2d")]
    data: PathBuf,
    /// The first account [default: postmaster@DOMAIN]
    #[arg(long, value_name = "ADDRESS")]
    account: Option<String>,
    /// A TLS certificate chain (PEM) valid for the host and email2.DOMAIN; without it,
    /// one for trying out is made
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The address to listen at
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    listen: IpAddr,
    /// Listen at this number higher ports, to try it out without root
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    port_offset: u16,
}

/// What was decided, checked.
struct Plan {
    domain: Domain,
    hostname: Domain,
    account: Address,
    listen: IpAddr,
    ports: Ports,
    configuration: PathBuf,
    data: PathBuf,
}

impl Plan {
    /// The names that the TLS certificate needs. HTTPS is found at its own port only.
    fn names(&self) -> Vec<String> {
        let domain = &self.domain;
        let host_label = email2::capability::HOST_LABEL;
        let mut names = vec![self.hostname.to_string(), format!("{host_label}.{domain}")];
        if self.ports.serve_https() {
            names.push(email2::wkd::Method::Advanced.host(domain));
            names.push(format!("{}.{domain}", https::MTA_STS_LABEL));
        }
        names
    }
}

/// Certificate and key, and the authority to trust when they are for trying out.
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    authority: Option<PathBuf>,
}

/// Does it; what fails halfway leaves nothing behind.
pub(super) async fn run(arguments: &Arguments, path: &Path, json: bool) -> Result<(), Failure> {
    let plan = plan(arguments, path)?;
    let mut made = Made::before(&plan);
    let (tls, code, records) = match set_up(arguments, &plan, json, &mut made).await {
        Ok(done) => done,
        Err(failure) => {
            made.undo();
            return Err(failure);
        }
    };
    report(&plan, &tls, (&code, &records), Output::new(json))
}

async fn set_up(
    arguments: &Arguments,
    plan: &Plan,
    json: bool,
    made: &mut Made,
) -> Result<(Tls, Secret, Vec<Record>), Failure> {
    let tls = tls(arguments, plan, made)?;
    write_configuration(plan, &tls, made)?;
    let mut desk = open(plan, json).await?;
    let account = user::open_account(&desk, plan.account.clone(), None).await?;
    let code = user::issue(&mut desk, &account, Purpose::Add).await?;
    dkim_key::ensure(&plan.data, &plan.domain, &mut desk.rng)?;
    let domain = config::served(&desk.config, plan.domain.as_str())?;
    let records = dns::wanted(&desk.config, domain, None)?;
    Ok((tls, code, records))
}

fn plan(arguments: &Arguments, path: &Path) -> Result<Plan, Failure> {
    let name = |text: &str| {
        Domain::parse(text).map_err(|error| Failure::data(format!("{text:?}: {error}")))
    };
    let domain = name(&arguments.domain)?;
    let hostname = match &arguments.hostname {
        Some(hostname) => name(hostname)?,
        None => name(&format!("mail.{domain}"))?,
    };
    let account = match &arguments.account {
        Some(address) => user::parse(address)?,
        None => user::parse(&format!("postmaster@{domain}"))?,
    };
    if *account.domain() != domain {
        return Err(Failure::data(format!("{account} is not in {domain}")));
    }
    let ports = Ports::from(arguments.port_offset).ok_or_else(|| {
        Failure::data("--port-offset is too high: the ports must stay below 65536")
    })?;
    if path.exists() {
        return Err(Failure::cannot_create(format!(
            "{} exists: move it away, or name another with --config",
            path.display()
        )));
    }
    Ok(Plan {
        domain,
        hostname,
        account,
        listen: arguments.listen,
        ports,
        configuration: absolute(path)?,
        data: absolute(&arguments.data)?,
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::input_output(format!("{}: {error}", path.display())))
}

/// The files that were given, or ones for trying out beside the configuration.
fn tls(arguments: &Arguments, plan: &Plan, files: &mut Made) -> Result<Tls, Failure> {
    if let (Some(certificate), Some(key)) = (&arguments.certificate, &arguments.key) {
        return Ok(Tls {
            certificate: absolute(certificate)?,
            key: absolute(key)?,
            authority: None,
        });
    }
    let folder = plan.configuration.with_file_name("tls");
    let made = certificate::make(&plan.names(), SystemClock::new().now())
        .map_err(|error| Failure::cannot_create(format!("the TLS certificate: {error}")))?;
    let tls = Tls {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        authority: Some(folder.join("authority.pem")),
    };
    files.write(&tls.certificate, &made.chain, 0o644)?;
    files.write(&tls.key, &made.key, 0o600)?;
    files.write(&folder.join("authority.pem"), &made.authority, 0o644)?;
    Ok(tls)
}

fn write_configuration(plan: &Plan, tls: &Tls, made: &mut Made) -> Result<(), Failure> {
    let text = Template {
        hostname: &plan.hostname,
        domain: &plan.domain,
        data: &plan.data,
        account: &plan.account,
        certificate: &tls.certificate,
        key: &tls.key,
        listen: plan.listen,
        ports: &plan.ports,
    }
    .to_string();
    // What is written is read as the server will read it.
    Config::parse(&text, &plan.configuration)?;
    made.write(&plan.configuration, &text, 0o644)
}

/// Makes store and service key.
async fn open(plan: &Plan, json: bool) -> Result<Desk, Failure> {
    let now = SystemClock::new().now();
    let mut rng = Rng::new(Arc::new(OsEntropy));
    let store = Store::open(&plan.data, Opening::Visit, now)?;
    service_key::ensure(&plan.data, &plan.domain, &store, now, &mut rng).await?;
    Ok(Desk {
        config: Config::read(&plan.configuration)?,
        store,
        now,
        rng,
        output: Output::new(json),
    })
}

fn report(
    plan: &Plan,
    tls: &Tls,
    (code, records): (&Secret, &[Record]),
    output: Output,
) -> Result<(), Failure> {
    let records: Vec<String> = records.iter().map(ToString::to_string).collect();
    let lines: Vec<String> = records.iter().map(|record| format!("  {record}")).collect();
    let authority = tls
        .authority
        .as_ref()
        .map(|file| file.display().to_string());
    let option = authority
        .as_ref()
        .map(|file| format!(" --ca-file {}", word(file)));
    let trying_out = match &authority {
        Some(_) => format!(
            "\nThe TLS certificate is for trying out: others do not trust it. Get one for\n  {}\n\
             before others write to you, and name its files under [[tls]].\n",
            plan.names().join(" ")
        ),
        None => String::new(),
    };
    let text = format!(
        "Configuration: {}\nData: {}\n\nAdd these records to the DNS of {}:\n\n{}\n{trying_out}\n\
         Account {}, one-time code, valid for 7 days: {}\n\n\
         Then: email2d{} serve, and on the device of its owner:\n  email2 setup {}{}",
        plan.configuration.display(),
        plan.data.display(),
        plan.domain,
        lines.join("\n"),
        plan.account,
        code.reveal(),
        named(&plan.configuration),
        plan.account,
        option.as_deref().unwrap_or_default(),
    );
    let object = json!({
        "configuration": plan.configuration.display().to_string(),
        "data_directory": plan.data.display().to_string(),
        "records": records,
        "account": plan.account.to_string(),
        "code": code.reveal(),
        "ca_file": authority,
    });
    output.print(&text, &object)
}

/// The option that names the configuration, where it is not the one that is found by itself.
fn named(configuration: &Path) -> String {
    if configuration == Path::new(CONFIGURATION) {
        return String::new();
    }
    format!(" --config {}", word(&configuration.display().to_string()))
}

/// As one word of a shell's command line.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_configuration_is_named() {
        assert_eq!(named(Path::new(CONFIGURATION)), "");
        assert_eq!(named(Path::new("/srv/a.toml")), " --config /srv/a.toml");
        assert_eq!(named(Path::new("/srv/it's")), r" --config '/srv/it'\''s'");
    }
}

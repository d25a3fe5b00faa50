//! `email2d dns`: the records that a domain should have, and whether it has them.

mod check;
mod record;
mod records;

use std::path::Path;
use std::sync::Arc;

use email2_io::clock::SystemClock;
use email2_io::dns::Tlsa;
use email2_io::tls::ServerTls;
use email2_io::world::World;
use email2_remote::dane;
use serde_json::{Value, json};

use super::output::Output;
use super::{Failure, config};
use crate::config::{Config, DomainConfig};
use crate::dkim_key;
use check::State;
pub(super) use record::Record;
use records::records;

/// Which domain, and what about it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A domain that is served here [default: all]
    domain: Option<String>,
    /// Ask the DNS, and say of each record whether it is present, missing or differs
    #[arg(long)]
    check: bool,
}

/// Records that are not as they should be.
#[derive(Default)]
struct Faults {
    wrong: usize,
    unknown: usize,
}

/// Prints them, or what the DNS has in their place.
pub(super) async fn run(arguments: &Arguments, path: &Path, json: bool) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let output = Output::new(json);
    let domains = match &arguments.domain {
        Some(name) => vec![config::served(&config, name)?],
        None => config.domains.iter().collect(),
    };
    let certificate = certificate(&config);
    let world = match arguments.check {
        true => Some(config::world(&config)?),
        false => None,
    };
    let mut faults = Faults::default();
    for domain in domains {
        let pin = certificate.as_deref().and_then(dane::pin);
        let wanted = wanted(&config, domain, pin)?;
        match &world {
            None => list(output, domain, &wanted)?,
            Some(world) => {
                compare(
                    output,
                    world,
                    domain,
                    &wanted,
                    certificate.as_deref(),
                    &mut faults,
                )
                .await?;
            }
        }
    }
    faults.result()
}

/// The records of a domain, with those of the keys that it has.
pub(super) fn wanted(
    config: &Config,
    domain: &DomainConfig,
    pin: Option<Tlsa>,
) -> Result<Vec<Record>, Failure> {
    let dkim = dkim_key::published(&config.data_directory, &domain.name)?;
    Ok(records(config, domain, dkim, pin))
}

/// The certificate that is shown for the host, if there is one: its records stand without.
fn certificate(config: &Config) -> Option<Vec<u8>> {
    let files: Vec<_> = config.tls.iter().map(config::files).collect();
    let tls = ServerTls::new(&files, Arc::new(SystemClock::new())).ok()?;
    tls.shown(config.hostname.as_str())
}

fn list(output: Output, domain: &DomainConfig, wanted: &[Record]) -> Result<(), Failure> {
    wanted
        .iter()
        .try_for_each(|record| output.print(&record.to_string(), &object(domain, record)))
}

async fn compare(
    output: Output,
    world: &World,
    domain: &DomainConfig,
    wanted: &[Record],
    certificate: Option<&[u8]>,
    faults: &mut Faults,
) -> Result<(), Failure> {
    for record in wanted {
        let Some(state) = check::state(&*world.dns, record, certificate).await else {
            continue;
        };
        faults.count(record, &state);
        let mut object = object(domain, record);
        if let Some(object) = object.as_object_mut() {
            object.insert("state".to_owned(), state.as_str().into());
            if let State::Differs(found) = &state {
                object.insert("found".to_owned(), json!(found));
            }
        }
        output.print(&line(record, &state), &object)?;
    }
    Ok(())
}

/// State and record; what was found is a stranger's word.
fn line(record: &Record, state: &State) -> String {
    let word = match (state, record.needed) {
        (State::Missing, false) => "suggested",
        (state, _) => state.as_str(),
    };
    let mut line = format!("{word:<9} {record}");
    match state {
        State::Differs(found) => found
            .iter()
            .for_each(|one| line.push_str(&format!("\n          found: {}", one.escape_debug()))),
        State::Unknown(error) => line.push_str(&format!("\n          {error}")),
        State::Present | State::Missing => {}
    }
    line
}

fn object(domain: &DomainConfig, record: &Record) -> Value {
    json!({
        "domain": domain.name.to_string(),
        "name": format!("{}.", record.name),
        "type": record.data.kind(),
        "value": record.data.to_string(),
        "needed": record.needed,
    })
}

impl Faults {
    /// A suggestion that is not followed is no fault; a pin that names another certificate is.
    fn count(&mut self, record: &Record, state: &State) {
        let pin = matches!(record.data, record::Data::Pin(_));
        match state {
            State::Missing if record.needed => self.wrong += 1,
            State::Differs(_) if record.needed || pin => self.wrong += 1,
            State::Unknown(_) => self.unknown += 1,
            _ => {}
        }
    }

    fn result(&self) -> Result<(), Failure> {
        match self {
            Faults {
                wrong: 0,
                unknown: 0,
            } => Ok(()),
            Faults { wrong: 0, unknown } => Err(Failure::try_again(format!(
                "the DNS did not answer for {unknown} of the records: try again"
            ))),
            Faults { wrong, .. } => Err(Failure::configuration(format!(
                "{wrong} of the records that mail needs are missing or differ: correct them in \
                 the DNS as they are shown"
            ))),
        }
    }
}

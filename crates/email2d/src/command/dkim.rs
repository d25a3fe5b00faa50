//! `email2d dkim`: the keys that sign what leaves for ordinary domains (spec §13.5).

use clap::Subcommand;
use email2::address::Domain;
use serde_json::{Value, json};

use super::dns::Record;
use super::{Desk, Failure, config};
use crate::dkim_key::{self, DkimRecord, Pair, Standing};

/// Which domain, or what to do to its keys.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    /// A domain that is served here: its keys are made, where it has none, and their records printed
    domain: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What can be done to keys that sign.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new pair of keys with selectors of its own; it signs when its records stand in the
    /// DNS, or when it is told to
    Rotate {
        /// A domain that is served here
        domain: String,
        /// Let the pair that waits sign from now on
        #[arg(long)]
        activate: bool,
    },
    /// Forget the pairs that have been replaced; their records may then go from the DNS
    Drop {
        /// A domain that is served here
        domain: String,
    },
}

/// Does it.
pub(super) fn run(arguments: &Arguments, mut desk: Desk) -> Result<(), Failure> {
    match (&arguments.command, &arguments.domain) {
        (None, Some(domain)) => {
            let domain = named(&desk, domain)?;
            show(&mut desk, &domain)
        }
        (Some(Command::Rotate { domain, activate }), _) => {
            let domain = named(&desk, domain)?;
            match activate {
                true => take_into_use(&desk, &domain),
                false => rotate(&mut desk, &domain),
            }
        }
        (Some(Command::Drop { domain }), _) => drop_old(&desk, &named(&desk, domain)?),
        (None, None) => Err(Failure::usage(
            "name a domain: `email2d dkim DOMAIN`, or see `email2d dkim --help`",
        )),
    }
}

/// The domain of that name, which is served here.
fn named(desk: &Desk, text: &str) -> Result<Domain, Failure> {
    Ok(config::served(&desk.config, text)?.name.clone())
}

/// Makes the keys that the domain does not have yet, and prints the records to publish.
fn show(desk: &mut Desk, domain: &Domain) -> Result<(), Failure> {
    let data = &desk.config.data_directory;
    dkim_key::ensure(data, domain, &mut desk.rng)?;
    let pairs = dkim_key::pairs(data, domain)?;
    let mut text = format!(
        "Mail of {domain} to ordinary domains is signed from now on. Add these records to its \
         DNS:\n"
    );
    for pair in &pairs {
        let remark = match pair.standing {
            Standing::Active => "",
            Standing::Waiting => "; it signs when these stand in the DNS\n",
            Standing::Old => "; no longer signs; `email2d dkim drop` forgets it\n",
        };
        text.push_str(&format!("\n{remark}{}\n", indented(&pair.records)));
    }
    let records: Vec<String> = pairs.iter().flat_map(|pair| lines(&pair.records)).collect();
    let pairs: Vec<Value> = pairs.iter().map(object).collect();
    let object = json!({"domain": domain.to_string(), "records": records, "pairs": pairs});
    desk.output.print(text.trim_end(), &object)
}

fn rotate(desk: &mut Desk, domain: &Domain) -> Result<(), Failure> {
    let data = &desk.config.data_directory;
    if dkim_key::published(data, domain)?.is_empty() {
        return Err(Failure::data(format!(
            "{domain} has no keys to replace: `email2d dkim {domain}` makes the first"
        )));
    }
    let pair = dkim_key::rotate(data, domain, &mut desk.rng)?;
    let text = format!(
        "A new pair of keys waits. Add these records to the DNS of {domain}:\n\n{}\n\n\
         A running server signs by it within an hour of their standing there; at once by\n  \
         email2d dkim rotate {domain} --activate\nKeep the records of the old pair for a week \
         more, then: email2d dkim drop {domain}",
        indented(&pair.records)
    );
    let mut object = object(&pair);
    if let Some(object) = object.as_object_mut() {
        object.insert("domain".to_owned(), domain.to_string().into());
    }
    desk.output.print(&text, &object)
}

fn take_into_use(desk: &Desk, domain: &Domain) -> Result<(), Failure> {
    let activated = dkim_key::activate(&desk.config.data_directory, domain)?;
    let number = activated.ok_or_else(|| {
        Failure::data(format!(
            "no new pair waits: `email2d dkim rotate {domain}` makes one"
        ))
    })?;
    let text = format!(
        "Pair {number} signs from now on. Keep the records of the old one for a week more, then: \
         email2d dkim drop {domain}"
    );
    let object = json!({"domain": domain.to_string(), "active": number});
    desk.output.print(&text, &object)
}

fn drop_old(desk: &Desk, domain: &Domain) -> Result<(), Failure> {
    let dropped = dkim_key::drop_old(&desk.config.data_directory, domain)?;
    let names: Vec<String> = dropped.iter().map(|record| record.name.clone()).collect();
    let text = match names.as_slice() {
        [] => format!("{domain} has no old keys."),
        names => format!(
            "Dropped. These records may go from the DNS of {domain}:\n\n  {}",
            names.join("\n  ")
        ),
    };
    let object = json!({"domain": domain.to_string(), "dropped": names});
    desk.output.print(&text, &object)
}

fn lines(records: &[DkimRecord]) -> Vec<String> {
    let records = records.iter().cloned().map(Record::from);
    records.map(|record| record.to_string()).collect()
}

fn indented(records: &[DkimRecord]) -> String {
    let lines = lines(records).into_iter();
    let lines: Vec<String> = lines.map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

fn object(pair: &Pair) -> Value {
    json!({
        "pair": pair.number,
        "standing": pair.standing.as_str(),
        "records": lines(&pair.records),
    })
}

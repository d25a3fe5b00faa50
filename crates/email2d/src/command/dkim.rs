//! `email2d dkim`: the keys that sign what leaves for ordinary domains (spec §13.5).

use serde_json::json;

use super::dns::Record;
use super::{Desk, Failure, config};
use crate::dkim_key;

/// Which domain.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A domain that is served here
    domain: String,
}

/// Makes the keys that the domain does not have yet, and prints the records to publish.
pub(super) fn run(arguments: &Arguments, mut desk: Desk) -> Result<(), Failure> {
    let domain = config::served(&desk.config, &arguments.domain)?
        .name
        .clone();
    let data = &desk.config.data_directory;
    let records = dkim_key::ensure(data, &domain, &mut desk.rng)?;
    let records = records.into_iter().map(Record::from);
    let records: Vec<String> = records.map(|record| record.to_string()).collect();
    let lines: Vec<String> = records.iter().map(|record| format!("  {record}")).collect();
    let text = format!(
        "Mail of {domain} to ordinary domains is signed from now on. Add these records to its \
         DNS:\n\n{}",
        lines.join("\n")
    );
    let object = json!({"domain": domain.to_string(), "records": records});
    desk.output.print(&text, &object)
}

//! `email2d dkim`: the keys that sign what leaves for ordinary domains (spec §13.5).

use email2::address::Domain;
use serde_json::json;

use super::{Desk, Failure};
use crate::dkim_key;

/// Which domain.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A domain that is served here
    domain: String,
}

/// Makes the keys that the domain does not have yet, and prints the records to publish.
pub(super) fn run(arguments: &Arguments, mut desk: Desk) -> Result<(), Failure> {
    let text = &arguments.domain;
    let domain =
        Domain::parse(text).map_err(|error| Failure::data(format!("{text:?}: {error}")))?;
    if desk.config.domain(&domain).is_none() {
        return Err(Failure::no_domain(format!("{domain} is not served here")));
    }
    let data = &desk.config.data_directory;
    let records = dkim_key::ensure(data, &domain, &mut desk.rng)?;
    let records: Vec<String> = records.iter().map(ToString::to_string).collect();
    let lines: Vec<String> = records.iter().map(|record| format!("  {record}")).collect();
    let text = format!(
        "Mail of {domain} to ordinary domains is signed from now on. Add these records to its \
         DNS:\n\n{}",
        lines.join("\n")
    );
    let object = json!({"domain": domain.to_string(), "records": records});
    desk.output.print(&text, &object)
}

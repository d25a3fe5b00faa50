//! `email2 setup`: this device becomes one of the address's.

use std::path::Path;
use std::process::ExitCode;

use email2::address::Address;
use email2_client::enrol;
use email2_client::{Client, HomeTrust};
use serde::Serialize;

use super::context::Context;
use crate::args::SetupArgs;
use crate::exit::{Code, Failure, Outcome};
use crate::passphrase;

#[derive(Serialize)]
struct Done {
    address: String,
    server: String,
    trusted_by: String,
    fingerprint: String,
}

/// Finds the server, enrols with the code, keeps the key and the token.
pub(crate) async fn run(context: &Context, args: SetupArgs) -> Outcome {
    let address = address(&args.address)?;
    let authority = args.ca_file.as_deref().map(read).transpose()?;
    let (place, config) = context.configured()?;
    let trust = args.ca_file.clone().map(|ca_file| HomeTrust {
        domain: address.domain().clone(),
        ca_file,
    });
    let client = Client::open_trusting(place, &config, trust)?;
    let code = passphrase::code(args.code_file.as_deref())?;
    let chosen = passphrase::chosen(&context.passphrase)?;
    let progress = context.progress();
    progress.say(format!("finding the mail server of {}", address.domain()));
    let enrolled = enrol::enrol(&client, &address, &code, &chosen, authority.as_deref()).await?;
    drop(progress);
    let done = Done {
        address: address.to_string(),
        server: enrolled.host,
        trusted_by: enrolled.trusted_by,
        fingerprint: enrolled.key.certificate().primary().to_string(),
    };
    context.output.data("setup", &done, |done| {
        format!(
            "{} is set up on this device.\nServer: {} (trusted by {})\nYour key: {}\n",
            done.address, done.server, done.trusted_by, done.fingerprint
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// An address that was typed.
pub(crate) fn address(given: &str) -> Result<Address, Failure> {
    Address::parse(given).map_err(|error| {
        Failure::new(
            Code::Usage,
            format_args!("{given:?} is not an address: {error}"),
        )
    })
}

/// A file that was named.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            Code::NoInput,
            format_args!("cannot read {}: {error}", path.display()),
        )
    })
}

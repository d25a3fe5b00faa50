//! `email2 setup`: this device becomes one of the address's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_client::backup;
use email2_client::enrol::{self, Origin};
use email2_client::{Client, HomeTrust};
use serde::Serialize;

use super::context::Context;
use super::key::kit::{self, Files};
use crate::args::{OriginArgs, SetupArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::passphrase;

#[derive(Serialize)]
struct Done {
    address: String,
    server: String,
    trusted_by: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kit: Option<Files>,
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
    let backup = backup_choice(&args)?;
    let origin = origin(&args.origin)?;
    let code = passphrase::code(args.code_file.as_deref())?;
    let chosen = passphrase::chosen(&context.passphrase)?;
    let progress = context.progress();
    progress.say(format!("finding the mail server of {}", address.domain()));
    let pem = authority.as_deref();
    let enrolled = enrol::enrol_with(&client, &address, &code, &chosen, pem, origin).await?;
    drop(progress);
    let kit = match backup {
        Some(dir) => Some(kit::write(&client, &enrolled.key, &address, &dir)?),
        None => None,
    };
    let done = Done {
        address: address.to_string(),
        server: enrolled.host,
        trusted_by: enrolled.trusted_by,
        fingerprint: enrolled.key.certificate().primary().to_string(),
        kit,
    };
    context.output.data("setup", &done, |done| {
        format!(
            "{} is set up on this device.\nServer: {} (trusted by {})\nYour key: {}\n{}",
            done.address,
            done.server,
            done.trusted_by,
            done.fingerprint,
            done.kit.as_ref().map(Files::lines).unwrap_or_default()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Where the recovery kit goes; `None`: a choice was made to have none. Who loses the device
/// without it loses the key (spec §6.12.1).
fn backup_choice(args: &SetupArgs) -> Result<Option<PathBuf>, Failure> {
    let from_elsewhere = args.origin.restore.is_some() || args.origin.key.is_some();
    if args.no_backup || args.backup.is_none() && from_elsewhere {
        return Ok(None);
    }
    if let Some(dir) = &args.backup {
        return directory(dir).map(Some);
    }
    let question = "Directory for the recovery kit of your new key (or: none): ";
    match passphrase::ask(question)?.as_deref() {
        Some("none") => Ok(None),
        Some(dir) if !dir.is_empty() => directory(Path::new(dir)).map(Some),
        _ => Err(Failure::new(
            Code::Usage,
            "a lost device is a lost key: give --backup DIR for a recovery kit, or --no-backup",
        )),
    }
}

/// A directory that is there: not after the enrolment only it shows that it is not.
fn directory(dir: &Path) -> Result<PathBuf, Failure> {
    if dir.is_dir() {
        return Ok(dir.to_owned());
    }
    Err(Failure::new(
        Code::CannotCreate,
        format_args!("{} is no directory", dir.display()),
    ))
}

fn origin(args: &OriginArgs) -> Result<Origin, Failure> {
    let opening = args.key_passphrase_file.as_deref();
    if let Some(kit) = &args.restore {
        let text = read(kit)?;
        let opening = passphrase::of_file(opening, "Passphrase of the recovery kit: ")?;
        return Ok(Origin::Restored(Box::new(backup::open(&text, &opening)?)));
    }
    if let Some(file) = &args.key {
        let octets = read(file)?;
        let opening = passphrase::of_file(opening, "Passphrase of that key: ")?;
        let key = SecretKey::unlock(&octets, Some(opening.as_bytes()));
        let key = key.map_err(enrol::EnrolError::Secret)?;
        return Ok(Origin::Given(Box::new(key)));
    }
    Ok(match args.new_key {
        true => Origin::New,
        false => Origin::Here,
    })
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

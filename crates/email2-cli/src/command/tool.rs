//! `email2 tool`: the protocol's parts on files and standard input.

mod cert;
mod key_query;
mod protect;
mod seal;
mod unprotect;
mod verify;

use std::path::Path;

use email2::certificate::Certificate;
use email2::secret::SecretKey;
use email2_client::keyring;

use super::context::Context;
use super::send::input;
use crate::args::ToolCommand;
use crate::exit::{Code, Failure, Outcome};
use crate::passphrase;

/// Runs the tool that was typed.
pub(crate) async fn run(context: &Context, command: ToolCommand) -> Outcome {
    match command {
        ToolCommand::Seal(args) => seal::run(context, &args),
        ToolCommand::Verify(args) => verify::run(context, &args),
        ToolCommand::Protect(args) => protect::run(context, &args),
        ToolCommand::Unprotect(args) => unprotect::run(context, &args),
        ToolCommand::Cert { file } => cert::run(context, &file),
        ToolCommand::KeyQuery { subject, fpr } => {
            key_query::run(context, &subject, fpr.as_deref()).await
        }
    }
}

/// The secret key in `file`, else the account's. A key file that is not locked needs no
/// passphrase.
fn secret(context: &Context, file: Option<&Path>) -> Result<SecretKey, Failure> {
    let octets = match file {
        Some(file) => zeroize::Zeroizing::new(input(file)?),
        None => keyring::locked(&context.configured()?.0)?,
    };
    if let Ok(open) = SecretKey::unlock(&octets, None) {
        return Ok(open);
    }
    let passphrase = passphrase::existing(&context.passphrase)?;
    SecretKey::unlock(&octets, Some(passphrase.as_bytes()))
        .map_err(|error| Failure::new(Code::Refused, error))
}

/// A certificate in a file, binary or armored.
fn certificate(file: &Path) -> Result<Certificate, Failure> {
    let octets = input(file)?;
    let found = Certificate::parse_all(&octets).map_err(|error| {
        Failure::new(Code::BadData, format_args!("{}: {error}", file.display()))
    })?;
    found.into_iter().next().ok_or_else(|| {
        Failure::new(
            Code::BadData,
            format_args!("{}: no certificate", file.display()),
        )
    })
}

/// The one address of a key.
fn address_of(key: &SecretKey) -> Result<email2::Address, Failure> {
    let ids = key.certificate().user_ids();
    let addresses = ids.iter().filter_map(|id| email2::Address::parse(id).ok());
    addresses.into_iter().next().ok_or_else(|| {
        Failure::new(
            Code::BadData,
            "no User ID of the key is an address; give --signer",
        )
    })
}

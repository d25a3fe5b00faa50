//! `email2 tool seal`: a message gets a seal in front.

use std::process::ExitCode;

use email2::Address;
use email2_client::send::{Author, seal};

use super::super::context::Context;
use super::super::send::input;
use super::super::setup::address;
use super::{address_of, secret};
use crate::args::ToolSealArgs;
use crate::exit::{Failure, Outcome};

/// Seals.
pub(crate) fn run(context: &Context, args: &ToolSealArgs) -> Outcome {
    let message = input(&args.file)?;
    let key = secret(context, args.key.as_deref())?;
    let signer = match &args.signer {
        Some(signer) => address(signer)?,
        None => address_of(&key)?,
    };
    let recipients = args.recipient.iter().map(|one| address(one));
    let recipients = recipients.collect::<Result<Vec<Address>, Failure>>()?;
    let world = context.world()?;
    let author = Author {
        key: &key,
        address: &signer,
    };
    let at = args.at.unwrap_or_else(|| world.now());
    let seal = seal::one(&author, recipients, &message, at, &mut world.rng())?;
    context.output.raw(seal.field().as_bytes())?;
    context.output.raw(&message)?;
    Ok(ExitCode::SUCCESS)
}

//! `email2 tool protect`: a message is signed, or signed and encrypted.

use std::process::ExitCode;

use email2::certificate::Certificate;
use email2::content::{Mode, OuterTo, Protect, audiences, protect};

use super::super::context::Context;
use super::super::send::input;
use super::{address_of, certificate, secret};
use crate::args::ToolProtectArgs;
use crate::exit::{Code, Failure, Outcome};

/// Protects.
pub(crate) fn run(context: &Context, args: &ToolProtectArgs) -> Outcome {
    let message = input(&args.file)?;
    let key = secret(context, args.key.as_deref())?;
    let from = address_of(&key)?;
    let files = args.recipient.iter();
    let to = files
        .map(|file| certificate(file))
        .collect::<Result<Vec<Certificate>, Failure>>()?;
    let world = context.world()?;
    let now = args.at.unwrap_or_else(|| world.now());
    let request = Protect {
        message: &message,
        author: &key,
        from: &from,
        mode: mode(&to, now)?,
        outer_to: outer_to(&to),
        outside: &[],
        now,
    };
    let protected =
        protect(&request, &mut world.rng()).map_err(|error| Failure::new(Code::BadData, error))?;
    context.output.raw(&protected)?;
    Ok(ExitCode::SUCCESS)
}

fn mode(to: &[Certificate], now: u64) -> Result<Mode<'_>, Failure> {
    match audiences(to, now).as_slice() {
        [] => Ok(Mode::SignOnly),
        [together] => Ok(Mode::Encrypt {
            to,
            also_self: false,
            container: together.container,
        }),
        _ => Err(Failure::new(
            Code::BadData,
            "recipients with and without post-quantum keys need a message each",
        )),
    }
}

fn outer_to(to: &[Certificate]) -> OuterTo {
    let ids = to.iter().flat_map(|one| one.user_ids());
    let addresses: Vec<_> = ids
        .filter_map(|id| email2::Address::parse(id).ok())
        .collect();
    if addresses.is_empty() {
        OuterTo::Hidden
    } else {
        OuterTo::Visible(addresses)
    }
}

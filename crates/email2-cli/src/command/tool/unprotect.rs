//! `email2 tool unprotect`: a protected message is opened.

use std::process::ExitCode;

use email2::certificate::Certificate;
use email2::content::{Reader, unprotect};
use email2_client::display::shown;
use serde::Serialize;

use super::super::context::Context;
use super::super::send::input;
use super::{certificate, secret};
use crate::args::ToolUnprotectArgs;
use crate::exit::{Code, Failure, Outcome};

#[derive(Serialize)]
struct Opened {
    standing: String,
    encrypted: bool,
    post_quantum: bool,
    message: String,
}

/// Opens: the message to standard output, its standing to standard error (with `--json`, all in
/// one object).
pub(crate) fn run(context: &Context, args: &ToolUnprotectArgs) -> Outcome {
    let message = input(&args.file)?;
    let author = args.author.as_deref().map(certificate).transpose()?;
    // A message that is only signed needs no key; one that is encrypted says so below.
    let key = secret(context, args.key.as_deref());
    let keys: Vec<_> = key.iter().collect();
    let known = |_: &email2::Address| -> Option<Certificate> { author.clone() };
    let reader = Reader {
        keys: &keys,
        known: &known,
        now: context.now()?,
    };
    let reading = unprotect(&message, &reader).map_err(|error| {
        let hint = key
            .as_ref()
            .err()
            .map(|failure| format!(" ({})", failure.line()));
        Failure::new(
            Code::BadData,
            format_args!("{error}{}", hint.unwrap_or_default()),
        )
    })?;
    let opened = Opened {
        standing: reading.standing.to_string(),
        encrypted: reading.encrypted,
        post_quantum: reading.post_quantum,
        message: String::from_utf8_lossy(&reading.message()).into_owned(),
    };
    if context.output.is_json() {
        context.output.data("opened", &opened, |_| String::new())?;
    } else {
        context.output.note(&shown(&opened.standing));
        context.output.raw(&reading.message())?;
    }
    Ok(ExitCode::SUCCESS)
}

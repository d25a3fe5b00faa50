//! `email2 tool cert`: what a certificate holds, and what of it did not hold.

use std::path::Path;
use std::process::ExitCode;

use email2_client::display::shown;
use serde::Serialize;

use super::super::context::Context;
use super::super::key::Shown;
use super::certificate;
use crate::exit::Outcome;

#[derive(Serialize)]
struct Checked {
    certificate: Shown,
    left_out: Vec<String>,
}

/// Checks and prints.
pub(crate) fn run(context: &Context, file: &Path) -> Outcome {
    let certificate = certificate(file)?;
    let left_out = certificate.left_out().iter();
    let checked = Checked {
        certificate: Shown::of(&certificate, context.now()?),
        left_out: left_out
            .map(|part| format!("{}: {}", shown(&part.part), part.why))
            .collect(),
    };
    context.output.data("certificate", &checked, |checked| {
        let left_out = checked
            .left_out
            .iter()
            .map(|part| format!("  left out     {part}\n"));
        checked.certificate.lines() + &left_out.collect::<String>()
    })?;
    Ok(ExitCode::SUCCESS)
}

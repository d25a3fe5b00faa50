//! `email2 tool key-query`: a domain's server is asked, and its answer judged.

use std::process::ExitCode;

use email2::Identity;
use email2_client::question;
use serde::Serialize;

use super::super::context::Context;
use super::super::key::Shown;
use crate::exit::{Code, Failure, Outcome};
use email2::Fingerprint;

#[derive(Serialize)]
struct Answered {
    subject: String,
    assurance: Option<String>,
    flags: String,
    certificate: Shown,
}

/// Asks.
pub(crate) async fn run(context: &Context, subject: &str, fpr: Option<&str>) -> Outcome {
    let who = Identity::parse(subject).map_err(|error| {
        Failure::new(
            Code::Usage,
            format_args!("{subject:?} is no address or @domain: {error}"),
        )
    })?;
    let key: Option<Fingerprint> = fpr
        .map(str::parse)
        .transpose()
        .map_err(|_| Failure::new(Code::Usage, "--fpr takes 40 or 64 hexadecimal digits"))?;
    let client = context.client()?;
    let found = question::ask(&client, &who, key.as_ref()).await?;
    let answered = Answered {
        subject: who.to_string(),
        assurance: found
            .assurance
            .map(|assurance| assurance.as_str().to_owned()),
        flags: found.flags.to_string(),
        certificate: Shown::of(&found.certificate, client.world().now()),
    };
    context.output.data("key-query", &answered, |answered| {
        let assurance = answered.assurance.as_deref().unwrap_or("none");
        let certificate = answered.certificate.lines();
        format!(
            "{certificate}  assurance    {assurance}\n  flags        {}\n",
            answered.flags
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

//! `email2 tool verify`: each seal of a message, against its certificate.

use std::process::ExitCode;

use email2::key_query::KeyFlags;
use email2::scan::Scan;
use email2::seal::{Seal, verify};
use serde::Serialize;

use super::super::context::Context;
use super::super::key::date;
use super::super::send::input;
use super::certificate;
use crate::args::ToolVerifyArgs;
use crate::exit::{Code, Failure, Outcome};

#[derive(Serialize)]
struct Checked {
    role: String,
    signer: String,
    recipients: Vec<String>,
    sealed: String,
    expires: String,
    key: String,
    digest: bool,
    signature: bool,
    in_time: bool,
    why: Option<String>,
}

impl Checked {
    fn holds(&self) -> bool {
        self.digest && self.signature && self.in_time
    }
}

/// Verifies: exit 0 when every seal holds, 65 when one does not.
pub(crate) fn run(context: &Context, args: &ToolVerifyArgs) -> Outcome {
    let now = match args.at {
        Some(at) => at,
        None => context.now()?,
    };
    let scanned = Scan::whole(true, &input(&args.file)?)
        .map_err(|rejection| Failure::new(Code::BadData, rejection))?;
    if scanned.header.seals.is_empty() {
        return Err(Failure::new(Code::BadData, "the message has no seal"));
    }
    if args.cert.len() < scanned.header.seals.len() {
        return Err(Failure::new(
            Code::Usage,
            "give --cert for every seal, top seal first",
        ));
    }
    let mut checked = Vec::new();
    let seals = scanned
        .header
        .seals
        .iter()
        .zip(&scanned.digests)
        .zip(&args.cert);
    for ((field, digest), file) in seals {
        let seal = Seal::parse(&field.value).map_err(|error| Failure::new(Code::BadData, error))?;
        let verified = verify::verify(&seal, &certificate(file)?, &KeyFlags::default());
        checked.push(Checked {
            role: seal.role.to_string(),
            signer: seal.signer.to_string(),
            recipients: seal.recipients.iter().map(ToString::to_string).collect(),
            sealed: date(seal.created),
            expires: date(seal.expires),
            key: seal.key.to_string(),
            digest: seal.digest == *digest,
            signature: verified.is_ok(),
            in_time: seal.created <= now + email2::limits::SEAL_AHEAD && now < seal.expires,
            why: verified.err().map(|error| error.to_string()),
        });
    }
    context.output.data("seals", &checked, |checked| {
        checked.iter().map(line).collect()
    })?;
    let hold = checked.iter().all(Checked::holds);
    Ok(if hold {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Code::BadData as u8)
    })
}

fn line(seal: &Checked) -> String {
    let why = match (&seal.why, seal.digest, seal.in_time) {
        (Some(why), _, _) => format!("the signature does not hold: {why}"),
        (None, false, _) => "the content was changed after it was sealed".to_owned(),
        (None, true, false) => "out of its time".to_owned(),
        (None, true, true) => "holds".to_owned(),
    };
    format!(
        "{} by {} at {}: {why}\n",
        seal.role, seal.signer, seal.sealed
    )
}

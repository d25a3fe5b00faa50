//! Verifies the seals of a message in a file, as the receiving server would,
//! with the certificates given (binary or armored):
//!
//! `cargo run -p email2 --example verify_eml -- MESSAGE CERTIFICATE…`

use std::error::Error;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use email2::certificate::Certificate;
use email2::evidence::{Announced, Evidence, SignerEvidence, SignerKey};
use email2::scan::Scan;
use email2::seal::{Seal, chain};
use email2::verdict::{Legacy, RecipientPolicy, UnregisteredStack, judge};
use email2::{Address, Assurance, KeyFlags};

fn main() -> ExitCode {
    match run() {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The text of the verdict, for the first recipient of the top seal.
fn run() -> Result<String, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let message = read(
        &arguments
            .next()
            .ok_or("usage: verify_eml MESSAGE CERTIFICATE…")?,
    )?;
    let mut certificates = Vec::new();
    for path in arguments {
        certificates.extend(Certificate::parse_all(&read(&path)?)?);
    }
    let scanned = Scan::whole(true, &message)?;
    let seals = chain::read(&scanned.header)?;
    let top = seals.first().ok_or("the message has no seal")?;
    let now = now()?;
    let verdict = judge(Evidence {
        now,
        mail_from: top.reverse_path.clone(),
        recipients: top.recipients.clone(),
        announced: Some(Announced {
            role: top.role,
            signer: top.signer.clone(),
        }),
        scanned,
        reported: Vec::new(),
        ordinary: None,
        signers: seals
            .iter()
            .map(|seal| signer(seal, &certificates, now))
            .collect(),
    });
    let mailbox = top
        .recipients
        .first()
        .ok_or("the seal has no recipient")?
        .clone();
    // Whoever asks by hand takes every mediator as registered.
    let mediators: Vec<Address> = seals
        .iter()
        .flat_map(|seal| seal.recipients.clone())
        .collect();
    let accepted = verdict.accept(&RecipientPolicy {
        mailbox,
        aliases: &[],
        legacy: Legacy::Reject,
        blocks: &[],
        forwarders: &mediators,
        unregistered_stack: UnregisteredStack::Reject,
    })?;
    Ok(accepted.provenance().to_string())
}

/// The files that were given stand for what a server asks the signer's domain.
fn signer(seal: &Seal, certificates: &[Certificate], now: u64) -> SignerEvidence {
    match certificates
        .iter()
        .find(|certificate| certificate.holds(&seal.key))
    {
        Some(certificate) => SignerEvidence::Known(SignerKey {
            certificate: certificate.clone(),
            assurance: Some(Assurance::Local),
            flags: KeyFlags::default(),
            fetched: now,
        }),
        None => SignerEvidence::NoSuchKey,
    }
}

#[expect(clippy::disallowed_methods, reason = "an example reads files")]
fn read(path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}").into())
}

#[expect(clippy::disallowed_methods, reason = "an example reads the clock")]
fn now() -> Result<u64, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

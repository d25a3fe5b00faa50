//! Certificates, what follows them, and one seal against one certificate.

use email2::certificate::succession::{Succession, succeed};
use email2::certificate::{Certificate, CertificateError};
use email2::seal::{ContentDigest, Seal, SealError, verify};
use email2::{Identity, KeyFlags};
use serde_json::{Value, json};

use crate::text;

pub(crate) fn parse(armored: &str) -> Result<Certificate, CertificateError> {
    Certificate::parse_armored(armored)
}

pub(crate) fn certificate(given: &Value) -> Value {
    let identity = Identity::parse(text(given, "identity")).unwrap();
    let Ok(certificate) = parse(text(given, "certificate")) else {
        return json!({ "fault": "malformed" });
    };
    let Some(reduced) = certificate.reduced_to(&identity) else {
        return json!({ "fault": "not-bound" });
    };
    match reduced.can_encrypt(given["now"].as_u64().unwrap()) {
        Ok(()) => json!({}),
        Err(_) => json!({ "fault": "cannot-encrypt" }),
    }
}

pub(crate) fn succession(given: &Value) -> Value {
    let known = parse(text(given, "known")).unwrap();
    let served = parse(text(given, "served")).unwrap();
    let word = match succeed(&known, &served).unwrap() {
        Succession::Same => "same",
        Succession::Merged(_) => "merged",
        Succession::Transition(_) => "transition",
        Succession::New => "new",
    };
    json!({ "succession": word })
}

pub(crate) fn seal(given: &Value) -> Value {
    match check_seal(given) {
        Ok(seal) => json!({ "signer": seal.signer.to_string() }),
        Err(fault) => json!({ "fault": fault }),
    }
}

fn check_seal(given: &Value) -> Result<Seal, &'static str> {
    let seal = Seal::parse(text(given, "seal").as_bytes()).map_err(fault)?;
    let certificate = parse(text(given, "certificate")).unwrap();
    let flags: KeyFlags = text(given, "flags").parse().unwrap();
    verify(&seal, &certificate, &flags).map_err(fault)?;
    let digest = ContentDigest::of(text(given, "content").as_bytes()).map_err(fault)?;
    if digest == seal.digest {
        Ok(seal)
    } else {
        Err("digest")
    }
}

fn fault(error: SealError) -> &'static str {
    match error {
        SealError::Grammar(_) => "grammar",
        SealError::Version => "version",
        SealError::Packet(_) => "packet",
        SealError::Signature => "signature",
        SealError::Key(_) => "key",
        SealError::Content(_) => "content",
        _ => "other",
    }
}

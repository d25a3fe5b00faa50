//! The table "while verifying" (spec §7.2): what is known of a signer's key,
//! and the answer that it gives.

use crate::address::Identity;
use crate::assurance::Assurance;
use crate::certificate::KeyFault;
use crate::evidence::{SignerEvidence, SignerKey};
use crate::key_query::KeyFlags;
use crate::rejection::Rejection;
use crate::seal::{Seal, SealError, verify};

/// A refusal, and what an administrator should hear with it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) rejection: Rejection,
    pub(super) alarm: Option<String>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            alarm: None,
        }
    }
}

impl Refusal {
    /// A domain known to speak Email 2.0 seems not to (spec §2.4.1).
    fn with_alarm(rejection: Rejection, rings: bool) -> Self {
        let alarm = rings.then(|| rejection.detail());
        Self { rejection, alarm }
    }
}

/// Verifies a seal by what is known of its signer, and gives the assurance with
/// which the key was learnt.
pub(super) fn check(seal: &Seal, evidence: &SignerEvidence) -> Result<Assurance, Refusal> {
    match evidence {
        SignerEvidence::Known(key) => Ok(check_key(seal, key)?),
        other => Err(unknown(&seal.signer, other)),
    }
}

fn check_key(seal: &Seal, key: &SignerKey) -> Result<Assurance, Rejection> {
    let unauthenticated = |why: &str| Rejection::DomainUnauthenticatedNow {
        domain: seal.signer.domain().clone(),
        why: why.to_owned(),
    };
    let assurance = key
        .assurance
        .ok_or_else(|| unauthenticated("learnt without assurance"))?;
    let is_service = matches!(seal.signer, Identity::Service(_));
    if is_service && assurance == Assurance::Wkd {
        return Err(unauthenticated("WKD does not speak for a domain's service"));
    }
    let flags = match assurance {
        // From such an answer no flag is learnt (spec §2.2).
        Assurance::Wkd => KeyFlags::default(),
        _ => key.flags.clone(),
    };
    verify(seal, &key.certificate, &flags).map_err(|error| rejection(&seal.signer, error))?;
    Ok(assurance)
}

/// The rows for a key that nobody gave.
fn unknown(signer: &Identity, evidence: &SignerEvidence) -> Refusal {
    let signer = signer.clone();
    let domain = signer.domain().clone();
    match evidence {
        SignerEvidence::NoSuchKey => Rejection::NoSuchKey { signer }.into(),
        SignerEvidence::NoDomain => Rejection::NoSuchDomain { domain }.into(),
        SignerEvidence::NotSpeaking { known: false } => Rejection::NotSpeaking { domain }.into(),
        SignerEvidence::NotSpeaking { known: true } => {
            Refusal::with_alarm(Rejection::DowngradeSuspected { domain }, true)
        }
        SignerEvidence::Unreachable { known, why } => Refusal::with_alarm(
            Rejection::SignerUnreachable {
                signer,
                why: why.clone(),
            },
            *known,
        ),
        SignerEvidence::DnsFailure { why } => Rejection::DnsFailure {
            domain,
            why: why.clone(),
        }
        .into(),
        SignerEvidence::Unauthenticated {
            definite: true,
            why,
        } => Rejection::DomainUnauthenticated {
            domain,
            why: why.clone(),
        }
        .into(),
        SignerEvidence::Unauthenticated {
            definite: false,
            why,
        } => {
            let rejection = Rejection::DomainUnauthenticatedNow {
                domain,
                why: why.clone(),
            };
            Refusal::with_alarm(rejection, true)
        }
        SignerEvidence::NotAsked | SignerEvidence::Known(_) => Rejection::SignerUnreachable {
            signer,
            why: "not asked".to_owned(),
        }
        .into(),
    }
}

/// The table's last row: what is wrong is permanent (spec §7.2.1).
pub(super) fn rejection(signer: &Identity, error: SealError) -> Rejection {
    let signer = signer.clone();
    match error {
        SealError::Signature => Rejection::SignatureWrong { signer },
        SealError::Version => Rejection::SealVersion,
        SealError::Grammar(what) | SealError::Packet(what) => Rejection::SealMalformed { what },
        SealError::Key(KeyFault::RevokedHard | KeyFault::RevokedBefore) => {
            Rejection::KeyRevoked { signer }
        }
        SealError::Key(KeyFault::ExpiredBefore) => Rejection::KeyExpired { signer },
        SealError::Key(KeyFault::NotBound(_)) => Rejection::KeyUnfit {
            signer,
            why: "the certificate is not bound to the address",
        },
        SealError::Key(KeyFault::TooYoung) => Rejection::KeyUnfit {
            signer,
            why: "it was created after the seal was made",
        },
        SealError::Key(KeyFault::NotASigningKey)
        | SealError::Content(_)
        | SealError::Request(_) => Rejection::KeyUnfit {
            signer,
            why: "it is no signing key of the certificate",
        },
    }
}

//! For who verifies a seal: the certificate that holds the signing key (spec §3.4.3, §7.2).

use std::net::IpAddr;

use email2::evidence::{SignerEvidence, SignerKey};
use email2::{Fingerprint, Identity, limits};
use email2_io::limit::SourcePrefix;

use super::{Kept, Question, Trouble};
use crate::remote::Remote;

impl Remote {
    /// What is known of `signer`'s key `fingerprint`: kept within an hour, else asked, else what
    /// was kept within 7 days while nobody can be asked (spec §3.8). `source` is who caused the
    /// question: its prefix is charged for it (spec §2.7.3).
    pub async fn signer(
        &self,
        source: IpAddr,
        signer: &Identity,
        fingerprint: &Fingerprint,
    ) -> SignerEvidence {
        let source = Some(SourcePrefix::wide(source));
        let question = Question {
            identity: signer.clone(),
            asked: Some(fingerprint.clone()),
        };
        let before = match self.recall(&question).await {
            Ok(before) => before.filter(|kept| kept.assurance.is_some()),
            Err(trouble) => return evidence_of(trouble),
        };
        match &before {
            Some(kept) if kept.is_fresh(self.now(), limits::VERIFY_TTL) => {
                return evidence(kept, fingerprint);
            }
            _ => {}
        }
        let trouble = match self.ask(&question, before.clone(), source).await {
            Ok(kept) => return evidence(&kept, fingerprint),
            Err(trouble) => trouble,
        };
        match before {
            Some(kept) if kept.serves_while_nobody_answers(self.now()) => {
                tracing::warn!(%signer, ?trouble, "verifying by a kept key: nobody answers");
                evidence(&kept, fingerprint)
            }
            _ => evidence_of(trouble),
        }
    }

    /// What is known of `signer`'s key without asking anybody: kept within an hour, else
    /// [`SignerEvidence::NotAsked`] (spec §4.6).
    pub async fn cached_signer(
        &self,
        signer: &Identity,
        fingerprint: &Fingerprint,
    ) -> SignerEvidence {
        let question = Question {
            identity: signer.clone(),
            asked: Some(fingerprint.clone()),
        };
        match self.recall(&question).await {
            Ok(Some(kept))
                if kept.assurance.is_some() && kept.is_fresh(self.now(), limits::VERIFY_TTL) =>
            {
                evidence(&kept, fingerprint)
            }
            _ => SignerEvidence::NotAsked,
        }
    }
}

/// A certificate without the key that was asked for is no answer to the question.
fn evidence(kept: &Kept, fingerprint: &Fingerprint) -> SignerEvidence {
    match &kept.found {
        Some(found) if found.certificate.holds(fingerprint) => SignerEvidence::Known(SignerKey {
            certificate: found.certificate.clone(),
            assurance: kept.assurance,
            flags: found.flags.clone(),
            fetched: kept.fetched,
        }),
        // A "no" is definite only from an authenticated host (spec §7.2).
        _ if kept.assurance.is_none() => SignerEvidence::Unauthenticated {
            definite: false,
            why: "a host that nothing authenticates says that there is no such key".to_owned(),
        },
        _ => SignerEvidence::NoSuchKey,
    }
}

fn evidence_of(trouble: Trouble) -> SignerEvidence {
    match trouble {
        Trouble::NoDomain => SignerEvidence::NoDomain,
        Trouble::NullMx | Trouble::NotSpeaking => SignerEvidence::NotSpeaking { known: false },
        Trouble::Dns(why) => SignerEvidence::DnsFailure { why },
        Trouble::Alarm(why) => SignerEvidence::Unreachable { known: true, why },
        Trouble::Unreachable(why) => SignerEvidence::Unreachable { known: false, why },
        Trouble::Unauthenticated { definite, why } => {
            SignerEvidence::Unauthenticated { definite, why }
        }
    }
}

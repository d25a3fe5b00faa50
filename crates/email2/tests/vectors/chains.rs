//! Whole messages in their envelopes.

use email2::evidence::{Announced, Evidence, SignerEvidence, SignerKey};
use email2::scan::{Scan, Scanned};
use email2::verdict::{Legacy, Provenance, RecipientPolicy, UnregisteredStack, Via, judge};
use email2::{Address, Identity, Rejection, ReversePath};
use serde_json::{Value, json};

use crate::keys::parse;
use crate::{text, texts};

pub(crate) fn chain(given: &Value) -> Value {
    match judged(given) {
        Ok(provenance) => shown(&provenance),
        Err(rejection) => json!({
            "reply": format!("{} {}", rejection.code(), rejection.enhanced()),
            "rejection": rejection.id(),
        }),
    }
}

fn judged(given: &Value) -> Result<Provenance, Rejection> {
    let announced = given["announced"].as_str().map(announced);
    let scanned = Scan::whole(announced.is_some(), text(given, "message").as_bytes())?;
    let forwarders = addresses(given, "forwarders");
    let policy = RecipientPolicy {
        mailbox: text(given, "mailbox").parse().unwrap(),
        aliases: &[],
        legacy: Legacy::Reject,
        blocks: &[],
        forwarders: &forwarders,
        unregistered_stack: UnregisteredStack::Reject,
    };
    let verdict = judge(evidence(given, announced, scanned));
    if let Some(rejection) = verdict.rejection() {
        return Err(rejection.clone());
    }
    Ok(verdict.accept(&policy)?.provenance().clone())
}

fn evidence(given: &Value, announced: Option<Announced>, scanned: Scanned) -> Evidence {
    Evidence {
        now: given["now"].as_u64().unwrap(),
        mail_from: ReversePath::parse(text(given, "mail_from")).unwrap(),
        recipients: addresses(given, "recipients"),
        announced,
        scanned,
        reported: Vec::new(),
        ordinary: None,
        signers: given["signers"]
            .as_array()
            .unwrap()
            .iter()
            .map(signer)
            .collect(),
    }
}

fn addresses(given: &Value, member: &str) -> Vec<Address> {
    texts(given, member)
        .iter()
        .map(|address| address.parse().unwrap())
        .collect()
}

/// `role,signer`, as MAIL announces it, the signer in the clear.
fn announced(words: &str) -> Announced {
    let (role, signer) = words.split_once(',').unwrap();
    Announced {
        role: role.parse().unwrap(),
        signer: Identity::parse(signer).unwrap(),
    }
}

fn signer(given: &Value) -> SignerEvidence {
    let why = || "vector".to_owned();
    let known = |name: &str| given[name]["known"].as_bool().unwrap();
    match given.as_str() {
        Some("no-such-key") => return SignerEvidence::NoSuchKey,
        Some("no-domain") => return SignerEvidence::NoDomain,
        Some("dns-failure") => return SignerEvidence::DnsFailure { why: why() },
        _ => {}
    }
    if given.get("not-speaking").is_some() {
        return SignerEvidence::NotSpeaking {
            known: known("not-speaking"),
        };
    }
    if given.get("unreachable").is_some() {
        return SignerEvidence::Unreachable {
            known: known("unreachable"),
            why: why(),
        };
    }
    if let Some(unauthenticated) = given.get("unauthenticated") {
        let definite = unauthenticated["definite"].as_bool().unwrap();
        return SignerEvidence::Unauthenticated {
            definite,
            why: why(),
        };
    }
    SignerEvidence::Known(SignerKey {
        certificate: parse(text(given, "known")).unwrap(),
        assurance: given["assurance"]
            .as_str()
            .map(|word| word.parse().unwrap()),
        flags: text(given, "flags").parse().unwrap(),
        fetched: given["fetched"].as_u64().unwrap(),
    })
}

fn shown(provenance: &Provenance) -> Value {
    match provenance {
        Provenance::Verified {
            author,
            assurance,
            via,
            ..
        } => json!({
            "verified": author.to_string(),
            "assurance": assurance.as_str(),
            "via": via.iter().map(hop).collect::<Vec<_>>(),
        }),
        Provenance::CheckedBy { author, domain, .. } => {
            json!({ "checked": author.to_string(), "by": domain.to_string() })
        }
        Provenance::Service { domain, .. } => json!({ "service": domain.to_string() }),
        Provenance::ForOthers { author, via, .. } => json!({
            "for-others": author.to_string(),
            "via": via.iter().map(hop).collect::<Vec<_>>(),
        }),
        Provenance::Unverified { .. } => json!({ "unverified": true }),
    }
}

fn hop(via: &Via) -> String {
    match via {
        Via::Forwarder { signer, .. } => signer.to_string(),
        other => other.to_string(),
    }
}

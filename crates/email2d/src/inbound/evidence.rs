//! All that is known of a message, gathered for the judge.

use email2::evidence::{CheckResult, Evidence, Reported, SignerEvidence};
use email2::header::HeaderFacts;
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::Scanned;
use email2::seal::{Role, reported};
use email2_store::{SpooledBody, StoreError};

use super::accept::store_failed;
use super::envelope::Envelope;
use super::ordinary::{self, Mail};
use super::signer;
use super::spool::Spooled;
use crate::session::Caller;
use crate::site::Site;

/// Waits for the answers about the signers and puts everything together. Each lookup ends by
/// itself within 10 s (spec §2.7.3), so that the end of the content is answered in time.
///
/// # Errors
/// The store failed.
pub(crate) async fn gather(
    caller: &Caller,
    envelope: &Envelope,
    spooled: Spooled,
) -> Result<(Evidence, Mail), Rejection> {
    let Spooled {
        mut scanned,
        body,
        lookups,
    } = spooled;
    let site = &*caller.site;
    note_claims(site, &mut scanned);
    let signers = lookups.answers().await;
    let ordinary = ordinary::gather(caller, envelope, &scanned.header, &body).await?;
    let mail = Mail {
        header: scanned.header.octets,
        message_id: scanned
            .header
            .value("Message-ID")
            .unwrap_or_default()
            .to_vec(),
        results: String::new(),
        payer: None,
        spf_passed: false,
        body,
    };
    let (ordinary, mail) = match ordinary {
        Some(found) => {
            let mail = Mail {
                results: found.results,
                payer: found.payer,
                spf_passed: found.evidence.spf == CheckResult::Pass,
                ..mail
            };
            (Some(found.evidence), mail)
        }
        None => (None, mail),
    };
    let reported = inside(site, envelope, &scanned.header, &mail.body).await?;
    let evidence = Evidence {
        now: site.world.now(),
        mail_from: envelope.mail_from().clone(),
        recipients: envelope.addresses(),
        announced: envelope.mail.announced.clone(),
        scanned,
        signers,
        reported,
        ordinary,
    };
    Ok((evidence, mail))
}

/// Below a seal nobody speaks for our own checks: such a seal does not count (spec §4.7.3,
/// §4.15.1). What was announced is refused before.
fn note_claims(site: &Site, scanned: &mut Scanned) {
    if scanned
        .header
        .claims_results_of(site.config.hostname.as_str())
    {
        let field = "Authentication-Results".to_owned();
        let fault = Rejection::FieldBelowSeal { field };
        scanned.fault.get_or_insert(fault);
    }
}

/// Is it announced, and its innermost seal a service's (spec §4.5.3)?
fn is_report(envelope: &Envelope, header: &HeaderFacts) -> bool {
    let announced = envelope.mail.announced.as_ref();
    if announced.is_none_or(|announced| announced.role == Role::Author) {
        return false;
    }
    let innermost = header.seals.last();
    let innermost = innermost.and_then(|field| field.seal.as_ref().ok());
    innermost.is_some_and(|seal| seal.role == Role::Service)
}

/// The seals in a report, with the keys of those that people here made; of others nobody is
/// asked, for a report is about its recipient's own message (spec §4.13.3).
async fn inside(
    site: &Site,
    envelope: &Envelope,
    header: &HeaderFacts,
    body: &SpooledBody,
) -> Result<Vec<Reported>, Rejection> {
    if !is_report(envelope, header) {
        return Ok(Vec::new());
    }
    let quoted = quoted(site, header, body).await.map_err(store_failed)?;
    let mut found = Vec::new();
    for seal in reported::reported(&quoted) {
        if !site.serves(seal.signer.domain()) {
            continue;
        }
        let signer = signer::held(site, &seal.signer, &seal.key).await;
        if let SignerEvidence::Unreachable { why, .. } = signer {
            return Err(Rejection::LocalError { why });
        }
        found.push(Reported { seal, signer });
    }
    Ok(found)
}

/// Where the seal must stand (spec §4.13.4).
async fn quoted(
    site: &Site,
    header: &HeaderFacts,
    body: &SpooledBody,
) -> Result<Vec<u8>, StoreError> {
    let reader = site.store.read_spooled(body).await?;
    reader.read(header.octets, limits::REPORT_OCTETS).await
}

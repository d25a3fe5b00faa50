//! All that is known of a message, gathered for the judge.

use email2::evidence::{Evidence, Reported, SignerEvidence};
use email2::header::HeaderFacts;
use email2::limits;
use email2::rejection::Rejection;
use email2::seal::{Role, Seal, reported};
use email2_store::{SpooledBody, StoreError};

use super::accept::store_failed;
use super::envelope::Envelope;
use super::signer;
use super::spool::Spooled;
use crate::site::Site;

/// Waits for the answers about the signers and puts everything together. Each lookup ends by
/// itself within 10 s (spec §2.7.3), so that the end of the content is answered in time.
///
/// # Errors
/// The store failed.
pub(crate) async fn gather(
    site: &Site,
    envelope: &Envelope,
    spooled: Spooled,
) -> Result<(Evidence, SpooledBody), Rejection> {
    let Spooled {
        scanned,
        body,
        lookups,
    } = spooled;
    let signers = lookups.answers().await;
    let reported = inside(site, envelope, &scanned.header, &body).await?;
    let evidence = Evidence {
        now: site.world.now(),
        mail_from: envelope.mail_from().clone(),
        recipients: envelope.addresses(),
        announced: envelope.mail.announced.clone(),
        scanned,
        signers,
        reported,
    };
    Ok((evidence, body))
}

/// Is it announced, and its innermost seal a service's (spec §4.5.3)?
fn is_report(envelope: &Envelope, header: &HeaderFacts) -> bool {
    let announced = envelope.mail.announced.as_ref();
    if announced.is_none_or(|announced| announced.role == Role::Author) {
        return false;
    }
    let innermost = header.seals.last();
    let innermost = innermost.and_then(|field| Seal::parse(&field.value).ok());
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

//! All that is known of a message, gathered for the judge.

use email2::evidence::Evidence;
use email2_store::SpooledBody;

use super::envelope::Envelope;
use super::spool::Spooled;
use crate::site::Site;

/// Waits for the answers about the signers and puts everything together. Each lookup ends by
/// itself within 10 s (spec §2.7.3), so that the end of the content is answered in time.
pub(crate) async fn gather(
    site: &Site,
    envelope: &Envelope,
    spooled: Spooled,
) -> (Evidence, SpooledBody) {
    let signers = spooled.lookups.answers().await;
    let evidence = Evidence {
        now: site.world.now(),
        mail_from: envelope.mail_from().clone(),
        recipients: envelope.addresses(),
        announced: envelope.mail.announced.clone(),
        scanned: spooled.scanned,
        signers,
    };
    (evidence, spooled.body)
}

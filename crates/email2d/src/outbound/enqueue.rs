//! A user's sealed message for another domain is kept, untouched, before it gets its 250.

use email2::address::{Domain, Identity};
use email2::limits;
use email2::rejection::Rejection;
use email2::seal::Seal;
use email2::verdict::Verdict;
use email2_smtp::Recipient;
use email2_store::SpooledBody;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};

use super::words::Words;
use crate::inbound::accept::store_failed;
use crate::inbound::envelope::Envelope;
use crate::site::Site;

/// The recipients of a message that goes on.
#[derive(Debug)]
pub(crate) struct Onward {
    /// Names this reception, in the reply, the log and the trace field.
    pub(crate) id: String,
    /// Where they all are.
    pub(crate) domain: Domain,
    /// Who.
    pub(crate) recipients: Vec<Recipient>,
}

/// A message that is on stable storage in the queue.
#[derive(Debug)]
pub(crate) struct Kept {
    author: Option<Identity>,
    id: String,
}

impl Kept {
    /// The text of the 250.
    pub(crate) fn text(&self) -> String {
        match &self.author {
            Some(author) => format!("sealed by {author}, queued as {}", self.id),
            None => format!("queued as {}", self.id),
        }
    }
}

/// Keeps a message that was judged.
///
/// # Errors
/// The message's own rejection, or the store failed.
pub(crate) async fn keep(
    site: &Site,
    envelope: &Envelope,
    onward: &Onward,
    verdict: &Verdict,
    body: SpooledBody,
) -> Result<Kept, Rejection> {
    if let Some(rejection) = verdict.rejection() {
        return Err(rejection.clone());
    }
    let entry = entry(site, envelope, onward, verdict.seals().first(), body);
    let kept = site.store.enqueue(vec![entry]).await;
    kept.map_err(store_failed)?;
    site.departures.announce();
    Ok(Kept {
        author: verdict.author().cloned(),
        id: onward.id.clone(),
    })
}

/// It is given up after the queue's life or when its seal expires, whatever is first
/// (spec §3.10.4).
fn entry(
    site: &Site,
    envelope: &Envelope,
    onward: &Onward,
    top: Option<&Seal>,
    body: SpooledBody,
) -> NewEntry {
    let now = site.world.now();
    let announced = envelope.mail.announced.clone();
    let longest = now + limits::QUEUE_LIFETIME;
    NewEntry {
        group: onward.id.clone(),
        domain: onward.domain.clone(),
        mail_from: envelope.mail.from.clone(),
        announced: announced.map(|announced| (announced.role, announced.signer)),
        recipients: recipients(onward),
        body,
        front: Vec::new(),
        details: details(envelope),
        created: now,
        expires: top.map_or(longest, |seal| seal.expires.min(longest)),
        next_attempt: now,
    }
}

fn recipients(onward: &Onward) -> Vec<QueueRecipient> {
    let waiting = |to: &Recipient| QueueRecipient {
        address: to.address.clone(),
        etag: to.etag.clone(),
        state: RecipientState::Waiting,
        reply: None,
    };
    let mut kept: Vec<QueueRecipient> = Vec::new();
    for to in &onward.recipients {
        if !kept.iter().any(|known| known.address == to.address) {
            kept.push(waiting(to));
        }
    }
    kept
}

/// What the next server must offer, as it was said here.
pub(crate) fn details(envelope: &Envelope) -> String {
    let words = Words {
        eight_bit: envelope.mail.eight_bit,
        utf8: envelope.mail.smtputf8,
        ..Words::default()
    };
    words.to_string()
}

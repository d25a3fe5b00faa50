//! After the verdict: each recipient is asked, and what is accepted is kept. Whatever is
//! refused is refused in the session: no report leaves from here, none causes one (spec §4.13).

use std::net::SocketAddr;

use email2::address::{Address, Identity};
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance, Verdict};
use email2_store::{Delivery, Outcome, StoreError};

use super::envelope::{Admitted, Envelope, refuse_full};
use super::ordinary::Mail;
use crate::session::Caller;
use crate::site::Site;
use crate::strangers;
use crate::trace::{self, Hop};

/// A message that is on stable storage for all its recipients.
#[derive(Debug)]
pub(crate) struct Stored {
    id: String,
    before: bool,
}

impl Stored {
    /// The text of the 250.
    pub(crate) fn text(&self, verdict: &Verdict) -> String {
        let how = if self.before {
            "was stored before"
        } else {
            "stored"
        };
        match verdict.author() {
            Some(author) if !verdict.seals().is_empty() => {
                format!("sealed by {author}, {how} as {}", self.id)
            }
            _ => format!("{how} as {}", self.id),
        }
    }
}

/// Asks every recipient; one refusal is the answer to all (spec §3.9.4).
///
/// # Errors
/// The message's own rejection, or a recipient's.
pub(crate) fn ask_each(verdict: &Verdict, envelope: &Envelope) -> Result<Vec<Accepted>, Rejection> {
    if let Some(rejection) = verdict.rejection() {
        return Err(rejection.clone());
    }
    let recipients = envelope.recipients.iter();
    recipients
        .map(|to| verdict.accept(&to.preferences.policy()))
        .collect()
}

/// Stores the message for all recipients in one transaction with the memory of its seals
/// (spec §3.9.3, §4.11.1).
///
/// # Errors
/// The store failed, a mailbox is full, or the seal was used for another message.
pub(crate) async fn store(
    caller: &Caller,
    envelope: Envelope,
    accepted: Vec<Accepted>,
    verdict: &Verdict,
    mail: Mail,
) -> Result<Stored, Rejection> {
    let now = caller.site.world.now();
    let hop = Hop::of(caller, &envelope, now);
    let authors: Vec<Option<Address>> = accepted
        .iter()
        .map(|accepted| strangers::author_of(accepted).cloned())
        .collect();
    let deliveries = envelope
        .recipients
        .iter()
        .zip(accepted)
        .map(|(to, accepted)| copy(&hop, to, accepted, verdict.authors(), &mail, now));
    let deliveries: Vec<Delivery> = deliveries.collect();
    if verdict.seals().is_empty() {
        refuse_for_all(&envelope, &deliveries)?;
    }
    let outcomes = caller.site.store.deliver(deliveries).await;
    let outcomes = outcomes.map_err(store_failed)?;
    for ((to, author), outcome) in envelope.recipients.iter().zip(authors).zip(&outcomes) {
        refuse_unstored(&to.address, outcome)?;
        charge(&caller.site, to, author, outcome).await;
    }
    Ok(Stored {
        id: hop.id,
        before: outcomes
            .iter()
            .all(|outcome| *outcome == Outcome::Duplicate),
    })
}

/// Where one recipient has no room, nobody gets what has no seal: it comes again for all of them,
/// and nothing would show that some have it already (spec §4.11.2).
fn refuse_for_all(envelope: &Envelope, deliveries: &[Delivery]) -> Result<(), Rejection> {
    let mut recipients = envelope.recipients.iter().zip(deliveries);
    recipients.try_for_each(|(to, delivery)| {
        let size = delivery.trace.len() as u64 + delivery.body.size();
        refuse_full(&to.account, &to.address, Some(size))
    })
}

/// What a stranger's message costs, once it is stored (spec §10.6.2).
async fn charge(site: &Site, to: &Admitted, author: Option<Address>, outcome: &Outcome) {
    let is_first = matches!(outcome, Outcome::Stored { first: true, .. });
    if let Some(author) = author.filter(|_| is_first) {
        strangers::met(site, &to.account, &to.preferences, &author).await;
    }
}

/// The copy for one recipient, where their decisions want it.
pub(crate) fn copy(
    hop: &Hop,
    to: &Admitted,
    accepted: Accepted,
    authors: &[Identity],
    mail: &Mail,
    now: u64,
) -> Delivery {
    Delivery {
        account: to.account.id,
        mailbox: to.preferences.mailbox_for(&accepted, authors).to_owned(),
        trace: trace::fields(hop, &to.address, accepted.provenance(), &mail.results),
        accepted,
        body: mail.body.clone(),
        received: now,
    }
}

/// What was not stored.
///
/// # Errors
/// A mailbox is full or gone, or the seal was used for another message.
pub(crate) fn refuse_unstored(to: &Address, outcome: &Outcome) -> Result<(), Rejection> {
    let recipient = to.clone();
    match outcome {
        Outcome::Stored { .. } | Outcome::Duplicate => Ok(()),
        Outcome::DifferentContent => Err(Rejection::NonceReused),
        Outcome::OverQuota => Err(Rejection::MailboxFull { recipient }),
        Outcome::Gone => Err(Rejection::NoSuchMailbox { recipient }),
    }
}

/// What a failing store means to the other side: nothing was accepted (RFC 5321 §4.2.5).
pub(crate) fn store_failed(error: StoreError) -> Rejection {
    tracing::error!(%error, "the store failed");
    match error {
        StoreError::Full => Rejection::StorageFull,
        other => Rejection::LocalError {
            why: other.to_string(),
        },
    }
}

/// The verdict, for the administrator.
pub(crate) fn log(peer: SocketAddr, envelope: &Envelope, verdict: &Verdict) {
    if let Some(alarm) = verdict.alarm() {
        tracing::warn!(%peer, alarm, "alarm");
    }
    let reason = verdict.rejection().map(Rejection::id);
    let author = verdict.author().map(ToString::to_string);
    let recipients = envelope.addresses().len();
    tracing::info!(%peer, author, recipients, refused = reason, "judged");
}

/// Was it checked who wrote it? Then the client's address is nobody's business (spec §4.14).
pub(crate) fn is_sealed(provenance: &Provenance) -> bool {
    !matches!(provenance, Provenance::Unverified { .. })
}

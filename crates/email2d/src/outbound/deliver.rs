//! One attempt: the identical octets, to every recipient that still waits.

use std::io;
use std::sync::Arc;

use email2::address::Address;
use email2::evidence::Announced;
use email2_remote::connect::Content;
use email2_remote::{DeliveryRequest, Outcome};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::queue::{QueueEntry, QueueRecipient, RecipientState};
use email2_store::{BodyReader, StoreError};
use futures::future::BoxFuture;

use super::local;
use super::route::Route;
use super::words::Words;
use crate::site::Site;

/// What an attempt came to, by recipient; none where nothing was tried.
pub(super) type Outcomes = Vec<(Address, Outcome)>;

/// Delivers by the way that was found. To a domain that speaks Email 2.0 everything goes over
/// its authenticated hosts: announced if it is sealed, for them to judge if it is not.
pub(super) async fn attempt(site: &Arc<Site>, entry: &QueueEntry, route: &Route) -> Outcomes {
    let ordinary = match route {
        Route::Nowhere => return Vec::new(),
        Route::Stays(outcome) => return for_all(entry, outcome),
        Route::Here => return local::deliver(site, entry).await,
        Route::Email2 => false,
        Route::Ordinary => true,
    };
    match request(site, entry).await {
        Ok(request) if ordinary => site.remote.deliver_ordinary(&request).await,
        Ok(request) => site.remote.deliver(&request).await,
        Err(error) => {
            tracing::error!(%error, id = entry.id.0, "a queued message cannot be read");
            Vec::new()
        }
    }
}

fn for_all(entry: &QueueEntry, outcome: &Outcome) -> Outcomes {
    let waiting = waiting(entry);
    waiting
        .map(|to| (to.address.clone(), outcome.clone()))
        .collect()
}

fn waiting(entry: &QueueEntry) -> impl Iterator<Item = &QueueRecipient> {
    let recipients = entry.recipients.iter();
    recipients.filter(|to| to.state == RecipientState::Waiting)
}

async fn request(site: &Site, entry: &QueueEntry) -> Result<DeliveryRequest, StoreError> {
    let body = site.store.entry_body(entry.id).await?;
    Ok(DeliveryRequest {
        domain: entry.domain.clone(),
        envelope: Envelope {
            mail: mail_of(entry),
            recipients: waiting_of(entry),
        },
        content: Arc::new(Queued(body)),
        assured: true,
    })
}

/// MAIL of an entry.
pub(super) fn mail_of(entry: &QueueEntry) -> Mail {
    let announced = entry.announced.clone();
    let words = Words::parse(&entry.details);
    let mut mail = Mail::new(entry.mail_from.clone());
    mail.announced = announced.map(|(role, signer)| Announced { role, signer });
    mail.eight_bit = words.eight_bit;
    mail.smtputf8 = words.utf8;
    mail
}

/// RCPT of an entry: who still waits.
pub(super) fn waiting_of(entry: &QueueEntry) -> Vec<Recipient> {
    let recipients = waiting(entry).map(|to| Recipient {
        address: to.address.clone(),
        etag: to.etag.clone(),
    });
    recipients.collect()
}

/// The octets of an entry, read from the store piece by piece.
struct Queued(Box<dyn BodyReader>);

impl Content for Queued {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            let read = self.0.read(offset, length).await;
            read.map_err(io::Error::other)
        })
    }
}

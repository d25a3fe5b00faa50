//! One attempt: the identical octets, to every recipient that still waits.

use std::io;
use std::sync::Arc;

use email2::address::Address;
use email2::evidence::Announced;
use email2_remote::connect::Content;
use email2_remote::{DeliveryRequest, Outcome};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::queue::{QueueEntry, RecipientState};
use email2_store::{BodyReader, StoreError};
use futures::future::BoxFuture;

use super::enqueue::{EIGHT_BIT, UTF8};
use crate::site::Site;

/// What an attempt came to, by recipient; none where nothing was tried.
pub(super) type Outcomes = Vec<(Address, Outcome)>;

/// Delivers, unless the time of the entry is over.
pub(super) async fn attempt(site: &Site, entry: &QueueEntry) -> Outcomes {
    if entry.expires <= site.world.now() {
        return Vec::new();
    }
    match request(site, entry).await {
        Ok(request) => site.remote.deliver(&request).await,
        Err(error) => {
            tracing::error!(%error, id = entry.id.0, "a queued message cannot be read");
            Vec::new()
        }
    }
}

async fn request(site: &Site, entry: &QueueEntry) -> Result<DeliveryRequest, StoreError> {
    let body = site.store.entry_body(entry.id).await?;
    let announced = entry.announced.clone();
    let said = |word| entry.details.split(' ').any(|said| said == word);
    let mut mail = Mail::new(entry.mail_from.clone());
    mail.announced = announced.map(|(role, signer)| Announced { role, signer });
    mail.eight_bit = said(EIGHT_BIT);
    mail.smtputf8 = said(UTF8);
    let waiting = entry
        .recipients
        .iter()
        .filter(|to| to.state == RecipientState::Waiting);
    let recipients = waiting.map(|to| Recipient {
        address: to.address.clone(),
        etag: to.etag.clone(),
    });
    Ok(DeliveryRequest {
        domain: entry.domain.clone(),
        envelope: Envelope {
            mail,
            recipients: recipients.collect(),
        },
        content: Arc::new(Queued(body)),
        assured: true,
    })
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

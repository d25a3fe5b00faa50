//! One attempt: the identical octets, to every recipient that still waits.

use std::io;
use std::sync::Arc;

use email2::address::Address;
use email2::evidence::Announced;
use email2_remote::connect::Content;
use email2_remote::{DeliveryRequest, Line, Outcome};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::BodyReader;
use email2_store::queue::{QueueEntry, QueueRecipient, RecipientState};
use futures::future::BoxFuture;

use super::behind;
use super::dkim::{self, DkimError};
use super::local;
use super::reauthor;
use super::route::Route;
use super::words::Words;
use crate::site::Site;

/// What an attempt came to, by recipient; none where nothing was tried.
pub(super) type Outcomes = Vec<(Address, Outcome)>;

/// Delivers by the way that was found. To a domain that speaks Email 2.0 everything goes over
/// its authenticated hosts: announced if it is sealed, for them to judge if it is not
/// (spec §12.5.3). A dialogue with the domain goes on over `line`.
pub(super) async fn attempt(
    site: &Arc<Site>,
    entry: &QueueEntry,
    route: &Route,
    line: &mut Line,
) -> Outcomes {
    let ordinary = match route {
        Route::Nowhere => return Vec::new(),
        Route::Stays(outcome) => return for_all(entry, outcome),
        Route::Here => return local::deliver(site, entry).await,
        Route::Inner(inner) => return behind::deliver(site, entry, inner).await,
        Route::Email2 => false,
        Route::Ordinary => true,
    };
    match request(site, entry, ordinary).await {
        Ok(request) if ordinary => site.remote.deliver_ordinary(line, &request).await,
        Ok(request) => site.remote.deliver_on(line, &request).await,
        Err(error) => {
            tracing::error!(%error, id = entry.id.0, "a queued message cannot be sent");
            Vec::new()
        }
    }
}

/// The same outcome for everybody who waits.
pub(super) fn for_all(entry: &QueueEntry, outcome: &Outcome) -> Outcomes {
    let waiting = waiting(entry);
    waiting
        .map(|to| (to.address.clone(), outcome.clone()))
        .collect()
}

fn waiting(entry: &QueueEntry) -> impl Iterator<Item = &QueueRecipient> {
    let recipients = entry.recipients.iter();
    recipients.filter(|to| to.state == RecipientState::Waiting)
}

/// What is sent: as ordinary mail behind our DKIM signatures (spec §13.5).
async fn request(
    site: &Site,
    entry: &QueueEntry,
    ordinary: bool,
) -> Result<DeliveryRequest, DkimError> {
    let body = site.store.entry_body(entry.id).await?;
    let mut content = Queued::whole(body);
    if ordinary {
        reauthor::of_another(site, entry, &mut content).await?;
        let signatures = dkim::fields(site, entry, &content).await?;
        content.front.splice(0..0, signatures);
    }
    Ok(DeliveryRequest {
        domain: entry.domain.clone(),
        envelope: Envelope {
            mail: mail_of(entry),
            recipients: waiting_of(entry),
        },
        content: Arc::new(content),
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

/// The octets of an entry, read from the store piece by piece, behind what stands in front.
pub(super) struct Queued {
    /// What stands in front.
    pub(super) front: Vec<u8>,
    /// So many of the octets that were kept are left out.
    pub(super) skip: u64,
    /// The octets that were kept.
    pub(super) body: Box<dyn BodyReader>,
}

impl Queued {
    /// As it was kept.
    pub(super) fn whole(body: Box<dyn BodyReader>) -> Queued {
        Queued {
            front: Vec::new(),
            skip: 0,
            body,
        }
    }
}

impl Content for Queued {
    fn size(&self) -> u64 {
        self.front.len() as u64 + self.body.size().saturating_sub(self.skip)
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            // What stands in front leaves with the first of the body: a chunk of its own would be
            // answered on its own, and the next answer then waits for somebody's timer (Nagle).
            let begin = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = self.front.get(begin..).unwrap_or_default();
            let mut octets: Vec<u8> = rest.iter().copied().take(length).collect();
            let wanted = length - octets.len();
            if wanted == 0 {
                return Ok(octets);
            }
            let behind = (offset + octets.len() as u64).saturating_sub(self.front.len() as u64);
            let read = self.body.read(behind + self.skip, wanted).await;
            octets.extend(read.map_err(io::Error::other)?);
            Ok(octets)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(folder: &std::path::Path, octets: &[u8]) -> Box<dyn BodyReader> {
        let store = email2_store::Store::open(folder, email2_store::Opening::Serve, 1).unwrap();
        let mut writer = store.write_body().await.unwrap();
        writer.push(octets).await.unwrap();
        let body = writer.finish().await.unwrap();
        store.read_spooled(&body).await.unwrap()
    }

    #[tokio::test]
    async fn what_stands_in_front_is_read_with_the_first_of_the_body() {
        let folder = tempfile::tempdir().unwrap();
        let queued = Queued {
            front: b"front ".to_vec(),
            skip: 2,
            body: kept(folder.path(), b"--body").await,
        };
        assert_eq!(queued.size(), 10);
        assert_eq!(queued.read(0, 100).await.unwrap(), b"front body");
        for length in 1..11 {
            let mut octets = Vec::new();
            loop {
                let piece = queued.read(octets.len() as u64, length).await.unwrap();
                assert!(piece.len() <= length);
                if piece.is_empty() {
                    break;
                }
                octets.extend(piece);
            }
            assert_eq!(octets, b"front body", "{length} at a time");
        }
    }
}

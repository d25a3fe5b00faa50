//! Kept entries go to their domains' servers, until they are settled or the
//! time given is over.

use std::sync::Arc;
use std::time::Duration;

use email2::evidence::Announced;
use email2_remote::{DeliveryRequest, Outcome};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::StoreError;
use email2_store::queue::{Claimed, QueueEntry, QueueId, RecipientState};
use futures::future::join_all;

use super::outbox::{self, Kind};
use super::report::{Doubt, Manner, Report, Step, Watch};
use super::{Author, Encryption, Way, settle};
use crate::{Client, home};

/// First pause between attempts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause while a person waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a claim holds, seconds: longer than any delivery takes.
const LEASE: u64 = 30 * 60;

/// How entries are tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trying {
    /// How long what is refused for now is tried again.
    pub wait: Duration,
    /// Which way they leave.
    pub way: Way,
    /// What the author decided about those that wait for that (spec §5.5.2).
    pub decided: Option<Encryption>,
}

/// Delivers these entries; what is refused for now is tried again for as long as the time given.
/// One report a recipient. With the author's key at hand a seal can be renewed, and a key that
/// changed be followed.
///
/// # Errors
/// The store failed.
pub async fn until(
    client: &Client,
    author: Option<&Author<'_>>,
    ids: &[QueueId],
    trying: Trying,
    watch: &dyn Watch,
) -> Result<Vec<Report>, StoreError> {
    let clock = &*client.world.clock;
    let deadline = clock.monotonic() + trying.wait;
    let mut pause = FIRST_PAUSE;
    let mut reports = Vec::new();
    loop {
        let claimed = client
            .store
            .claim_these(ids, client.world.now(), LEASE)
            .await?;
        let worked = claimed
            .into_iter()
            .map(|claim| attempt(client, author, claim, trying, watch));
        for settled in join_all(worked).await {
            reports.extend(settled?);
        }
        let waiting = waiting(client, ids).await?;
        if waiting.is_empty() || clock.monotonic() + pause > deadline {
            reports.extend(waiting.iter().flat_map(settle::reports));
            return Ok(reports);
        }
        watch.step(Step::Wait(pause.as_secs()));
        clock.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The entries that are due.
///
/// # Errors
/// The store failed.
pub async fn due_now(client: &Client) -> Result<Vec<QueueId>, StoreError> {
    let now = client.world.now();
    let entries = client.store.entries().await?;
    let due = entries.iter().filter(|entry| entry.next_attempt <= now);
    Ok(due.map(|entry| entry.id).collect())
}

/// Entries that still have a recipient to deliver to, or are not settled otherwise.
async fn waiting(client: &Client, ids: &[QueueId]) -> Result<Vec<QueueEntry>, StoreError> {
    let mut entries = client.store.entries().await?;
    entries.retain(|entry| ids.contains(&entry.id) && settle::is_waiting(entry));
    Ok(entries)
}

async fn attempt(
    client: &Client,
    author: Option<&Author<'_>>,
    claim: Claimed,
    trying: Trying,
    watch: &dyn Watch,
) -> Result<Vec<Report>, StoreError> {
    let entry = &claim.entry;
    match Kind::of(entry) {
        Some(Kind::Sealed { manner }) => {
            watch.step(Step::Deliver {
                domain: entry.domain.clone(),
                size: entry.size,
            });
            let request = request(client, entry, manner).await?;
            let way = way_of(manner, trying.way);
            let (outcomes, by_server) = carry(client, &request, way).await;
            let manner = Manner {
                by_server,
                ..manner
            };
            settle::sealed(client, author, claim, (outcomes, manner)).await
        }
        Some(Kind::Copy { .. }) => settle::copy(client, claim).await,
        Some(Kind::Unprepared { .. }) => settle::unprepared(client, author, claim, trying).await,
        None => settle::untouched(client, claim).await,
    }
}

/// Ordinary mail leaves by one's own server; what its author lets go to a host that nothing
/// authenticates does not, for that server would keep it waiting (spec §5.5.5).
fn way_of(manner: Manner, asked: Way) -> Way {
    match manner.doubt {
        Some(Doubt::Unauthenticated) => Way::Direct,
        _ if manner.by_server => Way::Server,
        _ => asked,
    }
}

/// Carries a request one way; where the recipients' server cannot be reached from here, one's own
/// server takes it, if it can. Nothing was said to the former, so nothing goes twice. Whether
/// one's own server had it.
async fn carry(client: &Client, request: &DeliveryRequest, way: Way) -> (Outcomes, bool) {
    if way == Way::Server {
        return (home::submit(client, request).await, true);
    }
    let outcomes = client.remote.deliver(request).await;
    let unreached = |outcome: &Outcome| matches!(outcome, Outcome::Temporary(why) if why.unreached);
    if way == Way::Direct || !outcomes.iter().all(|(_, outcome)| unreached(outcome)) {
        return (outcomes, false);
    }
    let carried = home::submit(client, request).await;
    let taken = |outcome: &Outcome| !matches!(outcome, Outcome::Temporary(_));
    match carried.iter().any(|(_, outcome)| taken(outcome)) {
        true => (carried, true),
        false => (outcomes, false),
    }
}

async fn request(
    client: &Client,
    entry: &QueueEntry,
    manner: Manner,
) -> Result<DeliveryRequest, StoreError> {
    let octets = outbox::octets(&client.store, entry.id).await?;
    let waiting = entry
        .recipients
        .iter()
        .filter(|to| to.state == RecipientState::Waiting);
    let recipients = waiting.map(|to| Recipient {
        address: to.address.clone(),
        etag: to.etag.clone(),
    });
    let mut mail = Mail::new(entry.mail_from.clone());
    let announced = entry.announced.clone();
    mail.announced = announced.map(|(role, signer)| Announced { role, signer });
    mail.eight_bit = !octets.is_ascii();
    let named = entry.recipients.iter();
    mail.smtputf8 =
        !header_of(&octets).is_ascii() || named.into_iter().any(|to| to.address.needs_smtputf8());
    Ok(DeliveryRequest {
        domain: entry.domain.clone(),
        envelope: Envelope {
            mail,
            recipients: recipients.collect(),
        },
        content: Arc::new(octets),
        assured: manner.doubt != Some(Doubt::Unauthenticated),
    })
}

/// The header section: raw UTF-8 in it needs SMTPUTF8 (RFC 6532).
fn header_of(octets: &[u8]) -> &[u8] {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.and_then(|end| octets.get(..end)).unwrap_or(octets)
}

/// What one attempt came to, by recipient.
pub(crate) type Outcomes = Vec<(email2::Address, Outcome)>;

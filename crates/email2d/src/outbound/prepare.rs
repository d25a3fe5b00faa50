//! The bracket: what a user's ordinary program sent is protected and sealed, once an entry and
//! never for mail that came sealed (spec §13.4). What is kept is what every attempt sends.
//!
//! `keys → protect → seal → keep`

use email2::address::{Address, Identity};
use email2::content::{OuterTo, format_date};
use email2::evidence::sent_key;
use email2::header::parse_authors;
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::Scan;
use email2::seal::{Role, Seal};
use email2::secret::SecretKey;
use email2_remote::Outcome;
use email2_remote::deliver::Reason;
use email2_store::queue::{Claimed, NewEntry, QueueEntry, QueueRecipient, Settlement};
use email2_store::{AccountId, SpooledBody, StoreError};

use super::deliver::Outcomes;
use super::keys::{self, Asking, Found};
use super::protect::{self, Keyed, ProtectError};
use super::room;
use super::route::Route;
use super::seal::{self, SealingError};
use super::settle::is_waiting;
use super::words::Words;
use crate::held_key::{self, HeldKeyError};
use crate::site::Site;
use crate::trace;

/// What became of a claim before its delivery.
pub(super) enum Prepared {
    /// It may leave as it is.
    Ready,
    /// What it became is to be put in the queue in its place.
    Replaced(Box<Settlement>),
    /// Not now, or not at all for somebody.
    Waits(Outcomes),
}

/// Why an entry cannot be prepared.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The author's key cannot be used.
    #[error(transparent)]
    Key(#[from] HeldKeyError),
    /// No key is held any more: for good.
    #[error("no key is held for the author any more")]
    NotHeld,
    /// Somebody's key cannot be had now, or not be used.
    #[error("a recipient's key is missing")]
    Recipients(Outcomes),
    /// Protecting failed.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealingError),
}

/// Prepares the entry, if that is still to be done and it has a way.
pub(super) async fn once(site: &Site, claim: &Claimed, route: &Route) -> Prepared {
    let sealed = match route {
        Route::Email2 | Route::Here => true,
        Route::Ordinary => false,
        Route::Inner(_) | Route::Stays(_) | Route::Nowhere => return Prepared::Ready,
    };
    if !Words::parse(&claim.entry.details).unprotected {
        return Prepared::Ready;
    }
    match replace(site, claim, sealed).await {
        Ok(settlement) => Prepared::Replaced(Box::new(settlement)),
        Err(error) => Prepared::Waits(outcomes(&claim.entry, error)),
    }
}

/// The copies that leave, to be put in the place of the entry.
async fn replace(site: &Site, claim: &Claimed, sealed: bool) -> Result<Settlement, PrepareError> {
    let entry = &claim.entry;
    let author = author(site, entry).await?;
    let keys = found(site, entry, sealed).await?;
    let _room = room::take(site, entry.size).await;
    let copies = copies(site, entry, &author, keys).await?;
    let mut entries = Vec::new();
    for copy in copies {
        if !sealed {
            remember(site, &author, &copy).await?;
        }
        entries.push(leaving(site, entry, &author, copy, sealed).await?);
    }
    Ok(Settlement {
        finished: true,
        // Another key may have to be encrypted to: then the octets that came are needed again.
        hands_down: entries.iter().any(is_encrypted),
        onward: entries,
        ..Settlement::of(entry.id, claim.epoch, site.world.now())
    })
}

/// Remembers what goes to an ordinary domain, so that an ordinary hop can report about it
/// (spec §11.5.2).
async fn remember(site: &Site, author: &Author, copy: &Copy) -> Result<(), StoreError> {
    let Ok(scanned) = Scan::whole(false, header_of(&copy.octets)) else {
        return Ok(());
    };
    let Some(id) = scanned.header.value("Message-ID") else {
        return Ok(());
    };
    let recipients = copy.recipients.iter();
    let sent = recipients.map(|to| sent_key(id, &to.address)).collect();
    let until = site.world.now() + limits::SENT_MEMORY;
    site.store.remember_sent(author.account, sent, until).await
}

fn is_encrypted(entry: &NewEntry) -> bool {
    entry.recipients.iter().any(|to| to.etag.is_some())
}

/// Whose key signs.
struct Author {
    account: AccountId,
    address: Address,
    key: SecretKey,
}

async fn author(site: &Site, entry: &QueueEntry) -> Result<Author, PrepareError> {
    let address = entry.mail_from.address().ok_or(PrepareError::NotHeld)?;
    let account = site.store.account(address).await?;
    let account = account.ok_or(PrepareError::NotHeld)?;
    let data = &site.config.data_directory;
    let key = held_key::open(data, &site.store, &account).await?;
    Ok(Author {
        account: account.id,
        address: address.clone(),
        key: key.ok_or(PrepareError::NotHeld)?,
    })
}

/// A copy that is protected.
struct Copy {
    recipients: Vec<QueueRecipient>,
    octets: Vec<u8>,
}

/// Encrypted when every recipient of the entry has a key, else signed only (spec §13.4.2).
async fn copies(
    site: &Site,
    entry: &QueueEntry,
    author: &Author,
    keys: Option<Keys>,
) -> Result<Vec<Copy>, PrepareError> {
    let body = site.store.entry_body(entry.id).await?;
    let message = completed(entry, author, room::whole(&*body).await?);
    let (key, from) = (author.key.clone(), author.address.clone());
    let Some(found) = keys else {
        let octets = protect::signed(site, key, from, message).await?;
        let waiting = entry.recipients.iter().filter(|to| is_waiting(to));
        let recipients = waiting.cloned().collect();
        return Ok(vec![Copy { recipients, octets }]);
    };
    let keyed = found.iter().map(|(keyed, _)| keyed.clone()).collect();
    let to = (keyed, outer_to(&message));
    let encrypted = protect::encrypted(site, key, from, message, to).await?;
    let copies = encrypted.into_iter().map(|copy| {
        let members = copy.audience.members.iter().filter_map(|at| found.get(*at));
        let recipients = members.map(|(_, recipient)| recipient.clone()).collect();
        Copy {
            recipients,
            octets: copy.octets,
        }
    });
    Ok(copies.collect())
}

/// The keys of recipients, who are kept with them from now on.
type Keys = Vec<(Keyed, QueueRecipient)>;

/// The keys of all who wait; `None`: somebody has none.
async fn found(
    site: &Site,
    entry: &QueueEntry,
    sealed: bool,
) -> Result<Option<Keys>, PrepareError> {
    let asking = Asking {
        sealed,
        fresh: Words::parse(&entry.details).rekeyed,
        since: entry.created,
    };
    let (mut all, mut somebody_has_none) = (Keys::new(), false);
    let mut wanting = Outcomes::new();
    for to in entry.recipients.iter().filter(|to| is_waiting(to)) {
        match keys::of(site, &to.address, asking).await? {
            Found::Key { certificate, etag } => {
                let keyed = Keyed {
                    address: to.address.clone(),
                    certificate,
                };
                let recipient = QueueRecipient { etag, ..to.clone() };
                all.push((keyed, recipient));
            }
            Found::None => somebody_has_none = true,
            Found::Not(outcome) => wanting.push((to.address.clone(), outcome)),
        }
    }
    match wanting.is_empty() {
        true => Ok((!somebody_has_none).then_some(all)),
        false => Err(PrepareError::Recipients(wanting)),
    }
}

/// The message with what every message has (RFC 6409 §8, spec §13.3.3), the same in all its
/// copies.
fn completed(entry: &QueueEntry, author: &Author, message: Vec<u8>) -> Vec<u8> {
    let words = Words::parse(&entry.details);
    let mut fields = String::new();
    if words.date {
        fields += &format!("Date: {}\r\n", format_date(entry.created));
    }
    if words.message_id {
        let (id, domain) = (&entry.group, author.address.domain());
        fields += &format!("Message-ID: <{id}.{}@{domain}>\r\n", entry.created);
    }
    match fields.is_empty() {
        true => message,
        false => [fields.as_bytes(), &message].concat(),
    }
}

/// What the outer To of an encrypted copy says: whom every recipient may see, never a blind one.
fn outer_to(message: &[u8]) -> OuterTo {
    let Ok(scanned) = Scan::whole(false, header_of(message)) else {
        return OuterTo::Hidden;
    };
    let named = ["To", "Cc"]
        .iter()
        .filter_map(|name| scanned.header.value(name));
    let mut visible: Vec<Address> = Vec::new();
    for address in named.filter_map(parse_authors).flatten() {
        if !visible.contains(&address) {
            visible.push(address);
        }
    }
    match visible.is_empty() {
        true => OuterTo::Hidden,
        false => OuterTo::Visible(visible),
    }
}

/// The header section of a message, all lines of it.
pub(super) fn header_of(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.map_or(message.len(), |end| end + 2);
    message.get(..end).unwrap_or_default()
}

/// The entry that leaves: sealed for a domain that speaks Email 2.0, our trace field in front.
async fn leaving(
    site: &Site,
    entry: &QueueEntry,
    author: &Author,
    copy: Copy,
    sealed: bool,
) -> Result<NewEntry, PrepareError> {
    let words = Words {
        unprotected: false,
        held: true,
        ..Words::parse(&entry.details)
    };
    let mut front = trace::submitted(site, &entry.group, words.utf8, entry.created);
    let mut octets = copy.octets;
    let mut seal_of = None;
    if sealed {
        let recipients = copy
            .recipients
            .iter()
            .map(|to| to.address.clone())
            .collect();
        let order = seal::Order {
            author: author.address.clone(),
            recipients,
            at: site.world.now(),
        };
        let (seal, content) = seal::seal(site, author.key.clone(), order, octets).await?;
        front.extend_from_slice(seal.field().as_bytes());
        octets = content;
        seal_of = Some(seal);
    }
    Ok(NewEntry {
        group: entry.group.clone(),
        domain: entry.domain.clone(),
        mail_from: entry.mail_from.clone(),
        announced: seal_of.as_ref().map(announced),
        recipients: copy.recipients,
        body: spooled(site, &front, &octets).await?,
        front: Vec::new(),
        details: words.to_string(),
        created: entry.created,
        expires: seal_of.map_or(entry.expires, |seal| seal.expires.min(entry.expires)),
        // In front of those that are still to be prepared: a thousand copies of one message do not
        // lie on the disk together while their domain takes them.
        next_attempt: entry.next_attempt.saturating_sub(1),
    })
}

fn announced(seal: &Seal) -> (Role, Identity) {
    (seal.role, seal.signer.clone())
}

/// Keeps octets.
pub(super) async fn spooled(
    site: &Site,
    front: &[u8],
    octets: &[u8],
) -> Result<SpooledBody, StoreError> {
    let mut writer = site.store.write_body().await?;
    writer.push(front).await?;
    writer.push(octets).await?;
    writer.finish().await
}

/// What the recipients are told.
fn outcomes(entry: &QueueEntry, error: PrepareError) -> Outcomes {
    let outcome = match error {
        PrepareError::Recipients(outcomes) => return outcomes,
        PrepareError::NotHeld => Outcome::Refused(ours(&Rejection::SubmitSealed)),
        PrepareError::Protect(ProtectError::Content(_))
        | PrepareError::Seal(SealingError::Seal(_) | SealingError::Refused(_)) => {
            let why = error.to_string();
            Outcome::Refused(ours(&Rejection::SubmitUnfit { why }))
        }
        other => {
            tracing::error!(error = %other, group = entry.group, "cannot be protected now");
            let why = other.to_string();
            Outcome::Temporary(ours(&Rejection::LocalError { why }))
        }
    };
    let waiting = entry.recipients.iter().filter(|to| is_waiting(to));
    waiting
        .map(|to| (to.address.clone(), outcome.clone()))
        .collect()
}

/// In our own words.
pub(super) fn ours(rejection: &Rejection) -> Reason {
    Reason {
        enhanced: Some(rejection.enhanced().to_string()),
        text: rejection.sentence(),
        ..Reason::default()
    }
}

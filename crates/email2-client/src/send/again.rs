//! An entry is made again from the author's own copy: for a key that changed
//! (spec §3.3.2), or for one that could not be asked for before.

use email2::address::Address;
use email2::certificate::Certificate;
use email2::content::{Reader, unprotect};
use email2_store::StoreError;
use email2_store::queue::{QueueEntry, RecipientState};

use super::compose::Composed;
use super::deliver::Trying;
use super::import::{File, import};
use super::keys::{self, Found, Keyed, RecipientKey};
use super::outbox::{self, Kind};
use super::protect::ProtectError;
use super::report::{Mail, Unwatched};
use super::route::Routed;
use super::settle::{Next, recipient};
use super::{Author, Encryption, Options, protect, seal};
use crate::Client;
use crate::learnt::Teller;
use crate::pin::{self, PinError};

/// What a copy says of itself once it is in the mailbox Sent.
pub(crate) fn filed() -> String {
    Kind::Copy { filed: true }.text()
}

/// Is the copy in the mailbox Sent?
pub(crate) fn is_filed(entry: &QueueEntry) -> bool {
    Kind::of(entry) == Some(Kind::Copy { filed: true })
}

/// After `key-changed`: the same encryption subkeys keep the octets; a key that the known one
/// signed gets a new copy; any other is held until its author decides.
///
/// # Errors
/// The store failed.
pub(crate) async fn follow(
    client: &Client,
    author: Option<&Author<'_>>,
    entry: &QueueEntry,
    who: &Address,
    next: &mut Next,
) -> Result<(), StoreError> {
    let (Some(to), now) = (recipient(entry, who), client.world.now()) else {
        return Ok(());
    };
    let before = match pin::known(&client.store, who).await {
        Ok(known) => known.map(|known| known.encryption_keys(now)),
        Err(error) => return hold(next, entry, who, &error),
    };
    let Ok(found) = client.remote.fetch_for_writing(who).await else {
        return Ok(());
    };
    let settled = pin::settle(&client.store, who, &found.certificate, found.assurance, now).await;
    let certificate = match settled {
        Ok(certificate) => certificate,
        Err(PinError::Store(error)) => return Err(error),
        Err(error) => return hold(next, entry, who, &error),
    };
    if before.as_ref() == Some(&certificate.encryption_keys(now)) {
        let mut to = to.clone();
        to.etag = Some(found.etag);
        next.set(
            &to,
            RecipientState::Waiting,
            "the key's version changed".to_owned(),
        );
        return Ok(());
    }
    let Some(author) = author else {
        let words = "the key changed; run: email2 outbox run".to_owned();
        next.set(to, RecipientState::Waiting, words);
        return Ok(());
    };
    let key = RecipientKey {
        certificate,
        etag: Some(found.etag),
        source: Teller::Domain,
    };
    anew(
        client,
        author,
        entry,
        keyed(who, Some(key)),
        &Options {
            encryption: Encryption::Demand,
            email2_only: demands_email2(entry),
            ..Options::default()
        },
        next,
    )
    .await
}

/// Whether its author demanded Email 2.0 all the way when the copy was made (spec §12.5.2).
fn demands_email2(entry: &QueueEntry) -> bool {
    matches!(Kind::of(entry), Some(Kind::Sealed { manner }) if manner.email2_only)
}

/// Asks for the key of an unprepared recipient and makes the copy.
///
/// # Errors
/// The store failed.
pub(crate) async fn prepare(
    client: &Client,
    author: &Author<'_>,
    (entry, trying): (&QueueEntry, Trying),
    next: &mut Next,
) -> Result<(), StoreError> {
    let (Some(to), Some(kind)) = (entry.recipients.first(), Kind::of(entry)) else {
        next.retry = true;
        return Ok(());
    };
    let Kind::Unprepared {
        encryption,
        blind,
        email2_only,
        ..
    } = kind
    else {
        next.retry = true;
        return Ok(());
    };
    let routed = Routed {
        address: to.address.clone(),
        blind,
    };
    let encryption = trying.decided.unwrap_or(encryption);
    let options = Options {
        encryption,
        email2_only,
        way: trying.way,
        since: Some(entry.created),
        ..Options::default()
    };
    // What its author decided stays, whatever comes of this attempt.
    next.details = Some(still_unprepared(&options, blind, false));
    let found = keys::fetch(client, vec![routed], &options, &Unwatched).await?;
    let Found {
        mut keyed,
        later,
        refused,
    } = found;
    if let Some(found) = keyed.pop() {
        return anew(client, author, entry, found, &options, next).await;
    }
    if let Some(refused) = refused.into_iter().next() {
        next.set(to, RecipientState::Refused, refused.words);
    }
    if let Some((_, why)) = later.into_iter().next() {
        next.set(to, RecipientState::Waiting, why);
    }
    Ok(())
}

/// Makes the copy for one recipient again and puts it in place of the entry's octets. Where the
/// octets are still wanted by others, the recipient is held instead.
async fn anew(
    client: &Client,
    author: &Author<'_>,
    entry: &QueueEntry,
    to: Keyed,
    options: &Options,
    next: &mut Next,
) -> Result<(), StoreError> {
    let who = to.address.clone();
    let others = entry.recipients.iter().any(|other| {
        let changed = next
            .recipients
            .iter()
            .find(|new| new.address == other.address);
        let state = changed.map_or(other.state, |new| new.state);
        other.address != who && state == RecipientState::Waiting
    });
    if others {
        return hold(
            next,
            entry,
            &who,
            &"the key changed; send to this recipient again",
        );
    }
    let etag = to.key.as_ref().and_then(|key| key.etag.clone());
    let blind = to.blind;
    let sealed = match remade(client, author, entry, to, options).await? {
        Ok(sealed) => sealed,
        Err(unmade) => {
            if unmade.undecided && next.details.is_some() {
                next.details = Some(still_unprepared(options, blind, true));
            }
            return hold(next, entry, &who, &unmade.why);
        }
    };
    next.body = Some(outbox::spool(&client.store, &sealed.octets).await?);
    let manner = sealed.manner;
    next.details = Some(Kind::Sealed { manner }.text());
    if let Some(known) = recipient(entry, &who) {
        let mut known = known.clone();
        known.etag = etag;
        let words = match Kind::of(entry) {
            Some(Kind::Unprepared { .. }) => "made, and not delivered yet",
            _ => "made again for the new key",
        };
        next.set(&known, RecipientState::Waiting, words.to_owned());
    }
    Ok(())
}

/// What is noted of an entry that is not prepared yet.
fn still_unprepared(options: &Options, blind: bool, undecided: bool) -> String {
    let kind = Kind::Unprepared {
        encryption: options.encryption,
        blind,
        email2_only: options.email2_only,
        undecided,
    };
    kind.text()
}

/// Why no copy was made.
struct Unmade {
    /// For people.
    why: String,
    /// Its author can decide how it may leave.
    undecided: bool,
}

impl From<String> for Unmade {
    fn from(why: String) -> Unmade {
        Unmade {
            why,
            undecided: false,
        }
    }
}

impl From<ProtectError> for Unmade {
    fn from(error: ProtectError) -> Unmade {
        Unmade {
            why: error.to_string(),
            undecided: matches!(error, ProtectError::NoKey(_) | ProtectError::Mixed(_)),
        }
    }
}

/// The copy for one recipient.
async fn remade(
    client: &Client,
    author: &Author<'_>,
    entry: &QueueEntry,
    to: Keyed,
    options: &Options,
) -> Result<Result<seal::Sealed, Unmade>, StoreError> {
    let (now, mut rng) = (client.world.now(), client.world.rng());
    let Some(composed) = source(client, author, entry).await? else {
        let why = "the text of the message is no longer here; send it again";
        return Ok(Err(why.to_owned().into()));
    };
    let copies = protect::protect(&composed, vec![to], options, author, now, &mut rng);
    let copies = match copies {
        Ok(copies) => copies,
        Err(error) => return Ok(Err(error.into())),
    };
    let sealed = seal::seal(author, copies, now, &mut rng);
    Ok(match sealed.map(|mut copies| copies.pop()) {
        Ok(Some(copy)) => Ok(copy),
        Ok(None) => Err("nothing was made".to_owned().into()),
        Err(error) => Err(error.to_string().into()),
    })
}

/// The message as it was written, from the author's own copy.
async fn source(
    client: &Client,
    author: &Author<'_>,
    entry: &QueueEntry,
) -> Result<Option<Composed>, StoreError> {
    let entries = client.store.entries().await?;
    let is_copy = |other: &&QueueEntry| {
        other.group == entry.group && matches!(Kind::of(other), Some(Kind::Copy { .. }))
    };
    let Some(copy) = entries.iter().find(is_copy) else {
        return Ok(None);
    };
    let octets = outbox::octets(&client.store, copy.id).await?;
    let own = |_: &Address| -> Option<Certificate> { Some(author.key.certificate().clone()) };
    let reader = Reader {
        keys: &[author.key],
        known: &own,
        now: client.world.now(),
    };
    let Ok(reading) = unprotect(&octets, &reader) else {
        return Ok(None);
    };
    let import = |bcc| {
        let octets = reading.message();
        let file = File {
            octets,
            bcc,
            ..File::default()
        };
        import(file, author.address).ok()
    };
    // With blind recipients only, the copy names nobody to whom it goes.
    let blind = || import(vec![author.address.clone()]);
    Ok(import(Vec::new()).or_else(blind))
}

fn keyed(who: &Address, key: Option<RecipientKey>) -> Keyed {
    Keyed {
        address: who.clone(),
        blind: false,
        mail: Mail::Sealed,
        by_server: false,
        key,
        doubt: None,
        encrypted_before: true,
    }
}

fn hold(
    next: &mut Next,
    entry: &QueueEntry,
    who: &Address,
    why: &dyn std::fmt::Display,
) -> Result<(), StoreError> {
    if let Some(to) = recipient(entry, who) {
        next.set(to, RecipientState::Held, why.to_string());
    }
    Ok(())
}

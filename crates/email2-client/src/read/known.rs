//! Whose certificate a message is read with: one's own, the pinned one of its
//! author, else the one that the author's server gives. A key that came with a message is none
//! of them (spec §5.6.6).

use email2::Address;
use email2::certificate::Certificate;
use email2::content::{ContentError, Known, Reader};
use email2::secret::SecretKey;
use email2::{Fingerprint, Identity};

use super::{Shown, Verdict, author, known_keys, read};
use crate::autocrypt::Told;
use crate::{Client, autocrypt, pin};

/// What people are told of a signature by such a key.
const HELD: &str = "the author's mail server holds this key and signs for them";

/// The certificates at hand for one message.
struct AtHand(Vec<Certificate>);

impl Known for AtHand {
    fn author(&self, address: &Address) -> Option<Certificate> {
        let who = Identity::Address(address.clone());
        self.0.iter().find(|known| known.binds(&who)).cloned()
    }

    fn holder(&self, key: &Fingerprint) -> Option<Certificate> {
        self.0.iter().find(|known| known.holds(key)).cloned()
    }
}

/// Opens a message as the server gave it, with one's own key where it is at hand:
/// mail that is only signed needs none.
///
/// # Errors
/// [`ContentError`]; [`ContentError::NotForTheseKeys`] when a key is needed.
pub async fn open(
    client: &Client,
    raw: &[u8],
    key: Option<&SecretKey>,
) -> Result<Shown, ContentError> {
    let author = author(raw);
    let mut known = match &author {
        Some(author) => certificate(client, author).await,
        None => None,
    };
    let mut shown = read_with(client, raw, key, known.clone())?;
    // A device that the author set up since signs by a key that the one known lacks.
    if shown.protection.standing == "unknown-key"
        && let Some(author) = &author
        && let Some(before) = &known
        && let Some(newer) = renewed(client, author, before).await
    {
        shown = read_with(client, raw, key, Some(newer.clone()))?;
        known = Some(newer);
    }
    let held = known.as_ref().is_some_and(Certificate::is_keyholder_server);
    // spec §13.2: a signature by such a key says what the server says, not what a person's device does.
    if held && shown.protection.standing == "verified" {
        shown.notes.push(HELD.to_owned());
    }
    let told = known_keys::compare(client, &shown, key).await;
    shown.notes.extend(told);
    if shown.verdict.is_ordinary() {
        let told = told_by_mail(client, raw, &shown, key).await;
        shown.notes.extend(told);
    }
    Ok(shown)
}

/// What ordinary mail says of its author's key: kept to write to them, and never taken for a proof
/// of who wrote this message (spec §12.6.7).
async fn told_by_mail(
    client: &Client,
    raw: &[u8],
    shown: &Shown,
    key: Option<&SecretKey>,
) -> Vec<String> {
    let (_, message) = Verdict::take(raw);
    let (store, now) = (client.store(), client.world().now());
    let mut notes = Vec::new();
    if let Some(author) = author(raw)
        && shown.protection.standing == "unknown-key"
        && let Ok(Some(before)) = autocrypt::known(store, &author).await
        && let Ok(again) = read_with(client, raw, key, Some(before))
        && again.protection.standing == "verified"
    {
        notes.push(format!(
            "the signature is by the key that earlier mail from {author} told; nothing vouches for \
             that key"
        ));
    }
    if !shown.verdict.may_tell_a_key() {
        return notes;
    }
    match autocrypt::harvest(store, message, now).await {
        Ok(Told::Nothing) => {}
        Ok(Told::First(key)) => notes.push(format!(
            "this mail tells a key of its author ({key}); your answers can be encrypted to it, but \
             nothing vouches for it"
        )),
        Ok(Told::Other(key)) => notes.push(format!(
            "this mail tells another key of its author ({key}) than earlier mail did; the earlier \
             one stays in use. To take this one: email2 key fetch ADDRESS --accept-new {key}"
        )),
        Err(error) => tracing::warn!(%error, "a key that mail told is not kept"),
    }
    notes
}

fn read_with(
    client: &Client,
    raw: &[u8],
    key: Option<&SecretKey>,
    author: Option<Certificate>,
) -> Result<Shown, ContentError> {
    let own = key.map(|key| key.certificate().clone());
    let known = AtHand(own.into_iter().chain(author).collect());
    let reader = Reader {
        keys: key.as_slice(),
        known: &known,
        now: client.world().now(),
    };
    read(raw, &reader)
}

/// What the author's server gives now, put together with the pin where there is one; `None` when
/// nothing new is there, or another primary key than the pinned one is (spec §6.5.2).
async fn renewed(client: &Client, author: &Address, before: &Certificate) -> Option<Certificate> {
    let pinned = pin::known(client.store(), author).await.ok()?;
    let found = client.remote().fetch_for_writing(author).await.ok()?;
    let (store, now) = (client.store(), client.world().now());
    let newer = match pinned {
        Some(_) => {
            let settled = pin::settle(store, author, &found.certificate, found.assurance, now);
            settled.await.ok()?
        }
        None => found.assurance.map(|_| found.certificate)?,
    };
    (newer != *before).then_some(newer)
}

/// Who cannot be asked is not known: the reading says so, and is made again
/// whenever the message is opened.
async fn certificate(client: &Client, author: &Address) -> Option<Certificate> {
    if let Ok(Some(pinned)) = pin::known(client.store(), author).await {
        return Some(pinned);
    }
    let found = client.remote().key_for_writing(author).await.ok()?;
    found.assurance.map(|_| found.certificate)
}

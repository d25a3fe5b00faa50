//! A message of a list is opened, for what its protection holds: subject, thread, text.

use email2::Address;
use email2::certificate::Certificate;
use email2::content::Reader;
use email2::secret::SecretKey;

use super::Entry;
use crate::imap::{ImapError, Mailboxes};
use crate::read::{self, Shown};
use crate::{Client, pin};

/// Largest message that a list opens, octets: more is seen when it is read by itself.
pub(crate) const OPENED_OCTETS: u64 = 2 * 1024 * 1024;

/// Opens the message; `None` when it is too large, not for this key, or cannot be read. Nobody
/// is asked for a key: what is known of the author here must do.
pub(crate) async fn open(
    client: &Client,
    mailboxes: &mut Mailboxes,
    entry: &Entry,
    key: Option<&SecretKey>,
) -> Result<Option<Shown>, ImapError> {
    let (Ok(uid), true) = (entry.id.parse::<u32>(), entry.size <= OPENED_OCTETS) else {
        return Ok(None);
    };
    let item = mailboxes.fetch(&[uid], "BODY.PEEK[]").await?.pop();
    let Some(raw) = item.and_then(|item| item.octets) else {
        return Ok(None);
    };
    let certificate = match read::author(&raw) {
        Some(author) => known(client, &author, key).await,
        None => None,
    };
    let at_hand = |_: &Address| certificate.clone();
    let reader = Reader {
        keys: key.as_slice(),
        known: &at_hand,
        now: client.world().now(),
    };
    Ok(read::read(&raw, &reader).ok())
}

async fn known(client: &Client, author: &Address, key: Option<&SecretKey>) -> Option<Certificate> {
    if client.address().is_ok_and(|own| own == author) {
        return key.map(|key| key.certificate().clone());
    }
    pin::known(client.store(), author).await.ok().flatten()
}

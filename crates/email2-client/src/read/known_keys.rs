//! The keys by which an author knows the readers, compared with what is known here: a server that
//! gave somebody a false key is found out by the first message (spec §5.3.4).

use email2::capability::KNOWN_KEY_FIELD;
use email2::secret::SecretKey;
use email2::{Address, Fingerprint, Identity};

use super::Shown;
use crate::{Client, pin};

/// What a verified author's words about keys tell the reader.
pub(super) async fn compare(
    client: &Client,
    shown: &Shown,
    key: Option<&SecretKey>,
) -> Vec<String> {
    if shown.protection.standing != "verified" || !shown.protection.encrypted {
        return Vec::new();
    }
    let author = shown.from.as_ref().map(|from| from.address.as_str());
    let author = author.unwrap_or("the author");
    let mut notes = Vec::new();
    for (who, named) in named(shown) {
        let is_mine = key.is_some_and(|key| {
            let identity = Identity::Address(who.clone());
            key.certificate().binds(&identity)
        });
        if is_mine {
            notes.extend(of_mine(author, &named, key));
        } else {
            notes.extend(of_other(client, author, &who, &named).await);
        }
    }
    notes
}

fn named(shown: &Shown) -> Vec<(Address, Fingerprint)> {
    let fields = shown.header.iter();
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case(KNOWN_KEY_FIELD));
    fields
        .filter_map(|(_, value)| {
            let (who, primary) = value.split_once(';')?;
            Some((
                Address::parse(who.trim()).ok()?,
                primary.trim().parse().ok()?,
            ))
        })
        .collect()
}

fn of_mine(author: &str, named: &Fingerprint, key: Option<&SecretKey>) -> Option<String> {
    let is_mine = key.is_some_and(|key| key.is_or_was(named.as_bytes()));
    (!is_mine).then(|| {
        format!(
            "{author} was given a false key for you ({named}): who has it can read what is \
             written to you; compare by another way: email2 key verify {author}"
        )
    })
}

async fn of_other(
    client: &Client,
    author: &str,
    who: &Address,
    named: &Fingerprint,
) -> Option<String> {
    let known = pin::known(client.store(), who).await.ok()??;
    (known.primary() != named).then(|| {
        format!(
            "{author} knows {who} by another key ({named}) than you ({}): one of you may have \
             been given a false one; ask {who} by another way",
            known.primary()
        )
    })
}

//! Keys that ordinary mail tells of its authors (Autocrypt): encrypted to where nothing better is
//! known, and believed in nothing else. They are kept apart from the keys that a domain vouches
//! for, so that no reader ever takes a signature for proved by one (spec §12.6.7).

use email2::Fingerprint;
use email2::address::{Address, Identity};
use email2::autocrypt::Autocrypt;
use email2::certificate::Certificate;
use email2::certificate::succession::{Succession, succeed};
use email2_store::block::Scope;
use email2_store::{Store, StoreError};

/// What a message told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing that was not known.
    Nothing,
    /// The first key of this author.
    First(Fingerprint),
    /// Another key than the one known, which did not sign it: the known one stays, until the
    /// person takes the other.
    Other(Fingerprint),
}

/// Where a key is kept: the one in use, or one that waits for its person's decision.
#[derive(Clone, Copy)]
enum Shelf {
    Used,
    Held,
}

/// A key as it is kept.
struct Kept {
    /// When mail was last encrypted to it, Unix seconds; 0 for never.
    encrypted: u64,
    certificate: Certificate,
}

/// Keeps what an ordinary message tells of its author's key. The caller knows that the message is
/// unverified ordinary mail.
///
/// # Errors
/// The store failed.
pub async fn harvest(store: &Store, message: &[u8], now: u64) -> Result<Told, StoreError> {
    let Some((who, told)) = told(message, now) else {
        return Ok(Told::Nothing);
    };
    let Some(known) = read(store, &who, Shelf::Used).await? else {
        let first = told.primary().clone();
        write(store, &who, Shelf::Used, (&told, 0)).await?;
        return Ok(Told::First(first));
    };
    match succeed(&known.certificate, &told) {
        Ok(Succession::Merged(next) | Succession::Transition(next)) => {
            write(store, &who, Shelf::Used, (&next, known.encrypted)).await?;
            Ok(Told::Nothing)
        }
        Ok(Succession::New) => {
            write(store, &who, Shelf::Held, (&told, 0)).await?;
            Ok(Told::Other(told.primary().clone()))
        }
        Ok(Succession::Same) | Err(_) => Ok(Told::Nothing),
    }
}

/// A key that can be encrypted to, bound to the author's address.
fn told(message: &[u8], now: u64) -> Option<(Address, Certificate)> {
    let said = Autocrypt::of_message(message)?;
    let certificate = Certificate::parse(&said.key).ok()?;
    let bound = certificate.reduced_to(&Identity::Address(said.address.clone()))?;
    bound.can_encrypt(now).ok()?;
    Some((said.address, bound))
}

/// The key that is encrypted to where nothing better is known.
///
/// # Errors
/// The store failed.
pub async fn known(store: &Store, who: &Address) -> Result<Option<Certificate>, StoreError> {
    let kept = read(store, who, Shelf::Used).await?;
    Ok(kept.map(|kept| kept.certificate))
}

/// Was mail encrypted to this key before (spec §5.5.2)?
///
/// # Errors
/// The store failed.
pub async fn encrypted_before(store: &Store, who: &Address) -> Result<bool, StoreError> {
    let kept = read(store, who, Shelf::Used).await?;
    Ok(kept.is_some_and(|kept| kept.encrypted > 0))
}

/// Remembers that mail was encrypted to this correspondent's key.
///
/// # Errors
/// The store failed.
pub async fn note_encrypted(store: &Store, who: &Address, now: u64) -> Result<(), StoreError> {
    match read(store, who, Shelf::Used).await? {
        Some(kept) => write(store, who, Shelf::Used, (&kept.certificate, now)).await,
        None => Ok(()),
    }
}

/// The person decided: the key that waits, whose fingerprint they were shown, is used from now
/// on. `None` when no such key waits.
///
/// # Errors
/// The store failed.
pub async fn accept_held(
    store: &Store,
    who: &Address,
    seen: &Fingerprint,
) -> Result<Option<Certificate>, StoreError> {
    let held = read(store, who, Shelf::Held).await?;
    let Some(held) = held.filter(|held| held.certificate.primary() == seen) else {
        return Ok(None);
    };
    write(store, who, Shelf::Used, (&held.certificate, 0)).await?;
    let none = vec![(Shelf::Held.name(who), None)];
    store.set(Scope::Server, none).await?;
    Ok(Some(held.certificate))
}

/// All correspondents of whom ordinary mail told a key: the address, the primary key, and whether
/// it waits for its person's decision.
///
/// # Errors
/// The store failed.
pub async fn all(store: &Store) -> Result<Vec<(Address, Fingerprint, bool)>, StoreError> {
    let mut found = Vec::new();
    for (shelf, held) in [(Shelf::Used, false), (Shelf::Held, true)] {
        for (name, value) in store.settings(Scope::Server, shelf.prefix()).await? {
            let who = name.strip_prefix(shelf.prefix()).unwrap_or_default();
            if let (Ok(who), Some(kept)) = (Address::parse(who), parse(&value)) {
                found.push((who, kept.certificate.primary().clone(), held));
            }
        }
    }
    Ok(found)
}

impl Shelf {
    fn prefix(self) -> &'static str {
        match self {
            Shelf::Used => "autocrypt/",
            Shelf::Held => "autocrypt-held/",
        }
    }

    fn name(self, who: &Address) -> String {
        format!("{}{who}", self.prefix())
    }
}

async fn read(store: &Store, who: &Address, shelf: Shelf) -> Result<Option<Kept>, StoreError> {
    let value = store.setting(Scope::Server, &shelf.name(who)).await?;
    Ok(value.and_then(|value| parse(&value)))
}

/// The time of the last encryption on a line, then the certificate.
fn parse(value: &[u8]) -> Option<Kept> {
    let end = value.iter().position(|octet| *octet == b'\n')?;
    let (line, rest) = value.split_at_checked(end)?;
    Some(Kept {
        encrypted: std::str::from_utf8(line).ok()?.parse().ok()?,
        certificate: Certificate::parse(rest.get(1..)?).ok()?,
    })
}

async fn write(
    store: &Store,
    who: &Address,
    shelf: Shelf,
    (certificate, encrypted): (&Certificate, u64),
) -> Result<(), StoreError> {
    let line = format!("{encrypted}\n").into_bytes();
    let value = [line.as_slice(), certificate.octets()].concat();
    let values = vec![(shelf.name(who), Some(value))];
    store.set(Scope::Server, values).await
}

//! What one's own server gives others as one's key: asked as a stranger asks, once a day
//! (spec §6.13), and the end of one's own key, said ahead of time (spec §6.6.3).

use std::time::Duration;

use email2::address::{Address, Identity};
use email2::certificate::Certificate;
use email2::certificate::succession::{Succession, succeed};
use email2_io::clock::within;
use email2_remote::KeyError;
use email2_store::StoreError;
use email2_store::block::Scope;
use time::OffsetDateTime;

use crate::keyring::{self, KeyringError};
use crate::{Client, ClientError, limits};

/// Why the look was not possible.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Nothing is set up here.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// One's own key cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const CHECKED: &str = "own-key/checked";
const ALARM: &str = "own-key/alarm";

/// Looks if it is time to, and gives what the person must be told, with every command until it is
/// no longer so (spec §6.13.2): nothing, when all is well.
///
/// # Errors
/// See [`WatchError`]. A server that cannot be asked is none: it is asked again later.
pub async fn due(client: &Client) -> Result<Vec<String>, WatchError> {
    let now = client.world().now();
    let own = keyring::certificate(client.place())?;
    let mut notes: Vec<String> = ending(&own, now).into_iter().collect();
    if is_due(client, now).await? {
        look(client, &own, now).await?;
    }
    let alarm = client.store().setting(Scope::Server, ALARM).await?;
    notes.extend(alarm.map(|alarm| String::from_utf8_lossy(&alarm).into_owned()));
    Ok(notes)
}

/// The end of a key within 30 days, in words.
fn ending(own: &Certificate, now: u64) -> Option<String> {
    let end = own.expires()?;
    if end > now.saturating_add(limits::EXPIRY_NOTICE) {
        return None;
    }
    let date = i64::try_from(end).ok();
    let date = date.and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
    let date = date.map(|date| date.date().to_string()).unwrap_or_default();
    Some(if end > now {
        format!("your key expires on {date}; run: email2 key extend")
    } else {
        format!("your key expired on {date}: nobody can write to you; run: email2 key extend")
    })
}

async fn is_due(client: &Client, now: u64) -> Result<bool, StoreError> {
    let checked = client.store().setting(Scope::Server, CHECKED).await?;
    let alarmed = client
        .store()
        .setting(Scope::Server, ALARM)
        .await?
        .is_some();
    let text = checked.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    let last: u64 = text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let pause = if alarmed {
        limits::OWN_KEY_AGAIN
    } else {
        limits::OWN_KEY_CHECK
    };
    Ok(last > now || now - last >= pause)
}

/// Asks, and remembers when and what came of it.
async fn look(client: &Client, own: &Certificate, now: u64) -> Result<(), WatchError> {
    let address = client.address()?;
    let asking = client.remote().fetch_for_writing(address);
    let limit = Duration::from_secs(limits::OWN_KEY_SECONDS);
    let alarm = match within(&*client.world().clock, limit, asking).await {
        // What nothing authenticates may be anybody's word.
        Ok(Ok(found)) if found.assurance.is_some() => {
            match judged(address, own, &found.certificate) {
                Judged::Good(merged) => {
                    if let Some(merged) = merged {
                        keyring::keep_certificate(client.place(), &merged)?;
                    }
                    None
                }
                Judged::Wrong(words) => Some(words.into_bytes()),
            }
        }
        // An unlisted address has none for strangers (spec §3.5).
        Ok(Err(KeyError::NoKey(_))) => None,
        _ => return again_soon(client, now).await,
    };
    remember(client, now, Some(alarm)).await
}

/// It could not be asked: not with every command, and not only tomorrow.
async fn again_soon(client: &Client, now: u64) -> Result<(), WatchError> {
    let as_if = (now + limits::OWN_KEY_AGAIN).saturating_sub(limits::OWN_KEY_CHECK);
    remember(client, as_if, None).await
}

async fn remember(
    client: &Client,
    checked: u64,
    alarm: Option<Option<Vec<u8>>>,
) -> Result<(), WatchError> {
    let checked = Some(checked.to_string().into_bytes());
    let mut values = vec![(CHECKED.to_owned(), checked)];
    values.extend(alarm.map(|alarm| (ALARM.to_owned(), alarm)));
    Ok(client.store().set(Scope::Server, values).await?)
}

enum Judged {
    /// It is one's own key; with what other devices published, if anything.
    Good(Option<Certificate>),
    /// It is not, in words.
    Wrong(String),
}

fn judged(address: &Address, own: &Certificate, served: &Certificate) -> Judged {
    match succeed(own, served) {
        Ok(Succession::Same) if is_whole(address, own, served) => Judged::Good(None),
        Ok(Succession::Merged(both)) if is_whole(address, &both, served) => {
            Judged::Good(Some(both))
        }
        Ok(Succession::Same | Succession::Merged(_)) => Judged::Wrong(
            "ALARM: your mail server gives others an older form of your key than you published, \
             without what you changed since. Run: email2 key publish; if this comes again, ask \
             your administrator"
                .to_owned(),
        ),
        Ok(Succession::Transition(next)) => Judged::Wrong(format!(
            "your key was replaced by {} on another device; bring the new one here: email2 key \
             import FILE",
            next.primary()
        )),
        Ok(Succession::New) => Judged::Wrong(format!(
            "ALARM: your mail server gives others another key for you ({}) than yours ({}): who \
             has that key can read what is written to you. If your administrator did not reset \
             your key, tell your correspondents by another way",
            served.primary(),
            own.primary()
        )),
        Err(error) => Judged::Wrong(format!(
            "ALARM: your mail server gives others a key for you that cannot be used: {error}"
        )),
    }
}

/// Whether what is served holds all that is known, as far as it is served (one User ID).
fn is_whole(address: &Address, known: &Certificate, served: &Certificate) -> bool {
    let who = Identity::Address(address.clone());
    let reduced = known.reduced_to(&who);
    let served = match (&reduced, served.reduced_to(&who)) {
        (Some(reduced), Some(served)) => succeed(&served, reduced),
        _ => return false,
    };
    matches!(served, Ok(Succession::Same))
}

#[cfg(test)]
mod tests {
    use email2::certificate::RevocationReason;
    use email2::certificate::generate::generate;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: u64 = 1_764_000_000;
    const DAY: u64 = 86_400;

    #[test]
    fn the_end_is_said_thirty_days_ahead() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(2);
        let bob = Identity::parse("bob@example.org").unwrap();
        let key = generate(&bob, NOW, &mut rng).unwrap();
        assert_eq!(ending(key.certificate(), NOW), None);
        let key = key.expiring(Some(NOW + 40 * DAY), NOW, &mut rng).unwrap();
        let said = |days: u64| ending(key.certificate(), NOW + days * DAY);
        assert_eq!(said(9), None);
        assert_eq!(
            said(10).as_deref(),
            Some("your key expires on 2026-01-03; run: email2 key extend")
        );
        assert!(
            said(40)
                .unwrap()
                .starts_with("your key expired on 2026-01-03")
        );
    }

    #[test]
    fn another_key_and_a_hidden_revocation_are_alarms() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(3);
        let address = Address::parse("bob@example.org").unwrap();
        let bob = Identity::Address(address.clone());
        let key = generate(&bob, NOW, &mut rng).unwrap();
        let own = key.certificate();
        assert!(matches!(judged(&address, own, own), Judged::Good(None)));
        let second = key.for_device(NOW + 1, &mut rng).unwrap();
        let other_device = second.certificate();
        assert!(matches!(
            judged(&address, own, other_device),
            Judged::Good(Some(_))
        ));
        let false_key = generate(&bob, NOW, &mut rng).unwrap();
        let Judged::Wrong(words) = judged(&address, own, false_key.certificate()) else {
            panic!("another key is no alarm");
        };
        assert!(
            words.contains("gives others another key for you"),
            "{words}"
        );
        let reason = RevocationReason::Compromised;
        let revoked = key.revoke(reason, NOW + 2, &mut rng).unwrap();
        let Judged::Wrong(words) = judged(&address, &revoked, own) else {
            panic!("a hidden revocation is no alarm");
        };
        assert!(words.contains("an older form of your key"), "{words}");
    }
}

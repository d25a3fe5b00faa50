//! A seal whose time another server refused is made again, at that server's time and with a fresh
//! number, where this server holds the author's key (spec §4.9.3, §13.4.6).

use email2::limits;
use email2::rejection::Rejection;
use email2::scan::Scan;
use email2::seal::Seal;
use email2_remote::Outcome;
use email2_store::queue::QueueEntry;
use email2_store::{SpooledBody, StoreError};

use super::deliver::Outcomes;
use super::prepare::{header_of, spooled};
use super::room;
use super::seal::{self, SealingError};
use super::words::Words;
use crate::held_key::{self, HeldKeyError};
use crate::site::Site;

/// Why a seal cannot be made again; the old one stays.
#[derive(Debug, thiserror::Error)]
pub(super) enum AgainError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The author's key cannot be used.
    #[error(transparent)]
    Key(#[from] HeldKeyError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealingError),
    /// What was kept cannot be read as it was written.
    #[error("what is kept is not what was sealed: {0}")]
    Kept(Rejection),
}

/// The octets that take the place of the entry's; `None`: they stay.
pub(super) async fn renewed(
    site: &Site,
    entry: &QueueEntry,
    outcomes: &Outcomes,
) -> Option<SpooledBody> {
    let clock = clock_of(outcomes)?;
    let held = Words::parse(&entry.details).held && entry.announced.is_some();
    if !held || clock.abs_diff(site.world.now()) > limits::SEAL_LIFETIME_MAX {
        return None;
    }
    match again(site, entry, clock).await {
        Ok(body) => body,
        Err(error) => {
            tracing::warn!(%error, group = entry.group, "a seal cannot be made again");
            None
        }
    }
}

fn clock_of(outcomes: &Outcomes) -> Option<u64> {
    outcomes.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Temporary(reason) => reason.clock,
        _ => None,
    })
}

async fn again(
    site: &Site,
    entry: &QueueEntry,
    clock: u64,
) -> Result<Option<SpooledBody>, AgainError> {
    let Some(author) = entry.mail_from.address() else {
        return Ok(None);
    };
    let Some(account) = site.store.account(author).await? else {
        return Ok(None);
    };
    let data = &site.config.data_directory;
    let Some(key) = held_key::open(data, &site.store, &account).await? else {
        return Ok(None);
    };
    let _room = room::take(site, entry.size).await;
    let octets = room::whole(&*site.store.entry_body(entry.id).await?).await?;
    let Some((front, old, content)) = taken_apart(&octets).map_err(AgainError::Kept)? else {
        return Ok(None);
    };
    let order = seal::Order {
        author: author.clone(),
        recipients: old.recipients,
        at: clock,
    };
    let (new, content) = seal::seal(site, key, order, content.to_vec()).await?;
    let front = [front, new.field().as_bytes()].concat();
    Ok(Some(spooled(site, &front, &content).await?))
}

/// What stands above the seal, the seal, and what is below it.
type Apart<'a> = (&'a [u8], Seal, &'a [u8]);

/// Takes kept octets apart at their top seal.
fn taken_apart(octets: &[u8]) -> Result<Option<Apart<'_>>, Rejection> {
    let scanned = Scan::whole(true, header_of(octets))?;
    let Some(top) = scanned.header.seals.first() else {
        return Ok(None);
    };
    let Ok(seal) = Seal::parse(&top.value) else {
        return Ok(None);
    };
    let end = usize::try_from(top.end).unwrap_or(usize::MAX);
    let length = seal.field().len();
    let parts = octets.split_at_checked(end).and_then(|(above, content)| {
        Some((above.get(..above.len().checked_sub(length)?)?, content))
    });
    Ok(parts.map(|(front, content)| (front, seal, content)))
}

#[cfg(test)]
mod tests {
    use email2::address::{Address, Identity, ReversePath};
    use email2::certificate::generate::generate_held;
    use email2::seal::digest::ContentDigest;
    use email2::seal::{Nonce, Role, SealRequest, sign};
    use email2_remote::deliver::Reason;
    use rand_core::OsRng;

    use super::*;

    const NOW: u64 = 1_764_000_000;
    const FRONT: &str = "Received: from mx.example.org\r\n by mx.example.org;\r\n then\r\n";
    const CONTENT: &str = "From: bob@example.org\r\nSubject: Email2-Seal: v=1\r\n\r\nhi\r\n";

    fn bob() -> Address {
        "bob@example.org".parse().unwrap()
    }

    #[test]
    fn what_is_kept_comes_apart_at_its_seal() {
        let key = generate_held(&bob(), NOW, &mut OsRng).unwrap();
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(bob()),
            reverse_path: ReversePath::Address(bob()),
            recipients: vec!["alice@example.com".parse().unwrap()],
            created: NOW,
            expires: NOW + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut OsRng),
            digest: ContentDigest::of(CONTENT.as_bytes()).unwrap(),
        };
        let seal = sign(&request, &key, &mut OsRng).unwrap();
        let whole = [FRONT, &seal.field(), CONTENT].concat();
        let (front, old, content) = taken_apart(whole.as_bytes()).unwrap().unwrap();
        assert_eq!(front, FRONT.as_bytes());
        assert_eq!((old, content), (seal, CONTENT.as_bytes()));
        assert_eq!(taken_apart(CONTENT.as_bytes()), Err(Rejection::SealMissing));
    }

    #[test]
    fn only_a_server_that_told_its_clock_gets_another_seal() {
        let told = |clock| {
            let reason = Reason {
                clock,
                ..Reason::default()
            };
            vec![(bob(), Outcome::Temporary(reason))]
        };
        assert_eq!(clock_of(&told(Some(NOW))), Some(NOW));
        assert_eq!(clock_of(&told(None)), None);
        assert_eq!(
            clock_of(&vec![(bob(), Outcome::Accepted("ok".into()))]),
            None
        );
    }
}

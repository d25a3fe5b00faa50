//! What every backend must do. A backend's tests call [`conformance!`] with a
//! function that opens a fresh store.

pub(crate) mod sealed;

pub(crate) mod certificate;
pub(crate) mod credential;
pub(crate) mod delivery;
pub(crate) mod mailbox;
pub(crate) mod mediator;
pub(crate) mod memory;
pub(crate) mod queue;
pub(crate) mod tls_count;

use email2::Address;

use crate::account::{Account, NewAccount};
use crate::body::{BodyReader, SpooledBody};
use crate::error::StoreError;
use crate::{Store, mailbox::Mailbox};

/// The time of all tests, Unix seconds.
pub(crate) const NOW: u64 = 1_764_000_000;

/// One test for every named function of the suite.
macro_rules! conformance {
    ($open:ident: $($noun:ident { $($check:ident),+ $(,)? })+) => {
        $(mod $noun {
            $(#[tokio::test]
            async fn $check() {
                let (store, _keep) = super::$open();
                $crate::conformance::$noun::$check(&store).await;
            })+
        })+
    };
}
pub(crate) use conformance;

/// An address.
pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// An account with its mailboxes.
pub(crate) async fn account(store: &Store, text: &str, quota: Option<u64>) -> Account {
    let new = NewAccount {
        address: address(text),
        quota,
        strict: false,
        unlisted: false,
    };
    store.add_account(&new, NOW).await.unwrap()
}

/// A body of these octets.
pub(crate) async fn body(store: &Store, octets: &[u8]) -> SpooledBody {
    let mut writer = store.write_body().await.unwrap();
    for chunk in octets.chunks(10_000) {
        writer.push(chunk).await.unwrap();
    }
    assert_eq!(writer.size(), octets.len() as u64);
    writer.finish().await.unwrap()
}

/// All octets of a body, read in ranges.
pub(crate) async fn whole(reader: &dyn BodyReader) -> Vec<u8> {
    read(reader).await.unwrap()
}

/// The same, where reading may fail.
pub(crate) async fn read(reader: &dyn BodyReader) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    while (octets.len() as u64) < reader.size() {
        let more = reader.read(octets.len() as u64, 7_000).await?;
        assert!(!more.is_empty());
        octets.extend(more);
    }
    assert_eq!(reader.read(reader.size(), 1).await?, b"");
    Ok(octets)
}

/// INBOX of an account.
pub(crate) async fn inbox(store: &Store, account: &Account) -> Mailbox {
    store.mailbox(account.id, "inbox").await.unwrap().unwrap()
}

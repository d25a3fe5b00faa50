//! A person's settings (spec §10.2).

use email2::address::Address;
use email2_store::{AccountId, Scope, Store, StoreError};

/// The setting that holds the addresses of registered mediators, one a line.
pub(crate) const FORWARDERS: &str = "forwarders";

/// The mediators' addresses that this account registered (spec §4.6.4).
///
/// # Errors
/// As the store says.
pub(crate) async fn forwarders(
    store: &Store,
    account: AccountId,
) -> Result<Vec<Address>, StoreError> {
    let value = store
        .setting(Scope::Account(account), FORWARDERS)
        .await?
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&value);
    Ok(text
        .lines()
        .filter_map(|line| Address::parse(line.trim()).ok())
        .collect())
}

//! Whose verified mail an account has had: what tells a stranger from a correspondent
//! (spec §10.6).
//!
//! Rows are written by [`Messages::deliver`](crate::Messages::deliver) alone, in the
//! delivering transaction.

use async_trait::async_trait;
use email2::{Address, Domain};

use crate::account::AccountId;
use crate::error::StoreError;

/// How well an author is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acquaintance {
    /// The account has had verified mail of this author.
    pub author: bool,
    /// The account has had verified mail of the domain, long enough ago.
    pub domain: bool,
    /// Some account has had verified mail of the domain, long enough ago.
    pub domain_here: bool,
}

/// The authors whose verified mail was delivered.
#[async_trait]
pub trait Authors: Send + Sync {
    /// What `account` has had from `author`, and from `domain` with its subdomains until
    /// `before`, Unix seconds. Local parts are compared in their loose form
    /// ([`Address::loose`]).
    async fn acquaintance(
        &self,
        account: AccountId,
        author: &Address,
        domain: &Domain,
        before: u64,
    ) -> Result<Acquaintance, StoreError>;
}

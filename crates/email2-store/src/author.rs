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

/// How well a domain is known by ordinary mail that it vouched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// The account has had such mail, long enough ago.
    pub by_account: bool,
    /// Some account has, long enough ago.
    pub by_anybody: bool,
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

    /// Whether `account`, and whether anybody, had ordinary mail that `domain` vouched for until
    /// `before`, Unix seconds (spec §10.6.3).
    async fn met_domain(
        &self,
        account: AccountId,
        domain: &Domain,
        before: u64,
    ) -> Result<Met, StoreError>;

    /// `account` has such mail now. Nothing is written where that was noted within a day.
    async fn meet_domain(
        &self,
        account: AccountId,
        domain: &Domain,
        now: u64,
    ) -> Result<(), StoreError>;

    /// Forgets domains of which nobody had any since `before`; how many rows went.
    async fn forget_met_domains(&self, before: u64) -> Result<u64, StoreError>;
}

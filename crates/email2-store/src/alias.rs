//! Addresses whose mail is another's (spec §14.1).

use async_trait::async_trait;
use email2::Address;

use crate::error::StoreError;

/// Another address of an account, or one whose mail goes elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Its address, in normal form.
    pub address: Address,
    /// Whose it is.
    pub target: AliasTarget,
    /// When it was made, Unix seconds.
    pub created: u64,
}

/// Whose the mail for an alias is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasTarget {
    /// That of an account of this server.
    Account {
        /// The account's address.
        address: Address,
        /// KEY answers writers with the account's certificate (spec §3.5).
        linked: bool,
    },
    /// It is passed on to these addresses; at least one.
    Elsewhere(Vec<Address>),
}

/// The aliases of this server.
#[async_trait]
pub trait Aliases: Send + Sync {
    /// Keeps an alias.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it is there, or is an account's or a list's address;
    /// [`StoreError::NotFound`] for the account that it shall name.
    async fn add_alias(&self, alias: &Alias) -> Result<(), StoreError>;

    /// The alias of this address; local parts are compared octet for octet.
    async fn alias(&self, address: &Address) -> Result<Option<Alias>, StoreError>;

    /// All aliases, by address.
    async fn aliases(&self) -> Result<Vec<Alias>, StoreError>;

    /// Removes an alias; whether there was one.
    async fn remove_alias(&self, address: &Address) -> Result<bool, StoreError>;
}

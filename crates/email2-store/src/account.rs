//! Who has mail here.

use async_trait::async_trait;
use email2::Address;
use email2::block::BlockPattern;

use crate::error::StoreError;

/// The row of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// One person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub id: AccountId,
    /// Its address, in normal form.
    pub address: Address,
    /// Octets it may hold; `None` for no bound.
    pub quota: Option<u64>,
    /// Octets it holds: the sizes of its messages.
    pub used: u64,
    /// This address always seals (KEY's flag `strict`, spec §3.5).
    pub strict: bool,
    /// Only verifiers are answered (KEY's flag `unlisted`, spec §3.4.2).
    pub unlisted: bool,
    /// When it was made, Unix seconds.
    pub created: u64,
}

/// An account with what its owner and the server decided about mail for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The account.
    pub account: Account,
    /// The server's blocks, then its own, each in the order they were added.
    pub blocks: Vec<BlockPattern>,
    /// The values of the settings that were asked for, in the same order.
    pub settings: Vec<Option<Vec<u8>>>,
}

/// What an account begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Its address.
    pub address: Address,
    /// Octets it may hold; `None` for no bound.
    pub quota: Option<u64>,
    /// This address always seals.
    pub strict: bool,
    /// Only verifiers are answered.
    pub unlisted: bool,
}

/// The accounts of this server.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes an account with its mailboxes (INBOX, Drafts, Sent, Junk, Trash,
    /// Archive).
    ///
    /// # Errors
    /// [`StoreError::Exists`].
    async fn add_account(&self, account: &NewAccount, now: u64) -> Result<Account, StoreError>;

    /// The account of this address; local parts are compared octet for octet.
    async fn account(&self, address: &Address) -> Result<Option<Account>, StoreError>;

    /// The account of this address, all blocks that hold for it and these of its settings, from
    /// one view: what must be known of everyone to whom mail comes.
    async fn recipient(
        &self,
        address: &Address,
        settings: &[&'static str],
    ) -> Result<Option<Recipient>, StoreError>;

    /// Those of `addresses` that have an account, in the same order.
    async fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, StoreError>;

    /// All accounts, by address.
    async fn list_accounts(&self) -> Result<Vec<Account>, StoreError>;

    /// Sets the quota, octets.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_quota(&self, id: AccountId, quota: Option<u64>) -> Result<(), StoreError>;

    /// Says whether the address always seals (spec §11.2).
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_strict(&self, id: AccountId, strict: bool) -> Result<(), StoreError>;

    /// Removes an account with its mail and credentials. Its certificates stay,
    /// `hard` (spec §3.5.3), so that its seals are refused from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn remove_account(&self, id: AccountId, now: u64) -> Result<(), StoreError>;
}

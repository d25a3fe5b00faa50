//! From whom nothing is wanted (spec §10.1).

use async_trait::async_trait;
use email2::block::BlockPattern;

use crate::account::AccountId;
use crate::error::StoreError;

/// For whom a block or a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// For the whole server (in a client's store: for its one account).
    Server,
    /// For one account.
    Account(AccountId),
}

/// Blocks.
#[async_trait]
pub trait Blocks: Send + Sync {
    /// The blocks of a scope, in the order they were added.
    async fn blocks(&self, scope: Scope) -> Result<Vec<BlockPattern>, StoreError>;

    /// Adds blocks; those that stand already stay. How many are new.
    async fn add_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
        now: u64,
    ) -> Result<u64, StoreError>;

    /// Removes blocks; how many there were.
    async fn remove_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
    ) -> Result<u64, StoreError>;

    /// Puts these in place of all of the scope.
    async fn replace_blocks(
        &self,
        scope: Scope,
        patterns: &[BlockPattern],
        now: u64,
    ) -> Result<(), StoreError>;
}

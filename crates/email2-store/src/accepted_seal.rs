//! The memory that makes a delivery happen exactly once (spec §4.11).
//!
//! Rows are written by [`Messages::deliver`](crate::Messages::deliver) alone,
//! in the delivering transaction.

use async_trait::async_trait;
use email2::Fingerprint;
use email2::seal::Nonce;
use email2::verdict::Way;

use crate::account::AccountId;
use crate::error::StoreError;

/// What is remembered of one seal for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// SHA-256 of the content below the seal.
    pub digest: [u8; 32],
    /// The way it came.
    pub way: Way,
    /// Until when it is remembered, Unix seconds.
    pub keep_until: u64,
}

/// The seals that were accepted.
#[async_trait]
pub trait AcceptedSeals: Send + Sync {
    /// What is remembered of (key, nonce, account).
    async fn remembered(
        &self,
        account: AccountId,
        key: &Fingerprint,
        nonce: Nonce,
    ) -> Result<Option<Remembered>, StoreError>;

    /// Forgets what is remembered until before `now`; how many that were.
    async fn forget_seals(&self, now: u64) -> Result<u64, StoreError>;
}

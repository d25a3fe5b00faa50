//! What passed between people here and others, as far as mail without a seal is
//! judged by it (spec §11.4, §11.5).

use async_trait::async_trait;
use email2::Address;

use crate::account::AccountId;
use crate::error::StoreError;

/// Who sealed mail to whom, and which messages may still be reported.
///
/// Who sealed is what [`Authors`](crate::Authors) remember; the sent messages that a
/// report answered are forgotten by [`Messages::deliver`](crate::Messages::deliver).
#[async_trait]
pub trait Correspondence: Send + Sync {
    /// Those of `accounts` that have had verified mail from one of `authors`, whose
    /// addresses are compared in their loose form (spec §11.4.1).
    async fn had_sealed(
        &self,
        accounts: &[AccountId],
        authors: &[Address],
    ) -> Result<Vec<AccountId>, StoreError>;

    /// Remembers messages that an account sent, each for one recipient
    /// ([`sent_key`](email2::evidence::sent_key)), until `keep_until` (Unix seconds).
    async fn remember_sent(
        &self,
        account: AccountId,
        sent: Vec<[u8; 32]>,
        keep_until: u64,
    ) -> Result<(), StoreError>;

    /// Those of `sent` that are still remembered of an account at `now`.
    async fn sent(
        &self,
        account: AccountId,
        sent: &[[u8; 32]],
        now: u64,
    ) -> Result<Vec<[u8; 32]>, StoreError>;

    /// Forgets sent messages that are remembered until before `now`; how many.
    async fn forget_sent(&self, now: u64) -> Result<u64, StoreError>;
}

//! What changed since somebody last looked.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::account::AccountId;
use crate::error::StoreError;
use crate::mailbox::MailboxId;
use crate::message::Message;

/// What changed in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The mailbox's highest modification sequence now: ask from there next time.
    pub highest_modseq: u64,
    /// Messages that are new or whose flags changed, by UID.
    pub changed: Vec<Message>,
    /// UIDs that are gone, ascending.
    pub vanished: Vec<u32>,
}

/// Changes, for IDLE and for sessions that look again.
#[async_trait]
pub trait Changes: Send + Sync {
    /// A number that moves whenever a commit of this process changed something
    /// in the account's mailboxes.
    fn watch(&self, account: AccountId) -> watch::Receiver<u64>;

    /// What changed after `modseq`, in one consistent view.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn changes_since(&self, mailbox: MailboxId, modseq: u64) -> Result<Changed, StoreError>;
}

//! Mailboxes, each with one counter row for UID and MODSEQ.

use async_trait::async_trait;

use crate::account::AccountId;
use crate::error::StoreError;

/// The name of the mailbox that every account has (RFC 9051 §5.1).
pub const INBOX: &str = "INBOX";

/// The row of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub i64);

/// What a mailbox is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    const ALL: [Self; 5] = [
        Self::Archive,
        Self::Drafts,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The word in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Drafts => "drafts",
            Self::Junk => "junk",
            Self::Sent => "sent",
            Self::Trash => "trash",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|special_use| special_use.as_str() == word)
    }
}

/// A mailbox with its counters, all from one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its row.
    pub id: MailboxId,
    /// Whose.
    pub account: AccountId,
    /// Its name in UTF-8; `/` separates levels.
    pub name: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether its owner subscribed to it.
    pub subscribed: bool,
    /// UIDVALIDITY (RFC 9051 §2.3.1.1).
    pub uid_validity: u32,
    /// The UID that the next message gets.
    pub uid_next: u32,
    /// The highest modification sequence (RFC 7162).
    pub highest_modseq: u64,
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Octets of all messages.
    pub size: u64,
}

/// The mailboxes of an account.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// All of them, by name, INBOX first.
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, StoreError>;

    /// The one of this name; `INBOX` in any case.
    async fn mailbox(&self, account: AccountId, name: &str) -> Result<Option<Mailbox>, StoreError>;

    /// Makes one, with the levels above it.
    ///
    /// # Errors
    /// [`StoreError::Exists`]; [`StoreError::Refused`] for a name with an empty
    /// level, control characters or more than 255 octets.
    async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        now: u64,
    ) -> Result<Mailbox, StoreError>;

    /// Deletes one with its messages; those below it stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] for INBOX.
    async fn delete_mailbox(&self, account: AccountId, name: &str) -> Result<(), StoreError>;

    /// Renames one and those below it. Renaming INBOX moves its messages
    /// (RFC 9051 §6.3.6).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exists`], [`StoreError::Refused`].
    async fn rename_mailbox(
        &self,
        account: AccountId,
        from: &str,
        to: &str,
        now: u64,
    ) -> Result<(), StoreError>;

    /// Subscribes or unsubscribes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn subscribe(
        &self,
        account: AccountId,
        name: &str,
        subscribed: bool,
    ) -> Result<(), StoreError>;
}

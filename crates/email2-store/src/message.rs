//! Messages, and the three doors through which they come in.

use std::collections::BTreeSet;

use async_trait::async_trait;
use email2::verdict::Accepted;

use crate::account::AccountId;
use crate::body::{BodyReader, SpooledBody};
use crate::error::StoreError;
use crate::mailbox::MailboxId;
use crate::provenance::{Appended, Generated, Origin};

/// The row of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

/// Flags and keywords that a person sets (RFC 9051 §2.3.2). The verdict is
/// none of them: see [`Message::origin`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `\Seen`
    pub seen: bool,
    /// `\Answered`
    pub answered: bool,
    /// `\Flagged`
    pub flagged: bool,
    /// `\Deleted`
    pub deleted: bool,
    /// `\Draft`
    pub draft: bool,
    /// Keywords: atoms, at most 64 of at most 64 octets.
    pub keywords: BTreeSet<String>,
}

/// A message without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its row; stays through flag changes, not through COPY.
    pub id: MessageId,
    /// Where it lies.
    pub mailbox: MailboxId,
    /// UID, ascending in the order of delivery.
    pub uid: u32,
    /// When it last changed (RFC 7162).
    pub modseq: u64,
    /// Octets, with the trace fields in front.
    pub size: u64,
    /// INTERNALDATE, Unix seconds.
    pub received: u64,
    /// What its owner set.
    pub flags: Flags,
    /// Through which door it came in.
    pub origin: Origin,
}

/// One judged message for one account: the first door.
#[derive(Debug)]
pub struct Delivery {
    /// Whose.
    pub account: AccountId,
    /// The mailbox's name ([`INBOX`](crate::mailbox::INBOX)); made if absent.
    pub mailbox: String,
    /// The proof that it was judged, with the seals to remember.
    pub accepted: Accepted,
    /// Trace fields that stand in front of the body for this recipient
    /// (Return-Path, Received, …), each ending in CRLF.
    pub trace: Vec<u8>,
    /// The content.
    pub body: SpooledBody,
    /// When it was received, Unix seconds.
    pub received: u64,
}

/// One message that a person puts into a mailbox: the second door.
#[derive(Debug)]
pub struct Append {
    /// The proof of who did it.
    pub door: Appended,
    /// Where to.
    pub mailbox: MailboxId,
    /// Flags that it gets.
    pub flags: Flags,
    /// The content.
    pub body: SpooledBody,
    /// INTERNALDATE, Unix seconds.
    pub received: u64,
}

/// One message that this server wrote for an account: the third door.
#[derive(Debug)]
pub struct Generate {
    /// The proof of who wrote it.
    pub door: Generated,
    /// Whose.
    pub account: AccountId,
    /// The mailbox's name; made if absent.
    pub mailbox: String,
    /// The content.
    pub body: SpooledBody,
    /// When, Unix seconds.
    pub received: u64,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on stable storage.
    Stored {
        /// Where.
        mailbox: MailboxId,
        /// That mailbox's UIDVALIDITY.
        uid_validity: u32,
        /// Its UID.
        uid: u32,
        /// It took the place of a copy that had come a worse way (spec §4.11.4).
        replaced: bool,
        /// It was delivered, and the account had had no verified mail of its author (spec §10.6).
        first: bool,
    },
    /// It was delivered before; nothing is stored (spec §4.11.2).
    Duplicate,
    /// The same seal with other content (spec §4.11.3).
    DifferentContent,
    /// The account has no room for it.
    OverQuota,
    /// The account or the mailbox is gone.
    Gone,
}

/// What happens to flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagAction {
    /// They are set.
    Add,
    /// They are taken away.
    Remove,
    /// They take the place of all.
    Replace,
}

/// One STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChange {
    /// UIDs it is meant for.
    pub uids: Vec<u32>,
    /// What happens.
    pub action: FlagAction,
    /// To which flags.
    pub flags: Flags,
    /// Messages that changed after this stay as they are (RFC 7162 §3.1.3).
    pub unchanged_since: Option<u64>,
}

/// A UID here and the UID of its copy there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// In the mailbox it was copied from.
    pub from: u32,
    /// In the mailbox it was copied to.
    pub to: u32,
}

/// Messages.
#[async_trait]
pub trait Messages: Send + Sync {
    /// The first door. All in one transaction, with the memory of their seals;
    /// one outcome each, in order. After `Ok`, what was stored stays stored.
    ///
    /// # Errors
    /// None of them is stored then: [`StoreError::Full`], [`StoreError::Stopped`], …
    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, StoreError>;

    /// The second door. All or none.
    ///
    /// # Errors
    /// As [`Messages::deliver`].
    async fn append(&self, messages: Vec<Append>) -> Result<Vec<Outcome>, StoreError>;

    /// The third door; a quota shuts it for nobody.
    ///
    /// # Errors
    /// As [`Messages::deliver`].
    async fn generate(&self, messages: Vec<Generate>) -> Result<Vec<Outcome>, StoreError>;

    /// The messages of a mailbox, by UID, from one view.
    async fn messages(&self, mailbox: MailboxId) -> Result<Vec<Message>, StoreError>;

    /// Those of `uids` that are there, by UID, from one view.
    async fn messages_with(
        &self,
        mailbox: MailboxId,
        uids: &[u32],
    ) -> Result<Vec<Message>, StoreError>;

    /// The octets of a message: trace fields, then content.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn message_body(&self, message: MessageId) -> Result<Box<dyn BodyReader>, StoreError>;

    /// Changes flags; the messages that were changed, as they are now. Those
    /// that `unchanged_since` kept from changing are missing.
    async fn change_flags(
        &self,
        mailbox: MailboxId,
        change: FlagChange,
    ) -> Result<Vec<Message>, StoreError>;

    /// Copies, with flags, date and origin; all or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the mailboxes; [`StoreError::Refused`] over quota.
    async fn copy_messages(
        &self,
        from: MailboxId,
        uids: &[u32],
        to: MailboxId,
    ) -> Result<Vec<Copied>, StoreError>;

    /// Moves, with flags, date and origin (RFC 6851); all or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn move_messages(
        &self,
        from: MailboxId,
        uids: &[u32],
        to: MailboxId,
    ) -> Result<Vec<Copied>, StoreError>;

    /// Removes the messages with `\Deleted`, of `uids` if given; which those were.
    async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<&[u32]>,
    ) -> Result<Vec<u32>, StoreError>;
}

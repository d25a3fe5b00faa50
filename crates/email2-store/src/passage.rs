//! Mail that is passed on: once each, whatever is repeated (spec §14.2.2).

use async_trait::async_trait;
use email2::seal::Nonce;
use email2::verdict::Accepted;
use email2::{Address, Fingerprint};

use crate::account::AccountId;
use crate::error::StoreError;
use crate::message::{Delivery, Outcome};
use crate::queue::{NewEntry, QueueId};

/// A judged message that a mediator passes on.
#[derive(Debug)]
pub struct Passage {
    /// The address that it came to, whose rule, alias or list passes it on.
    pub by: Address,
    /// The proof that it was judged, with the seals to remember.
    pub accepted: Accepted,
    /// Where it goes.
    pub entries: Vec<NewEntry>,
    /// It goes when a moderator says so.
    pub held: bool,
}

/// What became of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassageOutcome {
    /// Its entries are in the queue.
    Kept,
    /// It was passed on before; nothing is kept (spec §4.11.2).
    Duplicate,
    /// The same seal with other content (spec §4.11.3).
    DifferentContent,
}

/// A seal that a mediator passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// `h` of the seal.
    pub digest: [u8; 32],
    /// Its author was told that it could not be delivered.
    pub reported: bool,
}

/// A message that waits for somebody's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What groups its entries.
    pub group: String,
    /// One of them.
    pub entry: QueueId,
    /// How many there are.
    pub entries: u64,
    /// When it came, Unix seconds.
    pub created: u64,
    /// When it is given up, Unix seconds.
    pub expires: u64,
}

/// What is passed on.
#[async_trait]
pub trait Passages: Send + Sync {
    /// Keeps copies for mailboxes and entries for the queue, in one transaction with the memory
    /// of the seals of both. One outcome each, in order; nothing is passed on, and there is no
    /// outcome of it, when a copy cannot be stored.
    ///
    /// # Errors
    /// Nothing is kept then: [`StoreError::Full`], [`StoreError::Stopped`], …
    async fn pass_on(
        &self,
        deliveries: Vec<Delivery>,
        passages: Vec<Passage>,
    ) -> Result<(Vec<Outcome>, Vec<PassageOutcome>), StoreError>;

    /// What is remembered of a seal that came to `by`.
    async fn passed(
        &self,
        by: &Address,
        key: &Fingerprint,
        nonce: Nonce,
    ) -> Result<Option<Passed>, StoreError>;

    /// Keeps the report about a message that was passed on; `false`, and nothing is kept, when it
    /// was not passed on or its author was told before.
    ///
    /// # Errors
    /// As [`Passages::pass_on`].
    async fn report_passage(
        &self,
        by: &Address,
        key: &Fingerprint,
        nonce: Nonce,
        report: NewEntry,
    ) -> Result<bool, StoreError>;

    /// Keeps the report about ordinary mail that was passed on in the entries of `group`; `false`,
    /// and nothing is kept, when its sender was told before, which is remembered until `until`.
    ///
    /// # Errors
    /// As [`Passages::pass_on`].
    async fn report_once(
        &self,
        group: &str,
        until: u64,
        report: NewEntry,
    ) -> Result<bool, StoreError>;

    /// Keeps an automatic answer of `account` to `sender`, unless one was kept after `since`;
    /// whether it was (RFC 3834 §2).
    ///
    /// # Errors
    /// As [`Passages::pass_on`].
    async fn answer_once(
        &self,
        account: AccountId,
        sender: &Address,
        since: u64,
        answer: NewEntry,
    ) -> Result<bool, StoreError>;

    /// The messages of which entries under the reverse-path `by` are held, the oldest first.
    async fn waiting(&self, by: &Address) -> Result<Vec<Waiting>, StoreError>;

    /// The entries of `group` under the reverse-path `by` that are held.
    async fn held(&self, by: &Address, group: &str) -> Result<Vec<QueueId>, StoreError>;

    /// The held entries of lists whose time was over at `now` before anybody decided.
    async fn undecided(&self, now: u64) -> Result<Vec<QueueId>, StoreError>;

    /// Forgets what nobody needs any more: seals and reports past their memory at `now`,
    /// answers before `answers`; how many.
    async fn forget_passages(&self, now: u64, answers: u64) -> Result<u64, StoreError>;
}

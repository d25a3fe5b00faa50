//! Mail on its way out: a client's outbox, a server's queue.
//!
//! An entry is one transaction to one domain. Who works on it claims it: the
//! claim has a lease and an epoch, and settling with a lost epoch does nothing,
//! so that two workers never both decide what became of an entry.

use async_trait::async_trait;
use email2::seal::Role;
use email2::{Address, Domain, Etag, Identity, ReversePath};

use crate::body::{BodyReader, SpooledBody};
use crate::error::StoreError;
use crate::message::Generate;

/// The row of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub i64);

/// One recipient of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecipient {
    /// Who.
    pub address: Address,
    /// The certificate encrypted to (spec §3.3).
    pub etag: Option<Etag>,
    /// What became of it.
    pub state: RecipientState,
    /// The last reply or reason, for people.
    pub reply: Option<String>,
}

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecipientState {
    /// Not yet delivered.
    Waiting,
    /// The recipient's server has it.
    Delivered,
    /// Refused for good.
    Refused,
    /// Waits for the author's decision (a key changed).
    Held,
}

impl RecipientState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Refused, Self::Held];

    /// The word for it: `waiting`, `delivered`, `refused`, `held`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// An entry to be kept.
#[derive(Debug)]
pub struct NewEntry {
    /// What groups the entries of one message; shown to people.
    pub group: String,
    /// Where to.
    pub domain: Domain,
    /// The reverse-path.
    pub mail_from: ReversePath,
    /// Role and signer of the top seal; `None` for ordinary mail.
    pub announced: Option<(Role, Identity)>,
    /// To whom.
    pub recipients: Vec<QueueRecipient>,
    /// The exact octets to send.
    pub body: SpooledBody,
    /// What the caller wants to find again (its own encoding).
    pub details: String,
    /// When it was made, Unix seconds.
    pub created: u64,
    /// When it is given up, Unix seconds.
    pub expires: u64,
    /// When it is tried, Unix seconds.
    pub next_attempt: u64,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its row.
    pub id: QueueId,
    /// What groups the entries of one message.
    pub group: String,
    /// Where to.
    pub domain: Domain,
    /// The reverse-path.
    pub mail_from: ReversePath,
    /// Role and signer of the top seal.
    pub announced: Option<(Role, Identity)>,
    /// To whom, with what became of each.
    pub recipients: Vec<QueueRecipient>,
    /// Octets of the content.
    pub size: u64,
    /// The caller's own.
    pub details: String,
    /// When it was made, Unix seconds.
    pub created: u64,
    /// When it is given up, Unix seconds.
    pub expires: u64,
    /// When it is tried next, Unix seconds.
    pub next_attempt: u64,
    /// How often it was claimed.
    pub attempts: u32,
    /// Until when somebody works on it, Unix seconds.
    pub leased_until: Option<u64>,
}

/// An entry to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The entry.
    pub entry: QueueEntry,
    /// What settles it: a later claim has a higher one.
    pub epoch: u64,
}

/// What became of a claimed entry.
#[derive(Debug)]
pub struct Settlement {
    /// The entry.
    pub id: QueueId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// The recipients that changed.
    pub recipients: Vec<QueueRecipient>,
    /// When the next attempt is, Unix seconds; `None` leaves what was.
    pub next_attempt: Option<u64>,
    /// New octets in place of the old, after sealing again (spec §4.9.3, §3.3.2).
    pub body: Option<SpooledBody>,
    /// New details in place of the old.
    pub details: Option<String>,
    /// The entry is done and goes.
    pub finished: bool,
    /// Reports for local accounts, in the same transaction.
    pub reports: Vec<Generate>,
}

/// The queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Keeps entries, all or none; after `Ok` they are on stable storage.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Stopped`], …
    async fn enqueue(&self, entries: Vec<NewEntry>) -> Result<Vec<QueueId>, StoreError>;

    /// Claims at most `limit` entries that are due and that nobody works on,
    /// the longest due first, for `lease` seconds.
    async fn claim(&self, now: u64, lease: u64, limit: u32) -> Result<Vec<Claimed>, StoreError>;

    /// Claims these entries, due or not, unless somebody works on them.
    async fn claim_these(
        &self,
        ids: &[QueueId],
        now: u64,
        lease: u64,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// Settles claimed entries; `false` where the claim was lost. The lease ends.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError>;

    /// The octets of an entry.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn entry_body(&self, id: QueueId) -> Result<Box<dyn BodyReader>, StoreError>;

    /// All entries, oldest first.
    async fn entries(&self) -> Result<Vec<QueueEntry>, StoreError>;

    /// Makes entries due now, held recipients waiting again; how many.
    async fn retry_now(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError>;

    /// Drops entries that nobody works on; how many.
    async fn drop_entries(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError>;
}

//! Mail on its way out: a client's outbox, a server's queue.
//!
//! An entry is one transaction to one domain. Who works on it claims it: the
//! claim has a lease and an epoch, and settling with a lost epoch does nothing,
//! so that two workers never both decide what became of an entry.
//!
//! A domain that waits is scheduled as a whole: at most
//! [`DOMAIN_DELIVERIES`](email2::limits::DOMAIN_DELIVERIES) of its entries are
//! claimed at a time; only one while it took nothing lately, and after an attempt
//! that failed for the domain only when its pause is over. So a domain that is down
//! delays no other, however much waits for it.

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
    /// Waits for the author's decision (a key changed), or goes on in another entry.
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
    /// The exact octets to send, behind `front`.
    pub body: SpooledBody,
    /// What stands in front of them for this entry alone, such as its seal: so many entries
    /// share one body. Short, for it stands in the row.
    pub front: Vec<u8>,
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
    /// An administrator holds it back.
    pub held: bool,
    /// Its author was told that it is late.
    pub delayed: bool,
}

/// An entry to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The entry.
    pub entry: QueueEntry,
    /// What settles it: a later claim has a higher one.
    pub epoch: u64,
    /// How its domain fared.
    pub domain: DomainState,
    /// Why its domain was left alone last, while that lasts.
    pub why: Option<String>,
    /// It is due for its author only: it is late, or its time is over. No delivery was due.
    pub alarm: bool,
}

/// How a domain fared that mail waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainState {
    /// Attempts in a row that failed for the domain as a whole.
    pub failures: u32,
    /// When it last took a message, Unix seconds.
    pub accepted: Option<u64>,
}

/// What an attempt says about its domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DomainNews {
    /// Nothing.
    #[default]
    Nothing,
    /// It took a message: whatever waits for it may go.
    Accepted,
    /// It took none, and would take no other.
    Failed {
        /// The failures in a row that the claim knew of.
        before: u32,
        /// Until when it is left alone, Unix seconds.
        until: u64,
        /// Why, for people.
        why: String,
    },
}

/// A domain that mail waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingDomain {
    /// The domain.
    pub domain: Domain,
    /// Entries that wait for it.
    pub entries: u64,
    /// When the next of them can be claimed, Unix seconds; `None`: all are held.
    pub due: Option<u64>,
    /// How it fared.
    pub state: DomainState,
    /// The last failure, while it lasts.
    pub why: Option<String>,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Of this domain only.
    pub domain: Option<Domain>,
    /// Of this group only.
    pub group: Option<String>,
    /// Only those that are held back, or not.
    pub held: Option<bool>,
}

/// An attempt that failed, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which, counted from 1.
    pub number: u32,
    /// When it ended, Unix seconds.
    pub at: u64,
    /// Host, stage and words, one reason a line.
    pub said: String,
}

/// The message of an entry as it leaves, made once (it was protected and sealed here).
#[derive(Debug)]
pub struct Prepared {
    /// The octets.
    pub body: SpooledBody,
    /// Role and signer of the top seal.
    pub announced: Option<(Role, Identity)>,
    /// New details in place of the old.
    pub details: String,
    /// When it is given up, Unix seconds.
    pub expires: u64,
}

/// Attempts of one entry that are kept.
pub const ATTEMPTS_KEPT: u32 = 16;

/// What became of a claimed entry.
#[derive(Debug)]
pub struct Settlement {
    /// The entry.
    pub id: QueueId,
    /// The epoch of the claim.
    pub epoch: u64,
    /// When, Unix seconds.
    pub now: u64,
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
    /// Its author is told now that it is late.
    pub delayed: bool,
    /// Why the attempt failed, one reason a line.
    pub said: Option<String>,
    /// What it says about the domain.
    pub domain: DomainNews,
    /// Reports for local accounts, in the same transaction.
    pub reports: Vec<Generate>,
    /// Entries that come of it, in the same transaction: reports for others, and the copies that
    /// were made of it.
    pub onward: Vec<NewEntry>,
    /// Those entries are copies that were made of this one's octets, which stay as their source.
    pub hands_down: bool,
}

impl Settlement {
    /// One that changes nothing and ends the lease.
    #[must_use]
    pub fn of(id: QueueId, epoch: u64, now: u64) -> Self {
        Settlement {
            id,
            epoch,
            now,
            recipients: Vec::new(),
            next_attempt: None,
            body: None,
            details: None,
            finished: false,
            delayed: false,
            said: None,
            domain: DomainNews::Nothing,
            reports: Vec::new(),
            onward: Vec::new(),
            hands_down: false,
        }
    }
}

/// The queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Keeps entries, all or none; after `Ok` they are on stable storage.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Stopped`], …
    async fn enqueue(&self, entries: Vec<NewEntry>) -> Result<Vec<QueueId>, StoreError>;

    /// Claims at most `limit` entries that are due and that nobody works on, for
    /// `lease` seconds: of each domain as many as it bears now, the domain and
    /// the entry that are due longest first. Before these, in at most half of the
    /// places, those whose author must be told something, by [`Claimed::alarm`].
    async fn claim(&self, now: u64, lease: u64, limit: u32) -> Result<Vec<Claimed>, StoreError>;

    /// Claims the entry of `domain` that is due longest, for `lease` seconds, if one is and the
    /// domain bears one more now: for who has just spoken with it.
    async fn claim_next(
        &self,
        domain: &Domain,
        now: u64,
        lease: u64,
    ) -> Result<Option<Claimed>, StoreError>;

    /// Claims these entries, due or not, unless somebody works on them.
    async fn claim_these(
        &self,
        ids: &[QueueId],
        now: u64,
        lease: u64,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// When the next entry can be claimed, Unix seconds; a read that writes nothing.
    async fn next_due(&self) -> Result<Option<u64>, StoreError>;

    /// Ends the leases of whoever worked in this place before, for the one who begins; how many.
    /// The server's place is one, so they are those of a server that is gone. A worker beside it
    /// has a place of its own, whose leases end by their time alone.
    async fn end_leases(&self, now: u64) -> Result<u64, StoreError>;

    /// The claim holds until `until`; `false` when it was lost.
    async fn renew(&self, id: QueueId, epoch: u64, until: u64) -> Result<bool, StoreError>;

    /// Keeps the message as it leaves, in place of what was taken, while the claim holds;
    /// `false` when it was lost.
    async fn prepare(
        &self,
        id: QueueId,
        epoch: u64,
        prepared: Prepared,
    ) -> Result<bool, StoreError>;

    /// Settles claimed entries; `false` where the claim was lost, or is settled already.
    /// The lease ends.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError>;

    /// The octets of an entry.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn entry_body(&self, id: QueueId) -> Result<Box<dyn BodyReader>, StoreError>;

    /// What the octets of an entry were made of, while they may have to be made again.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    async fn entry_source(&self, id: QueueId) -> Result<Option<Box<dyn BodyReader>>, StoreError>;

    /// All entries, oldest first: for an outbox, which is short.
    async fn entries(&self) -> Result<Vec<QueueEntry>, StoreError>;

    /// At most `limit` entries behind `after`, by number.
    async fn entries_after(
        &self,
        after: QueueId,
        filter: &EntryFilter,
        limit: u32,
    ) -> Result<Vec<QueueEntry>, StoreError>;

    /// One entry.
    async fn entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError>;

    /// Why attempts of an entry failed: the newest [`ATTEMPTS_KEPT`], oldest first.
    async fn attempts(&self, id: QueueId) -> Result<Vec<Attempt>, StoreError>;

    /// At most `limit` domains that mail waits for, by name, behind `after`.
    async fn waiting_domains(
        &self,
        after: Option<&Domain>,
        limit: u32,
    ) -> Result<Vec<WaitingDomain>, StoreError>;

    /// Forgets domains that nothing waits for and that took nothing since `before`; how many.
    async fn forget_domains(&self, before: u64) -> Result<u64, StoreError>;

    /// Holds back, or lets go again, entries; how many changed. Who works on one ends that.
    async fn hold(&self, ids: &[QueueId], held: bool, now: u64) -> Result<u64, StoreError>;

    /// Held recipients of entries wait again, as their author decided; how many. Not for a
    /// server, whose held recipients go on in other entries.
    async fn wait_again(&self, ids: &[QueueId]) -> Result<u64, StoreError>;

    /// Makes entries due now that are not held back, whatever pause their domain has; held
    /// recipients stay held; how many.
    async fn retry_now(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError>;

    /// Drops entries that nobody works on; how many.
    async fn drop_entries(&self, ids: &[QueueId], now: u64) -> Result<u64, StoreError>;
}

//! What is kept: mailboxes, keys, queue, memory.
//!
//! One small trait a noun; each takes batches, and what must happen together
//! (a delivery and the memory of its seals; a queue entry and its report) is
//! one operation. [`Store`] is a handle on a backend that has them all: clone
//! it freely, call the traits' methods on it.
//!
//! Mail comes in through three doors and no other:
//! [`Messages::deliver`] takes what was judged ([`email2::verdict::Accepted`]),
//! [`Messages::append`] what a person put there ([`Appended`]),
//! [`Messages::generate`] what this server wrote itself ([`Generated`]). Which
//! door it was stands in a column of its own ([`Origin`]), and what is shown as
//! verified comes from there alone.
//!
//! Time is always a parameter, in Unix seconds.

pub mod account;
pub mod credential;

pub mod body;
pub mod provenance;

pub mod accepted_seal;
pub mod author;
pub mod change;
pub mod commit;
pub mod correspondence;
pub mod mailbox;
pub mod message;

pub mod certificate;
pub mod peer;
pub mod queue;
pub mod tls_count;

pub mod alias;
pub mod list;
pub mod passage;

pub mod block;
pub mod setting;

#[cfg(test)]
mod conformance;
pub mod error;
#[cfg(feature = "imap")]
pub mod imap;
pub mod sqlite;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

pub use accepted_seal::AcceptedSeals;
pub use account::{Account, AccountId, Accounts, NewAccount, Recipient};
pub use alias::{Alias, AliasTarget, Aliases};
pub use author::{Acquaintance, Authors, Met};
pub use block::{Blocks, Scope};
pub use body::{Bodies, BodyReader, BodyWriter, SpooledBody};
pub use certificate::{
    CertificateVersion, Certificates, Enrolment, EnrolmentOutcome, Published, Replaces, Version,
};
pub use change::{Changed, Changes};
pub use commit::{Commits, Counted};
pub use correspondence::Correspondence;
pub use credential::{Credentials, Login, Purpose, Secret, Verifier};
pub use error::StoreError;
pub use list::{List, Lists, Member, Standing};
pub use mailbox::{Mailbox, MailboxId, Mailboxes, SpecialUse};
pub use message::{Delivery, FlagChange, Flags, Message, Messages, Outcome};
pub use passage::{Passage, PassageOutcome, Passages, Passed, Waiting};
pub use peer::Peers;
pub use provenance::{Appended, Generated, Origin};
pub use queue::{
    Claimed, DomainNews, EntryFilter, NewEntry, Prepared, Queue, QueueEntry, QueueId,
    QueueRecipient, Settlement, WaitingDomain,
};
pub use setting::Settings;
pub use tls_count::{TlsCount, TlsCounts};

/// All nouns together: what a backend must be.
pub trait Backend:
    Accounts
    + Credentials
    + Bodies
    + Mailboxes
    + Messages
    + AcceptedSeals
    + Authors
    + Correspondence
    + Changes
    + Counted
    + Queue
    + TlsCounts
    + Aliases
    + Lists
    + Passages
    + Certificates
    + Peers
    + Blocks
    + Settings
{
}

impl<B> Backend for B where
    B: Accounts
        + Credentials
        + Bodies
        + Mailboxes
        + Messages
        + AcceptedSeals
        + Authors
        + Correspondence
        + Changes
        + Counted
        + Queue
        + TlsCounts
        + Aliases
        + Lists
        + Passages
        + Certificates
        + Peers
        + Blocks
        + Settings
{
}

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<dyn Backend>);

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// As the server: nobody else may serve from it, an unclean end is noticed
    /// and checked, left-over files are swept.
    Serve,
    /// As a visitor (a command, a client) beside others, with short transactions.
    Visit,
}

/// Who does a store's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// Threads of its own: one writer that commits in groups, a few readers.
    Own,
    /// Whoever asks, before the call first waits: then nothing happens but what is called, in
    /// the order of the calls. For simulations; a busy server would hold its I/O threads up.
    None,
}

impl Store {
    /// Opens the store in `directory`, and makes it there when there is none
    /// (directory 0700, database 0600). `now` is Unix seconds.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Damaged`], [`StoreError::Newer`],
    /// [`StoreError::Io`], each naming the file.
    pub fn open(directory: &Path, opening: Opening, now: u64) -> Result<Self, StoreError> {
        Self::open_with(directory, opening, Threads::Own, now)
    }

    /// The same, with or without threads of its own.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        directory: &Path,
        opening: Opening,
        threads: Threads,
        now: u64,
    ) -> Result<Self, StoreError> {
        Ok(Self::over(sqlite::SqliteStore::open_with(
            directory, opening, threads, now,
        )?))
    }

    /// A handle on any backend.
    pub fn over(backend: impl Backend + 'static) -> Self {
        Self(Arc::new(backend))
    }
}

impl Deref for Store {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

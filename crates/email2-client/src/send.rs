//! ORCHESTRATOR, outgoing: from what a person wrote to what became of it.
//!
//! `compose → route → keys → protect → seal → keep → deliver → settle`

pub mod again;

pub mod compose;
pub mod deliver;
pub mod import;
pub mod keys;
pub mod outbox;
pub mod protect;
pub mod queue;
pub mod route;
pub mod seal;
pub mod settle;
pub mod template;

pub mod report;

use std::time::Duration;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_store::StoreError;

use crate::Client;
use compose::{ComposeError, Source};
use protect::ProtectError;
pub use report::{Doubt, Mail, Manner, Report, State, Step, Watch};

/// Who sends: the account's address and its key, open.
#[derive(Debug)]
pub struct Author<'a> {
    /// The key.
    pub key: &'a SecretKey,
    /// The address.
    pub address: &'a Address,
}

/// When to encrypt (spec §5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// When every recipient has a key; a mixed set is an error.
    #[default]
    Default,
    /// Always: a recipient without a key is an error.
    Demand,
    /// Never: signed only.
    Refuse,
    /// To those who have a key; the others get it signed only.
    Split,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// When to encrypt.
    pub encryption: Encryption,
    /// How long what is refused for now is tried again, before it is left in the outbox.
    pub wait: Duration,
    /// Which way it leaves.
    pub way: Way,
    /// Only as Email 2.0: who has ordinary mail gets nothing.
    pub email2_only: bool,
    /// Since when it is tried, Unix seconds; nothing: since now.
    pub since: Option<u64>,
}

/// Which way a sealed message leaves this machine; its octets are the same. Ordinary mail leaves
/// by one's own server whatever is said here (spec §12.6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// To the servers of its recipients; by one's own where those cannot be reached from here
    /// (spec §12.6.4).
    #[default]
    Either,
    /// To the servers of its recipients.
    Direct,
    /// To one's own server, which carries it on (spec §3.10.3): for networks that block port 25.
    Server,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The message cannot be made. Sysexits 65.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// It cannot be protected as asked. Sysexits 65, or 77 when somebody has no key.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// It cannot be sealed. Sysexits 65.
    #[error(transparent)]
    Seal(#[from] seal::SealingError),
    /// The outbox cannot keep it. Sysexits 74.
    #[error("the outbox cannot keep the message: {0}")]
    Store(#[from] StoreError),
}

/// Sends a message, one report a recipient. What is refused for now stays in the outbox.
///
/// # Errors
/// See [`SendError`]: nothing was sent to anybody then.
pub async fn send(
    client: &Client,
    author: &Author<'_>,
    source: Source,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Vec<Report>, SendError> {
    let (now, mut rng) = (client.world.now(), client.world.rng());
    let composed = compose::compose(source, author.address, now, &mut rng)?;
    let routed = route::route(&composed);
    let found = keys::fetch(client, routed, options, watch).await?;
    let protected = protect::protect(&composed, found.keyed, options, author, now, &mut rng)?;
    let sealed = seal::seal(author, protected, now, &mut rng)?;
    let copy = outbox::copy_of(&composed, &sealed, author, now, &mut rng)?;
    let leaving = outbox::Leaving {
        sealed,
        copy,
        later: found.later,
        encryption: options.encryption,
        email2_only: options.email2_only,
    };
    let kept = outbox::keep(client, author, leaving).await?;
    let trying = deliver::Trying {
        wait: options.wait,
        way: options.way,
        decided: None,
    };
    let settled = deliver::until(client, Some(author), &kept, trying, watch).await?;
    Ok(report::of(found.refused, settled))
}

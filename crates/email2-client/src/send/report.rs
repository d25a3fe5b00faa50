//! What is told about sending: steps while it goes on, one report a recipient
//! when it is done.

use email2::address::{Address, Domain};
use serde::Serialize;

use super::protect::Protection;

/// What is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A correspondent has another key than before, and the old one signed that it follows.
    Replaced {
        /// Whose.
        address: Address,
        /// The new primary key.
        key: email2::Fingerprint,
    },
    /// A recipient's key is asked for.
    Key(Address),
    /// A message goes to a domain's server.
    Deliver {
        /// Where to.
        domain: Domain,
        /// Octets.
        size: u64,
    },
    /// Nothing can be done for now; the next attempt is in so many seconds.
    Wait(u64),
}

/// Hears of the steps.
pub trait Watch: Send + Sync {
    /// This is being done now.
    fn step(&self, step: Step);
}

/// Hears of nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn step(&self, _: Step) {}
}

/// Where a recipient's message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The recipient's server has it on its disk.
    Delivered,
    /// In the outbox, to be tried again.
    Waiting,
    /// In the outbox, until its author decides.
    Held,
    /// Not sent, for good.
    Refused,
    /// Not sent: the recipient's domain does not speak Email 2.0.
    Unavailable,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who.
    #[serde(serialize_with = "as_text")]
    pub recipient: Address,
    /// Where the message is.
    pub state: State,
    /// How it was protected; none when it was not sent or not prepared.
    pub protection: Option<Protection>,
    /// The server's words or ours; untrusted.
    pub words: String,
    /// The outbox entry, while there is one.
    pub outbox: Option<i64>,
}

fn as_text<S: serde::Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(address)
}

/// All reports of a message: of those who got nothing, and of the entries that were kept.
#[must_use]
pub fn of(mut refused: Vec<Report>, settled: Vec<Report>) -> Vec<Report> {
    refused.extend(settled);
    refused.sort_by(|one, other| one.recipient.cmp(&other.recipient));
    refused
}

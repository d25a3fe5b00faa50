//! What is told about sending: steps while it goes on, one report a recipient
//! when it is done.

use std::fmt;

use email2::address::{Address, Domain};
use serde::{Deserialize, Serialize};

use super::protect::Protection;
use crate::learnt::Teller;

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
    /// A recipient's server cannot be reached from here: one's own gave the key, and will carry
    /// the message on.
    ByServer {
        /// Whose.
        address: Address,
        /// Why.
        why: String,
    },
    /// The directories of a recipient's domain cannot be asked for a key.
    NoDirectory {
        /// Whose.
        address: Address,
        /// Why.
        why: String,
    },
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
    /// Not sent: the recipient's domain takes no mail, or not the kind that was demanded.
    Unavailable,
}

/// What mail a recipient's domain takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mail {
    /// Email 2.0: the recipient's server checks the seal.
    #[default]
    Sealed,
    /// Ordinary mail, which one's own server sends: whoever knows OpenPGP can check the author's
    /// signature, and nobody else anything.
    Ordinary,
}

/// Why it is not certain what a recipient's domain takes: the author was asked (spec §5.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubt {
    /// Its server speaks Email 2.0, and nothing authenticates it for the domain (spec §2.2).
    Unauthenticated,
    /// Its records could not be looked up for an hour, and its mail hosts are there
    /// (spec §12.1.4).
    Unanswered,
}

/// How a message leaves for a recipient; its author is told (spec §12.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// How its content is protected.
    pub protection: Protection,
    /// What mail it is.
    #[serde(default)]
    pub mail: Mail,
    /// One's own server carries it on.
    #[serde(default)]
    pub by_server: bool,
    /// Who told the key that it is encrypted to: of several, the one that says least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Teller>,
    /// Nobody carries it on as ordinary mail: its author demands that (spec §12.5.2).
    #[serde(default)]
    pub email2_only: bool,
    /// What was not certain about its domain, and its author decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

impl fmt::Display for Manner {
    /// What a recipient got, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mail {
            Mail::Sealed => "sealed, ",
            Mail::Ordinary => "ordinary mail, ",
        })?;
        f.write_str(match self.protection {
            Protection::Signed => "signed, not encrypted",
            Protection::Encrypted => "signed and encrypted (not post-quantum)",
            Protection::EncryptedPostQuantum => "signed and encrypted (post-quantum)",
        })?;
        f.write_str(match self.key {
            Some(Teller::Autocrypt) => ", to a key that nothing vouches for (Autocrypt)",
            Some(Teller::OwnServer) => ", to the key that your own server told",
            Some(Teller::Directory) => ", to the key in the directory of their domain",
            Some(Teller::Domain) | None => "",
        })?;
        f.write_str(match self.doubt {
            Some(Doubt::Unauthenticated) => {
                ", to a server that nothing proves to be their domain's"
            }
            Some(Doubt::Unanswered) => ", to a domain of which DNS tells nothing",
            None => "",
        })?;
        match (self.mail, self.email2_only) {
            (Mail::Sealed, true) => f.write_str(", as Email 2.0 all the way or not at all"),
            _ => Ok(()),
        }
    }
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who.
    #[serde(serialize_with = "as_text")]
    pub recipient: Address,
    /// Where the message is.
    pub state: State,
    /// How it left or will leave; nothing when it was not sent or not prepared.
    #[serde(flatten)]
    pub manner: Option<Manner>,
    /// The server's words or ours; untrusted.
    pub words: String,
    /// The outbox entry, while there is one.
    pub outbox: Option<i64>,
    /// It is held until its author decides how it may leave (spec §5.5.2).
    pub undecided: bool,
}

impl Report {
    /// A report without words yet.
    #[must_use]
    pub fn of(recipient: Address, state: State) -> Report {
        Report {
            recipient,
            state,
            manner: None,
            words: String::new(),
            outbox: None,
            undecided: false,
        }
    }

    /// How the message was protected; none when it was not sent or not prepared.
    #[must_use]
    pub fn protection(&self) -> Option<Protection> {
        self.manner.map(|manner| manner.protection)
    }
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

//! What a server found out about a message before it judges (spec §4.12,
//! §7.2): everything that [`judge`](crate::verdict::judge) needs, and nothing
//! that it would have to ask for.

mod ordinary;

use crate::address::{Address, Identity, ReversePath};
use crate::assurance::Assurance;
use crate::certificate::Certificate;
use crate::key_query::KeyFlags;
use crate::scan::Scanned;
use crate::seal::{Role, Seal};

pub use ordinary::{
    Answered, AuthorEvidence, CheckResult, Demand, Dmarc, OrdinaryEvidence, SenderPolicy, sent_key,
};

/// The MAIL parameter `EMAIL2=<role>,<signer>` (spec §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// `f` of the top seal.
    pub role: Role,
    /// `s` of the top seal.
    pub signer: Identity,
}

/// Everything known about one message.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The server's clock, Unix seconds.
    pub now: u64,
    /// The reverse-path of the transaction.
    pub mail_from: ReversePath,
    /// The accepted recipients of the transaction, as they were named in RCPT.
    pub recipients: Vec<Address>,
    /// The MAIL parameter, if there was one.
    pub announced: Option<Announced>,
    /// Header, seals and digests from the one pass over the content.
    pub scanned: Scanned,
    /// One a seal, top first: what is known of its signer's key.
    pub signers: Vec<SignerEvidence>,
    /// For a report, the seals that it contains (spec §4.13.3); else none.
    pub reported: Vec<Reported>,
    /// What is known besides when no seal counts; `None` where nobody looked, and
    /// then such a message is refused (spec §11.1).
    pub ordinary: Option<OrdinaryEvidence>,
}

/// A seal that a report contains.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The seal of the message that the report is about.
    pub seal: Seal,
    /// What is known of its signer's key.
    pub signer: SignerEvidence,
}

/// What is known of the key of one seal's signer: one variant a row of the
/// table in spec §7.2.
#[derive(Clone, Debug)]
pub enum SignerEvidence {
    /// The certificate that holds the key, asked or cached within spec §3.8.1.
    Known(SignerKey),
    /// An authenticated host of the domain says that there is no such key.
    NoSuchKey,
    /// The domain does not exist and is not known to speak Email 2.0.
    NoDomain,
    /// Hosts were reached (or none is left to ask) and none speaks Email 2.0.
    NotSpeaking {
        /// Whether the domain is known to speak it, within `ma` or by its
        /// record: then this is an alarm (spec §2.4.1).
        known: bool,
    },
    /// No host could be reached, or KEY failed for now, and the cache is empty.
    Unreachable {
        /// Whether the domain is known to speak Email 2.0.
        known: bool,
        /// What failed, for the log.
        why: String,
    },
    /// DNS timeout, SERVFAIL or bogus (spec §7.2).
    DnsFailure {
        /// What failed, for the log.
        why: String,
    },
    /// A host answered, but nothing authenticates it for the domain
    /// (spec §2.2.2).
    Unauthenticated {
        /// Whether every way of authentication is definitely absent; else one
        /// could not be asked, or the domain had assurance before.
        definite: bool,
        /// Which ways are absent and why, for the log.
        why: String,
    },
    /// Nobody was asked: the seal is below a registered forwarder's
    /// (spec §4.6.5), or was found bad before.
    NotAsked,
}

/// A signer's certificate and how it was learnt.
#[derive(Clone, Debug)]
pub struct SignerKey {
    /// The version that holds the key of the seal.
    pub certificate: Certificate,
    /// How the answer was authenticated for the domain; `None` is not at all,
    /// and yields no verified message (spec §2.2.2).
    pub assurance: Option<Assurance>,
    /// The flags of the answer.
    pub flags: KeyFlags,
    /// When it was learnt or confirmed, Unix seconds.
    pub fetched: u64,
}

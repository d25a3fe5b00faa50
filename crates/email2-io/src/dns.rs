//! DNS, validated: records with the word whether DNSSEC secures them, absences with the same
//! word, and failures that are never mistaken for absence (spec §2.3.3).

mod failures;
mod resolver;

use std::fmt::Debug;
use std::net::IpAddr;

use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;

pub use resolver::ResolverDns;

/// What a lookup found: at least one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The records, in the order of the answer.
    pub records: Vec<T>,
    /// Whether DNSSEC secures every record on the way, aliases included.
    pub secure: bool,
    /// How long the answer may be kept, in seconds.
    pub ttl: u32,
    /// Where the name that was asked is an alias: what it stands for.
    pub alias: Option<Alias>,
}

/// An alias that was followed (CNAME).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name at its end, lower case, without the last dot: the owner of the records.
    pub target: String,
    /// Whether DNSSEC secures the alias itself, whatever stands behind it.
    pub secure: bool,
}

/// Why a lookup found nothing. Only the first two mean that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist.
    #[error("no such name in DNS")]
    NxDomain {
        /// Whether DNSSEC proves it.
        secure: bool,
    },
    /// The name has no record of this type.
    #[error("no such record in DNS")]
    NoData {
        /// Whether DNSSEC proves it.
        secure: bool,
    },
    /// Nobody answered in time.
    #[error("no DNS server answers in time")]
    Timeout,
    /// The servers failed (SERVFAIL, REFUSED, no server reached, answers out of bounds).
    #[error("DNS fails: its servers refuse, cannot be reached, or answer what leads nowhere")]
    ServFail,
    /// DNSSEC validation failed: somebody spoils the answer.
    #[error(
        "its DNSSEC signature does not hold: its zone is broken, or somebody forges the answer"
    )]
    Bogus,
}

impl DnsError {
    /// Whether this says that there is nothing (NXDOMAIN, NODATA); everything else is a failure
    /// that must be temporary (451).
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, DnsError::NxDomain { .. } | DnsError::NoData { .. })
    }

    /// Whether DNSSEC proves the absence.
    #[must_use]
    pub fn is_secure_absence(&self) -> bool {
        matches!(
            self,
            DnsError::NxDomain { secure: true } | DnsError::NoData { secure: true }
        )
    }
}

/// An MX record (RFC 5321 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// Host name, lower case, without the last dot; empty for the root (null MX, RFC 7505).
    pub exchange: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// Port at the target.
    pub port: u16,
    /// Host name, lower case, without the last dot; empty for the root ("not offered").
    pub target: String,
}

/// A TLSA record (RFC 6698 §2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// What of the certificate is matched.
    pub selector: u8,
    /// How it is matched.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// One lookup's result.
pub type Lookup<'a, T> = BoxFuture<'a, Result<Answer<T>, DnsError>>;

/// Looks names up. Names are written in A-labels; a last dot is not needed.
pub trait Dns: Debug + Send + Sync {
    /// MX records of a mail domain.
    fn mx<'a>(&'a self, domain: &'a str) -> Lookup<'a, Mx>;
    /// SRV records of `_service._proto.domain`.
    fn srv<'a>(&'a self, name: &'a str) -> Lookup<'a, Srv>;
    /// TXT records, the strings of each joined (RFC 7208 §3.3 in spirit).
    fn txt<'a>(&'a self, name: &'a str) -> Lookup<'a, String>;
    /// TLSA records of `_port._tcp.host`.
    fn tlsa<'a>(&'a self, name: &'a str) -> Lookup<'a, Tlsa>;
    /// OPENPGPKEY records (RFC 7929), their octets.
    fn openpgpkey<'a>(&'a self, name: &'a str) -> Lookup<'a, Vec<u8>>;
    /// IPv6 and IPv4 addresses of a host. One family that fails does not spoil the other.
    fn addresses<'a>(&'a self, host: &'a str) -> Lookup<'a, IpAddr>;
    /// The resolver behind it, with its servers, its validation and its cache, for a library
    /// that asks by itself (SPF, DKIM); `None` where there is none.
    fn resolver(&self) -> Option<TokioResolver> {
        None
    }
}

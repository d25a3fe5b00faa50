//! The configuration: what an administrator writes (docs/configuration.md).

mod check;
mod inner;
mod read;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use email2::address::{Address, Domain};
use email2::policy_record::Strictness;
use email2::verdict::Legacy;
use email2_io::net::IpNetwork;
use email2_io::world::NetworkConfig;
use serde::Deserialize;

pub use inner::{Inner, InnerPlace};
pub use read::ConfigError;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of this host, as its MX records call it.
    #[serde(deserialize_with = "domain")]
    pub hostname: Domain,
    /// Where the store is.
    pub data_directory: PathBuf,
    /// The domains served.
    #[serde(rename = "domain")]
    pub domains: Vec<DomainConfig>,
    /// Doors for what the people of mail systems behind this server send (spec §15.2).
    #[serde(default, rename = "smarthost")]
    pub smarthosts: Vec<SmarthostConfig>,
    /// Where this server listens.
    #[serde(default)]
    pub listen: Listen,
    /// Certificates and their keys.
    #[serde(default)]
    pub tls: Vec<TlsConfig>,
    /// What one message, connection and account may use.
    #[serde(default)]
    pub limits: Limits,
    /// DNS, trust and the outbound fence.
    #[serde(default)]
    pub network: NetworkConfig,
}

/// A domain that this server serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainConfig {
    /// Its name.
    #[serde(deserialize_with = "domain")]
    pub name: Domain,
    /// Is this server's word about the domain taken without asking the network (spec §2.2.5)?
    #[serde(default)]
    pub local: bool,
    /// Does every address of the domain seal (spec §2.5)?
    #[serde(default = "open", deserialize_with = "strictness")]
    pub policy: Strictness,
    /// Does every subdomain without a record of its own seal?
    #[serde(default = "open", deserialize_with = "strictness")]
    pub subdomains: Strictness,
    /// How long others remember that the domain speaks Email 2.0, in seconds (spec §2.3.7).
    #[serde(default = "memory")]
    pub memory: u32,
    /// How unsealed mail is treated (spec §10.4).
    #[serde(default)]
    pub legacy: LegacyConfig,
    /// Whose mail is that for `postmaster` (RFC 5321 §4.5.1), unless there is such an account.
    #[serde(default, deserialize_with = "address")]
    pub postmaster: Option<Address>,
    /// Whose mail is that for addresses that nobody has (spec §14.1.4).
    #[serde(default, deserialize_with = "address")]
    pub catch_all: Option<Address>,
    /// Is its mail to ordinary domains signed by DKIM2 besides, which is a draft (spec §13.5.4)?
    #[serde(default)]
    pub dkim2: bool,
    /// The MTA-STS policy that is served for it over HTTPS (RFC 8461); absent: none is.
    #[serde(default)]
    pub mta_sts: Option<MtaSts>,
    /// The mail system behind this server that has the domain's mailboxes (spec §15.1); absent:
    /// they are here.
    #[serde(default)]
    pub inner: Option<Inner>,
}

/// The mode of an MTA-STS policy (RFC 8461 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MtaSts {
    /// Others deliver to this host over valid TLS, or not at all.
    Enforce,
    /// They deliver, and report what would have failed.
    Testing,
    /// The policy is being withdrawn (RFC 8461 §8.3).
    None,
}

impl MtaSts {
    /// The word for it in the policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MtaSts::Enforce => "enforce",
            MtaSts::Testing => "testing",
            MtaSts::None => "none",
        }
    }
}

/// How unsealed mail is treated (spec §10.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegacyConfig {
    /// It goes to the Inbox, marked unverified.
    Accept,
    /// It goes to Junk, marked unverified.
    Junk,
    /// Refused.
    #[default]
    Reject,
}

impl From<LegacyConfig> for Legacy {
    fn from(written: LegacyConfig) -> Legacy {
        match written {
            LegacyConfig::Accept => Legacy::Accept,
            LegacyConfig::Junk => Legacy::Junk,
            LegacyConfig::Reject => Legacy::Reject,
        }
    }
}

/// A door for what the people of a mail system behind this server send.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmarthostConfig {
    /// Where it listens: SMTP, with STARTTLS for whoever wants it.
    pub listen: Vec<SocketAddr>,
    /// Networks whose word is taken; without `names`, nobody else is listened to.
    #[serde(default)]
    pub networks: Vec<IpNetwork>,
    /// Names that may sign in under TLS, wherever they come from (`email2d smarthost add`).
    #[serde(default)]
    pub names: Vec<String>,
    /// Domains whose people's mail is taken.
    #[serde(deserialize_with = "domains")]
    pub domains: Vec<Domain>,
}

impl SmarthostConfig {
    /// Does a network of it hold this address?
    #[must_use]
    pub fn vouches_for(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }
}

/// Addresses to listen at; an empty list is a listener that is not there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Mail from other servers and clients: STARTTLS (port 25).
    pub mx: Vec<SocketAddr>,
    /// The same with TLS from the first octet and ALPN `email2`, and HTTPS (port 443).
    pub direct: Vec<SocketAddr>,
    /// HTTPS alone; the port of `direct` serves it besides.
    pub https: Vec<SocketAddr>,
    /// Submission with TLS from the first octet (port 465).
    pub submissions: Vec<SocketAddr>,
    /// Submission with STARTTLS (port 587).
    pub submission: Vec<SocketAddr>,
    /// IMAP with TLS from the first octet (port 993).
    pub imaps: Vec<SocketAddr>,
}

/// A certificate chain and its key, PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What one message, connection and account may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest message, in octets.
    pub message_size: u64,
    /// Connections that one source may hold.
    pub connections_per_source: usize,
    /// Messages an hour of verified authors at domains never seen, as many of ordinary mail, and
    /// as many that nothing vouches for (spec §10.6).
    pub first_contacts: usize,
    /// Seconds that a shutdown waits for connections to end.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_size: email2::limits::MESSAGE_OCTETS,
            connections_per_source: email2::limits::CONNECTIONS_PER_SOURCE,
            first_contacts: email2::limits::STRANGERS_SERVER_HOUR,
            drain_seconds: 30,
        }
    }
}

impl Config {
    /// The domain's configuration, if this server serves it.
    #[must_use]
    pub fn domain(&self, name: &Domain) -> Option<&DomainConfig> {
        self.domains.iter().find(|domain| domain.name == *name)
    }

    /// How unsealed mail to a domain is treated, where its people chose nothing else.
    #[must_use]
    pub fn legacy_of(&self, name: &Domain) -> Legacy {
        let domain = self.domain(name);
        domain.map_or(Legacy::Reject, |domain| domain.legacy.into())
    }
}

fn open() -> Strictness {
    Strictness::Open
}

/// 30 days, in seconds.
fn memory() -> u32 {
    30 * 24 * 60 * 60
}

fn domain<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Domain, D::Error> {
    let text = String::deserialize(from)?;
    Domain::parse(&text).map_err(serde::de::Error::custom)
}

fn domains<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Domain>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let domains = texts.iter().map(|text| Domain::parse(text));
    domains
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}

fn address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Address>, D::Error> {
    let text = String::deserialize(from)?;
    Address::parse(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

fn strictness<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Strictness, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_str() {
        "strict" => Ok(Strictness::Strict),
        "open" => Ok(Strictness::Open),
        other => Err(serde::de::Error::custom(format_args!(
            "{other:?}: allowed are \"strict\" and \"open\""
        ))),
    }
}

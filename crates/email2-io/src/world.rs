//! All that a server or client knows of the outside.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::clock::{Clock, SystemClock};
use crate::dns::{Dns, ResolverDns};
use crate::entropy::{Entropy, OsEntropy, Rng};
use crate::net::{IpNetwork, Net, SystemNet};

/// Time, randomness, names and connections. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct World {
    /// What time it is, and how to wait.
    pub clock: Arc<dyn Clock>,
    /// Where random octets come from.
    pub entropy: Arc<dyn Entropy>,
    /// How names are looked up.
    pub dns: Arc<dyn Dns>,
    /// How connections are made and taken.
    pub net: Arc<dyn Net>,
}

impl World {
    /// The real world: the system's clock, random source and network, and DNS as configured.
    ///
    /// # Errors
    /// The DNSSEC anchor cannot be read, or the system's resolver configuration cannot.
    pub fn real(config: &NetworkConfig) -> Result<World, WorldError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Ok(World {
            dns: Arc::new(ResolverDns::new(config, Arc::clone(&clock))?),
            entropy: Arc::new(OsEntropy),
            net: Arc::new(SystemNet),
            clock,
        })
    }

    /// A random generator over this world's entropy.
    #[must_use]
    pub fn rng(&self) -> Rng {
        Rng::new(Arc::clone(&self.entropy))
    }

    /// The time in Unix seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.now()
    }
}

/// `[network]` in the configuration of server and client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Resolvers to ask (UDP, then TCP). Empty: the system's.
    pub dns: Vec<SocketAddr>,
    /// File of DNSKEY or DS records that DNSSEC is anchored in. None: the root's built-in keys.
    pub dnssec_anchor: Option<PathBuf>,
    /// PEM file of certification authorities, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Networks the outbound fence lets through although they are not globally reachable.
    pub allow_addresses: Vec<IpNetwork>,
    /// The port asked at MX hosts.
    pub mx_port: u16,
    /// The port asked for MTA-STS policies and Web Key Directories.
    pub https_port: u16,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            dns: Vec::new(),
            dnssec_anchor: None,
            ca_file: None,
            allow_addresses: Vec::new(),
            mx_port: 25,
            https_port: 443,
        }
    }
}

/// Why a world could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A configured file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A configured file holds something else.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The resolver cannot be set up.
    #[error("DNS resolver: {0}")]
    Resolver(String),
}

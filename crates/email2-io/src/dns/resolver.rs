//! The resolver behind [`Dns`]: hickory with DNSSEC validation.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Dns, Lookup, Mx, Srv, Tlsa};
use crate::clock::Clock;
use crate::world::{NetworkConfig, WorldError};

/// DNS by the configured or the system's resolvers, validated here.
#[derive(Debug)]
pub struct ResolverDns {
    _clock: Arc<dyn Clock>,
}

impl ResolverDns {
    /// A resolver as `config` says.
    ///
    /// # Errors
    /// The trust anchor or the system's configuration cannot be read.
    pub fn new(config: &NetworkConfig, clock: Arc<dyn Clock>) -> Result<Self, WorldError> {
        let _ = config;
        Ok(ResolverDns { _clock: clock })
    }
}

impl Dns for ResolverDns {
    fn mx<'a>(&'a self, _domain: &'a str) -> Lookup<'a, Mx> {
        todo!()
    }
    fn srv<'a>(&'a self, _name: &'a str) -> Lookup<'a, Srv> {
        todo!()
    }
    fn txt<'a>(&'a self, _name: &'a str) -> Lookup<'a, String> {
        todo!()
    }
    fn tlsa<'a>(&'a self, _name: &'a str) -> Lookup<'a, Tlsa> {
        todo!()
    }
    fn addresses<'a>(&'a self, _host: &'a str) -> Lookup<'a, IpAddr> {
        todo!()
    }
}

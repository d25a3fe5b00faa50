//! The TLSA records of a host, where they apply.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use email2_io::Answer;
use email2_io::clock::within;
use email2_io::tls::Pins;

use super::{Named, Records};
use crate::connect::Connector;
use crate::resolve::{Host, ResolveError};

/// How long the records may take to be asked for where they are not needed.
const PINS_LIMIT: Duration = Duration::from_secs(1);

impl Connector {
    /// The TLSA records of `host`, where DNSSEC secures the way to it and them (RFC 7672 §2.2): of
    /// the first of its names that has some.
    ///
    /// # Errors
    /// A lookup fails for a host that DNSSEC secures, be it that of its addresses: it might have
    /// records.
    pub(crate) async fn tlsa(&self, host: &Host) -> Result<Option<Named>, ResolveError> {
        if !host.secure {
            return Ok(None);
        }
        let addresses = match self.world.dns.addresses(&host.name).await {
            Ok(addresses) => addresses,
            Err(error) if error.is_absence() => return Ok(None),
            Err(error) => {
                let name = host.name.clone();
                return Err(ResolveError::Dns { name, error });
            }
        };
        for base in bases(host, &addresses) {
            if let Some(named) = self.tlsa_at(base, host.port).await? {
                return Ok(Some(named));
            }
        }
        Ok(None)
    }

    async fn tlsa_at(&self, base: &str, port: u16) -> Result<Option<Named>, ResolveError> {
        let name = format!("_{port}._tcp.{base}");
        match self.world.dns.tlsa(&name).await {
            Ok(answer) => Ok(answer.secure.then(|| Named {
                base: base.to_owned(),
                records: answer.records,
            })),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(ResolveError::Dns { name, error }),
        }
    }

    /// What else than an authority may vouch for `host` in a dialogue of Email 2.0 (spec §2.1.6).
    pub(crate) async fn pins(&self, host: &Host) -> Option<Arc<dyn Pins>> {
        let asked = within(&*self.world.clock, PINS_LIMIT, self.tlsa(host)).await;
        let named = asked.ok()?.ok()??;
        Some(Arc::new(Records(named.records)))
    }
}

/// The names whose records count, in their order (RFC 7672 §2.2.2, spec §12.2.5): what an alias stands for, then
/// the alias; the alias alone where it is secure and what it stands for is not. Where nothing is
/// secure there is no use in asking.
fn bases<'a>(host: &'a Host, addresses: &'a Answer<IpAddr>) -> Vec<&'a str> {
    match (&addresses.alias, addresses.secure) {
        (Some(alias), true) => vec![&alias.target, &host.name],
        (Some(alias), false) if alias.secure => vec![&host.name],
        (None, true) => vec![&host.name],
        _ => Vec::new(),
    }
}

//! The TLSA records of a host, where they apply.

use std::sync::Arc;
use std::time::Duration;

use email2_io::clock::within;
use email2_io::dns::Tlsa;
use email2_io::tls::Pins;

use super::Records;
use crate::connect::Connector;
use crate::resolve::{Host, ResolveError};

/// How long the records may take to be asked for where they are not needed.
const PINS_LIMIT: Duration = Duration::from_secs(1);

impl Connector {
    /// The TLSA records of `host`, where DNSSEC secures the way to it and them (RFC 7672 §2.2).
    ///
    /// # Errors
    /// The lookup fails for a host that DNSSEC secures: it might have records.
    pub(crate) async fn tlsa(&self, host: &Host) -> Result<Option<Vec<Tlsa>>, ResolveError> {
        let dns = &self.world.dns;
        if !host.secure {
            return Ok(None);
        }
        // RFC 7672 §2.2.2: where the addresses are insecure there is no use in asking on.
        match dns.addresses(&host.name).await {
            Ok(addresses) if addresses.secure => {}
            _ => return Ok(None),
        }
        let name = format!("_{}._tcp.{}", host.port, host.name);
        match dns.tlsa(&name).await {
            Ok(answer) => Ok(answer.secure.then_some(answer.records)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(ResolveError::Dns { name, error }),
        }
    }

    /// What else than an authority may vouch for `host` in a dialogue of Email 2.0 (spec §2.1.6).
    pub(crate) async fn pins(&self, host: &Host) -> Option<Arc<dyn Pins>> {
        let asked = within(&*self.world.clock, PINS_LIMIT, self.tlsa(host)).await;
        let records = asked.ok()?.ok()??;
        Some(Arc::new(Records(records)))
    }
}

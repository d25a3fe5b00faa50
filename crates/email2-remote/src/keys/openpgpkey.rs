//! Certificates in DNS (RFC 7929): believed only where DNSSEC secures them.

use email2::Address;
use email2::certificate::Certificate;
use sha2::{Digest, Sha256};

use super::wkd;
use crate::remote::Remote;

/// Octets of the digest that make the label (RFC 7929 §3).
const LABEL_OCTETS: usize = 28;

impl Remote {
    /// The certificates that DNS has for `address`; none where DNSSEC does not secure them
    /// (spec §12.3.3).
    ///
    /// # Errors
    /// The lookup fails, or what it finds cannot be read.
    pub(super) async fn in_dns(&self, address: &Address) -> Result<Vec<Certificate>, String> {
        let name = name(address);
        let answer = match self.world().dns.openpgpkey(&name).await {
            Ok(answer) if answer.secure => answer,
            Ok(_) => return Ok(Vec::new()),
            Err(error) if error.is_absence() => return Ok(Vec::new()),
            Err(error) => return Err(format!("looking up {name}: {error}")),
        };
        let mut found = Vec::new();
        for record in answer.records {
            match wkd::bound(record, address).await {
                Ok(bound) => found.extend(bound),
                Err(why) => tracing::debug!(name, why, "an OPENPGPKEY record is none"),
            }
        }
        Ok(found)
    }
}

fn name(address: &Address) -> String {
    let digest = Sha256::digest(address.local().as_bytes());
    let label: String = digest
        .iter()
        .take(LABEL_OCTETS)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("{label}._openpgpkey.{}", address.domain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_rfc() {
        let hugh = Address::parse("hugh@example.com").unwrap();
        let label = "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6";
        assert_eq!(name(&hugh), format!("{label}._openpgpkey.example.com"));
    }
}

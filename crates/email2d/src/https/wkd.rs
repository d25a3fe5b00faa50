//! The Web Key Directory of a domain served here: the same certificates as by KEY, for whoever
//! reads mail with another program (draft-koch-openpgp-webkey-service §3.1, spec §6.10).

use std::net::IpAddr;

use email2::address::{Address, Identity};
use email2::rejection::Rejection;
use email2::wkd::{self, HASHED_USERS, POLICY_FILE};

use super::{Reply, TEXT};
use crate::config::DomainConfig;
use crate::key_service;
use crate::site::Site;

/// The type of a certificate in binary form.
const BINARY: &str = "application/octet-stream";

/// The local part that a query names (`l=`), percent-encoding taken away.
pub(super) fn local_part(query: &str) -> Option<String> {
    let mut named = query.split('&').filter_map(|pair| pair.strip_prefix("l="));
    wkd::unescaped(named.next()?)
}

/// Answers for what stands at `rest` of the domain's directory.
pub(super) async fn answer(
    site: &Site,
    source: IpAddr,
    domain: &DomainConfig,
    rest: &str,
    local: Option<String>,
) -> Reply {
    if rest == POLICY_FILE {
        return Reply::File(TEXT, Vec::new());
    }
    let Some(hash) = rest.strip_prefix(HASHED_USERS) else {
        return Reply::Nothing;
    };
    match found(site, source, domain, hash, local).await {
        Ok(Some(octets)) => Reply::File(BINARY, octets),
        Ok(None) => {
            site.harvest.missed(source, &domain.name);
            Reply::Nothing
        }
        Err(Rejection::KeyThrottled) => Reply::TooOften,
        Err(_) => Reply::Unavailable,
    }
}

/// The certificate of the address that hash and local part both name. An unlisted address, one
/// without a key and one that is not there are all the same to who asks; a network that guesses
/// is stopped as with KEY (spec §3.4.2, §3.4.6).
async fn found(
    site: &Site,
    source: IpAddr,
    domain: &DomainConfig,
    hash: &str,
    local: Option<String>,
) -> Result<Option<Vec<u8>>, Rejection> {
    site.harvest.ask(source, &domain.name)?;
    // Which of several spellings the hash stands for, only the local part tells.
    let Some(local) = local.filter(|local| wkd::hash(local).as_deref() == Some(hash)) else {
        return Ok(None);
    };
    let Ok(address) = Address::from_parts(local, domain.name.clone()) else {
        return Ok(None);
    };
    let served = key_service::listed(site, &Identity::Address(address)).await;
    let served = served.map_err(key_service::unavailable)?;
    Ok(served.map(|(certificate, _)| certificate.without_post_quantum().octets().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_the_local_part() {
        assert_eq!(local_part("l=bob").as_deref(), Some("bob"));
        assert_eq!(local_part("x=1&l=a%2Bb").as_deref(), Some("a+b"));
        for none in ["", "l", "ll=bob", "l=%"] {
            assert_eq!(local_part(none), None, "{none}");
        }
    }
}

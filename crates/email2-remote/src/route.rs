//! From a host to the addresses that may be connected to.

use std::net::SocketAddr;

use email2_io::{DnsError, World};

use crate::fence::{Fence, FenceError};
use crate::resolve::Host;

/// Addresses of one host that are tried at most.
const ADDRESSES: usize = 8;

/// Why a host has no address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// DNS gives none.
    #[error("looking up the addresses of {host}: {error}")]
    Dns {
        /// The host.
        host: String,
        /// How the lookup ended.
        error: DnsError,
    },
    /// The fence lets none through.
    #[error("{host}: {error}")]
    Fenced {
        /// The host.
        host: String,
        /// Why.
        error: FenceError,
    },
}

/// The addresses of `host` that `fence` lets through, IPv6 and IPv4 by turns (RFC 8305 §4).
///
/// # Errors
/// See [`RouteError`].
pub async fn addresses(
    world: &World,
    fence: &Fence,
    host: &Host,
) -> Result<Vec<SocketAddr>, RouteError> {
    let answer = world.dns.addresses(&host.name).await;
    let answer = answer.map_err(|error| RouteError::Dns {
        host: host.name.clone(),
        error,
    })?;
    let mut refused = None;
    let mut passed = Vec::new();
    for ip in answer.records {
        let address = SocketAddr::new(ip, host.port);
        match fence.passes(address) {
            Ok(()) => passed.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if passed.is_empty() => Err(RouteError::Fenced {
            host: host.name.clone(),
            error,
        }),
        _ => Ok(by_turns(passed)),
    }
}

fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut mixed = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        match (six.next(), four.next()) {
            (None, None) => break,
            (a, b) => mixed.extend(a.into_iter().chain(b)),
        }
    }
    mixed.truncate(ADDRESSES);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let of = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let mixed = by_turns(of(&["192.0.2.1:25", "192.0.2.2:25", "[2001:db8::1]:25"]));
        assert_eq!(
            mixed,
            of(&["[2001:db8::1]:25", "192.0.2.1:25", "192.0.2.2:25"])
        );
    }
}

//! What a stranger can make us connect to, and how often (spec §2.7, §8.1).

mod budget;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use email2_io::net::{Connection, IpNetwork, unwrapped};

pub use budget::{Budget, Charge};

/// Why the fence lets something not through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    /// Not a globally reachable unicast address.
    #[error("{0} is not a public address")]
    NotGlobal(IpAddr),
    /// One of our own addresses.
    #[error("{0} is this server itself")]
    Own(SocketAddr),
    /// Too many lookups are under way, for the domain, the source or in all.
    #[error("too many lookups are under way")]
    Busy,
}

/// The fence around outbound connections.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    allowed: Vec<IpNetwork>,
    own: Arc<RwLock<Vec<SocketAddr>>>,
}

impl Fence {
    /// Lets through what is globally reachable or lies in `allowed`.
    #[must_use]
    pub fn new(allowed: Vec<IpNetwork>) -> Self {
        Fence {
            allowed,
            own: Arc::default(),
        }
    }

    /// From here on `own` is not let through, allowed or not.
    pub fn keep_away_from(&self, own: Vec<SocketAddr>) {
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = own;
    }

    /// Whether `connection` may be used: a listener of ours that listens everywhere is met at an
    /// address that is ours at both ends.
    ///
    /// # Errors
    /// [`FenceError::Own`].
    pub fn passes_connected(&self, connection: &Connection) -> Result<(), FenceError> {
        let peer = connection.peer;
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let everywhere = own
            .iter()
            .any(|own| own.ip().is_unspecified() && own.port() == peer.port());
        if everywhere && unwrapped(connection.local.ip()) == unwrapped(peer.ip()) {
            return Err(FenceError::Own(peer));
        }
        Ok(())
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.contains(&address)
    }

    /// Lets everything through: for a person's own server, which nobody else chose.
    #[must_use]
    pub fn open() -> Self {
        let all = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let allowed = all.map(|base| IpNetwork::of(base, 0)).to_vec();
        Fence::new(allowed)
    }

    /// Whether `address` may be connected to (spec §2.7.2).
    ///
    /// # Errors
    /// [`FenceError::NotGlobal`], [`FenceError::Own`].
    pub fn passes(&self, address: SocketAddr) -> Result<(), FenceError> {
        let ip = unwrapped(address.ip());
        if self.is_own(SocketAddr::new(ip, address.port())) {
            return Err(FenceError::Own(address));
        }
        let is_allowed = self.allowed.iter().any(|network| network.contains(ip));
        if is_allowed || is_global_unicast(ip) {
            Ok(())
        } else {
            Err(FenceError::NotGlobal(ip))
        }
    }
}

/// Globally reachable unicast by the special-purpose registries (RFC 6890 and successors).
fn is_global_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(four) => is_global_four(four),
        IpAddr::V6(six) => is_global_six(six),
    }
}

fn is_global_four(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || ip.is_broadcast();
    let reserved = matches!(
        (a, b, c),
        (0 | 240..=255, _, _)
            | (100, 64..=127, _)
            | (192, 0, 0)
            | (192, 88, 99)
            | (198, 18..=19, _)
    );
    !special && !reserved
}

/// Within 2000::/3, the only space given out, less what is special there: 2001::/23 (Teredo,
/// ORCHID and others), documentation, 6to4.
fn is_global_six(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let given_out = (0x2000..=0x3fff).contains(&a);
    let special =
        (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    given_out && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(fence: &Fence, address: &str) -> bool {
        fence.passes(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn only_public_unicast_passes() {
        let fence = Fence::default();
        for public in [
            "8.8.8.8:25",
            "[2a00:1450:4001::1]:25",
            "[64:ff9b::808:808]:25",
        ] {
            assert!(passes(&fence, public), "{public}");
        }
        for special in [
            "127.0.0.1:25",
            "10.1.2.3:25",
            "100.64.0.1:25",
            "169.254.169.254:80",
            "192.0.2.1:25",
            "224.0.0.1:25",
            "255.255.255.255:25",
            "0.0.0.0:25",
            "[::1]:25",
            "[::]:25",
            "[fe80::1]:25",
            "[fc00::1]:25",
            "[ff02::1]:25",
            "[2001:db8::1]:25",
            "[2002:7f00:1::]:25",
            "[::ffff:127.0.0.1]:25",
            "[64:ff9b::7f00:1]:25",
        ] {
            assert!(!passes(&fence, special), "{special}");
        }
    }

    #[test]
    fn what_is_allowed_passes_and_what_is_ours_does_not() {
        let own = "127.0.1.1:2525".parse().unwrap();
        let fence = Fence::new(vec!["127.0.0.0/8".parse().unwrap()]);
        fence.keep_away_from(vec![own]);
        assert!(passes(&fence, "127.0.2.1:2525"));
        assert!(!passes(&fence, "127.0.1.1:2525"));
        assert!(!passes(&fence, "[::ffff:127.0.1.1]:2525"));
    }
}

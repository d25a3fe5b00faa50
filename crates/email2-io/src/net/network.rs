//! A range of IP addresses, as configurations write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// A range of addresses: `127.0.0.0/8`, `2001:db8::/32`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct IpNetwork {
    base: IpAddr,
    prefix: u8,
}

/// Not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32")]
pub struct IpNetworkError(String);

impl IpNetwork {
    /// The network of `prefix` bits that `address` lies in; a prefix too long is cut to the
    /// address's length.
    #[must_use]
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(width(address));
        IpNetwork {
            base: masked(address, prefix),
            prefix,
        }
    }

    /// Whether `address` (IPv4-mapped ones unwrapped) lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        width(address) == width(self.base) && masked(address, self.prefix) == self.base
    }
}

/// The IPv4 address inside an IPv4-mapped or NAT64 (64:ff9b::/96, RFC 6052 §2.1) address, else
/// the address itself: what a connection really reaches.
#[must_use]
pub fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => address,
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(four) & mask))
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(six) & mask))
        }
    }
}

impl FromStr for IpNetwork {
    type Err = IpNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IpNetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => width(address),
        };
        if prefix > width(address) {
            return Err(wrong());
        }
        Ok(IpNetwork::of(address, prefix))
    }
}

impl TryFrom<String> for IpNetwork {
    type Error = IpNetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        let network: IpNetwork = "127.0.0.0/8".parse().unwrap();
        assert!(network.contains("127.3.4.5".parse().unwrap()));
        assert!(network.contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(network.contains("64:ff9b::7f00:1".parse().unwrap()));
        assert!(!network.contains("128.0.0.1".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        let all: IpNetwork = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert_eq!("::1".parse::<IpNetwork>().unwrap().to_string(), "::1/128");
        assert!("10.0.0.0/33".parse::<IpNetwork>().is_err());
        assert!("local".parse::<IpNetwork>().is_err());
    }
}

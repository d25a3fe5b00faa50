//! Limits per source: connections held, failed logins (spec §8.1). They protect resources only
//! and forget quickly; nobody is judged by an address.

mod auth;
mod connections;

use std::net::{IpAddr, Ipv6Addr};

use crate::net::unwrapped;

pub use auth::{AuthBudget, AuthLimits};
pub use connections::{ConnectionLimits, Permit};

/// A source of connections: an IPv4 address, an IPv6 /64 or an IPv6 /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourcePrefix {
    base: IpAddr,
    width: u8,
}

impl SourcePrefix {
    /// The narrow prefix of `address`: the IPv4 address, or the IPv6 /64.
    #[must_use]
    pub fn narrow(address: IpAddr) -> Self {
        SourcePrefix::cut(address, 64)
    }

    /// The wide prefix of `address`: the IPv4 address, or the IPv6 /48.
    #[must_use]
    pub fn wide(address: IpAddr) -> Self {
        SourcePrefix::cut(address, 48)
    }

    fn cut(address: IpAddr, width: u8) -> Self {
        match unwrapped(address) {
            IpAddr::V4(four) => SourcePrefix {
                base: IpAddr::V4(four),
                width: 32,
            },
            IpAddr::V6(six) => {
                let mask = u128::MAX << (128 - u32::from(width));
                SourcePrefix {
                    base: IpAddr::V6(Ipv6Addr::from(u128::from(six) & mask)),
                    width,
                }
            }
        }
    }
}

impl std::fmt::Display for SourcePrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.width)
    }
}

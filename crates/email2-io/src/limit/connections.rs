//! Connections per source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use email2::limits;

use super::SourcePrefix;
use crate::net::IpNetwork;

/// An IPv6 /48 holds this many times what a /64 may.
const WIDE_FACTOR: usize = 4;

/// Counts connections per source.
#[derive(Debug)]
pub struct ConnectionLimits {
    per_source: usize,
    exceptions: Vec<(IpNetwork, usize)>,
    held: Arc<Mutex<HashMap<SourcePrefix, usize>>>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits::new(limits::CONNECTIONS_PER_SOURCE, Vec::new())
    }
}

impl ConnectionLimits {
    /// `per_source` connections for each source, other numbers for the networks in `exceptions`
    /// (the first that holds the address counts).
    #[must_use]
    pub fn new(per_source: usize, exceptions: Vec<(IpNetwork, usize)>) -> Self {
        ConnectionLimits {
            per_source,
            exceptions,
            held: Arc::default(),
        }
    }

    /// A place for a connection from `address`; `None` when its source holds all it may.
    #[must_use]
    pub fn admit(&self, address: IpAddr) -> Option<Permit> {
        let narrow = SourcePrefix::narrow(address);
        let wide = SourcePrefix::wide(address);
        let limit = self.limit(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |prefix| held.get(&prefix).copied().unwrap_or(0);
        let full = count(narrow) >= limit || count(wide) >= limit.saturating_mul(WIDE_FACTOR);
        if full {
            return None;
        }
        let prefixes = if narrow == wide {
            vec![narrow]
        } else {
            vec![narrow, wide]
        };
        for prefix in &prefixes {
            *held.entry(*prefix).or_default() += 1;
        }
        Some(Permit {
            prefixes,
            held: Arc::clone(&self.held),
        })
    }

    fn limit(&self, address: IpAddr) -> usize {
        self.exceptions
            .iter()
            .find(|(network, _)| network.contains(address))
            .map_or(self.per_source, |(_, limit)| *limit)
    }
}

/// A place within the limits; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    prefixes: Vec<SourcePrefix>,
    held: Arc<Mutex<HashMap<SourcePrefix, usize>>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for prefix in &self.prefixes {
            if let Some(count) = held.get_mut(prefix) {
                *count -= 1;
                if *count == 0 {
                    held.remove(prefix);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_holds_so_many_and_gives_back() {
        let limits = ConnectionLimits::new(2, vec![("127.0.0.0/8".parse().unwrap(), 3)]);
        let stranger: IpAddr = "192.0.2.1".parse().unwrap();
        let first = limits.admit(stranger).unwrap();
        let _second = limits.admit(stranger).unwrap();
        assert!(limits.admit(stranger).is_none());
        assert!(limits.admit("192.0.2.2".parse().unwrap()).is_some());
        drop(first);
        assert!(limits.admit(stranger).is_some());
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let held: Vec<_> = (0..4).map(|_| limits.admit(local)).collect();
        assert!(held[2].is_some() && held[3].is_none());
    }

    #[test]
    fn ipv6_counts_by_64_and_by_48() {
        let limits = ConnectionLimits::new(1, Vec::new());
        let at = |net: u16| format!("2001:db8:1:{net:x}::1").parse::<IpAddr>().unwrap();
        let held: Vec<_> = (0..5).map(|net| limits.admit(at(net))).collect();
        assert!(held[3].is_some());
        assert!(held[4].is_none());
        assert!(limits.admit("2001:db8:1::2".parse().unwrap()).is_none());
    }
}

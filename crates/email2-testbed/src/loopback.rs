//! A network of the world's own on loopback: 127.x.y.0/24, taken by no other world of
//! this machine, so that every host has an address and the usual ports can be fixed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::failure::{Outcome, Step};

/// The port that marks a network as taken.
const MARK: u16 = 12_000;
/// The ports of the world's hosts: high, below the range of ephemeral ones.
pub const MX_PORT: u16 = 12_025;
/// Mail with TLS from the first octet.
pub const DIRECT_PORT: u16 = 12_443;
/// MTA-STS policies and Web Key Directories of hosts that serve nothing else.
pub const HTTPS_PORT: u16 = 12_843;
/// Submission with TLS from the first octet.
pub const SUBMISSIONS_PORT: u16 = 12_465;
/// Submission with STARTTLS.
pub const SUBMISSION_PORT: u16 = 12_587;
/// IMAP with TLS from the first octet.
pub const IMAPS_PORT: u16 = 12_993;

/// A network, taken until this process ends: the servers of a test that failed outlive every
/// value that the test held.
pub struct Loopback {
    second: u8,
    third: u8,
}

impl Loopback {
    /// Takes a free network.
    ///
    /// # Errors
    /// All are taken.
    pub fn take() -> Outcome<Loopback> {
        let begin = std::process::id();
        (0..u32::from(u16::MAX))
            .find_map(|step| Loopback::try_take(begin.wrapping_mul(257).wrapping_add(step)))
            .step("a free network on loopback")
    }

    fn try_take(number: u32) -> Option<Loopback> {
        let [_, _, second, third] = number.to_be_bytes();
        let second = second | 0x10;
        let address = Ipv4Addr::new(127, second, third, 1);
        let mark = TcpListener::bind((address, MARK)).ok()?;
        // The system closes it with the process.
        std::mem::forget(mark);
        Some(Loopback { second, third })
    }

    /// The address of host `number`.
    #[must_use]
    pub fn host(&self, number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.second, self.third, number))
    }

    /// A port of host `number`.
    #[must_use]
    pub fn port(&self, number: u8, port: u16) -> SocketAddr {
        SocketAddr::new(self.host(number), port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_worlds_have_two_networks() {
        let (one, other) = (Loopback::take().unwrap(), Loopback::take().unwrap());
        assert_ne!(one.host(1), other.host(1));
        assert!(one.host(1).is_loopback());
    }

    #[test]
    fn a_network_is_not_given_away_while_servers_may_still_be_in_it() {
        let before = Loopback::take().unwrap().host(1);
        assert_ne!(Loopback::take().unwrap().host(1), before);
    }
}

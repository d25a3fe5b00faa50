//! What all our protocol machines have in common (quinn-proto's way): octets and time go in,
//! events, octets and a deadline come out; a machine never calls out.

use std::time::Duration;

/// A pure protocol machine. Times are the world's monotonic time.
pub trait Machine {
    /// What the machine reports.
    type Event;

    /// Octets that arrived at `now`.
    fn receive(&mut self, octets: &[u8], now: Duration);
    /// The other side sends no more.
    fn receive_end(&mut self, now: Duration);
    /// Octets to send, until there are none.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// What happened, until there is nothing (more) to report before something goes in.
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// When [`Machine::timeout`] wants to be called, if nothing arrives before.
    fn deadline(&self) -> Option<Duration>;
    /// The deadline passed.
    fn timeout(&mut self, now: Duration);
}

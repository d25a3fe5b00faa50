//! What all our protocol machines have in common (quinn-proto's way): octets and time go in,
//! events, octets and a deadline come out; a machine never calls out.

use std::time::Duration;

/// A pure protocol machine. Times are the world's monotonic time.
pub trait Machine {
    /// What the machine reports.
    type Event;

    /// Whether octets are welcome; while not, the socket is not read (backpressure).
    fn wants_octets(&self) -> bool;
    /// Octets that arrived at `now`, at most 16 KiB.
    fn receive(&mut self, octets: &[u8], now: Duration);
    /// The other side sends no more.
    fn end_of_stream(&mut self, now: Duration);
    /// The other side sent more than is read of it: nothing more is heard.
    fn too_much(&mut self, now: Duration) {
        self.end_of_stream(now);
    }
    /// Octets to send, until there are none.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// Whether what is to be sent may wait for the next event, because more will follow it.
    fn holds_back(&self) -> bool {
        false
    }
    /// What happened, until there is nothing (more) to report before something goes in.
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// When [`Machine::timeout`] wants to be called, if nothing arrives before.
    fn deadline(&self) -> Option<Duration>;
    /// The deadline passed.
    fn timeout(&mut self, now: Duration);
}

/// Our machines have these as methods of their own, so that they need no such trait.
macro_rules! machine {
    ($machine:ty, $event:ty $(, { $($own:tt)* })?) => {
        impl Machine for $machine {
            type Event = $event;

            fn wants_octets(&self) -> bool {
                Self::wants_octets(self)
            }
            fn receive(&mut self, octets: &[u8], now: Duration) {
                Self::receive(self, octets, now);
            }
            fn end_of_stream(&mut self, now: Duration) {
                Self::end_of_stream(self, now);
            }
            fn poll_transmit(&mut self) -> Option<Vec<u8>> {
                Self::poll_transmit(self)
            }
            fn poll_event(&mut self) -> Option<$event> {
                Self::poll_event(self)
            }
            $($($own)*)?
            fn deadline(&self) -> Option<Duration> {
                Self::deadline(self)
            }
            fn timeout(&mut self, now: Duration) {
                Self::timeout(self, now);
            }
        }
    };
}

#[cfg(feature = "smtp")]
machine!(email2_smtp::Server, email2_smtp::server::Event, {
    fn holds_back(&self) -> bool {
        Self::holds_back(self)
    }
});
#[cfg(feature = "smtp")]
machine!(email2_smtp::Client, email2_smtp::client::Event, {
    fn too_much(&mut self, now: Duration) {
        Self::too_much(self, now);
    }
});
#[cfg(feature = "smtp")]
machine!(email2_smtp::lmtp::Lmtp, email2_smtp::lmtp::Event, {
    fn too_much(&mut self, now: Duration) {
        Self::too_much(self, now);
    }
});
#[cfg(feature = "imap")]
machine!(email2_imap::Session, email2_imap::Event);

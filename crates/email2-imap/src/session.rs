//! One connection.

use crate::request::{Answer, Request};

/// Monotonic time, milliseconds.
pub type Millis = u64;

/// What a session is told at its beginning.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The server's name, for the greeting.
    pub hostname: String,
    /// Largest message that APPEND takes, octets (RFC 7889).
    pub append_limit: u64,
}

/// What a session reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It needs something; give [`Session::answer`].
    Request(Request),
    /// It is over: write out the rest and close.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Begins; the connection is under TLS already.
    #[must_use]
    pub fn new(config: SessionConfig, now: Millis) -> Self {
        todo!("{config:?} {now}")
    }

    /// Octets that arrived; only while [`Session::wants_octets`].
    pub fn receive(&mut self, octets: &[u8], now: Millis) {
        todo!("{octets:?} {now}")
    }

    /// Whether the socket may be read.
    #[must_use]
    pub fn wants_octets(&self) -> bool {
        todo!()
    }

    /// The client sends no more.
    pub fn end_of_stream(&mut self, now: Millis) {
        todo!("{now}")
    }

    /// The deadline passed.
    pub fn timeout(&mut self, now: Millis) {
        todo!("{now}")
    }

    /// When [`Session::timeout`] wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        todo!()
    }

    /// Octets to send, until there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        todo!()
    }

    /// What happened, until there is nothing more.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// The answer to the [`Request`] that was reported last.
    pub fn answer(&mut self, answer: Answer, now: Millis) {
        todo!("{answer:?} {now}")
    }

    /// Whether the client waits for news (IDLE); [`Session::notify`] then.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        todo!()
    }

    /// Something changed in the account's mailboxes.
    pub fn notify(&mut self, now: Millis) {
        todo!("{now}")
    }

    /// The server goes down: says BYE at the next opportunity.
    pub fn close(&mut self, reason: &str) {
        todo!("{reason}")
    }
}

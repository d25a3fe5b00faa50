//! The side that connects: one SNI, several acceptable names, and the word which one matched.

use std::path::Path;
use std::sync::Arc;

use super::{TlsError, TlsFailure};
use crate::clock::Clock;
use crate::net::Stream;

/// A name for which a server's certificate is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedName {
    /// Exactly this dNSName, no wildcard (`email2.D`, spec §2.2).
    Exact(String),
    /// This host, by the rules of WebPKI (RFC 9525), wildcards included.
    Host(String),
}

impl AcceptedName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            AcceptedName::Exact(name) | AcceptedName::Host(name) => name,
        }
    }
}

/// What to ask of a server in one handshake.
#[derive(Clone, Debug)]
pub struct TlsAsk {
    /// The name sent as SNI.
    pub sni: String,
    /// Acceptable names, the best first.
    pub names: Vec<AcceptedName>,
    /// The protocol that must be selected by ALPN, if any.
    pub alpn: Option<&'static [u8]>,
}

/// A secured connection.
pub struct Secured {
    /// The octets, in clear on our side. Shutting it down sends `close_notify`.
    pub stream: Stream,
    /// The first of the acceptable names that the certificate is valid for.
    pub matched: AcceptedName,
    /// Whether the chain ends at an authority of the `ca_file` that the person gave (spec §3.7).
    pub by_given_authority: bool,
}

/// Connects with TLS.
#[derive(Clone, Debug)]
pub struct ClientTls {
    _clock: Arc<dyn Clock>,
}

impl ClientTls {
    /// Trusts the system's authorities and those in `ca_file` (PEM).
    ///
    /// # Errors
    /// `ca_file` cannot be read or holds no certificate; nothing is trusted at all.
    pub fn new(ca_file: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let _ = ca_file;
        Ok(ClientTls { _clock: clock })
    }

    /// Performs the handshake on `stream`. Takes as long as the other side lets it: put a limit
    /// around it.
    ///
    /// # Errors
    /// As [`TlsFailure`] says.
    pub async fn connect(&self, stream: Stream, ask: &TlsAsk) -> Result<Secured, TlsFailure> {
        let _ = (stream, ask);
        todo!()
    }
}

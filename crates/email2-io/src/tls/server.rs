//! The side that is connected to: certificates by name, read again when their files change.

use std::path::PathBuf;
use std::sync::Arc;

use super::{TlsError, TlsFailure};
use crate::clock::Clock;
use crate::net::Stream;

/// A certificate chain (PEM, the server's own first) and its key (PEM), in two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A connection that arrived and was secured.
pub struct Arrived {
    /// The octets, in clear on our side. Shutting it down sends `close_notify`.
    pub stream: Stream,
    /// The name the client asked for (SNI), lower case.
    pub sni: Option<String>,
    /// The protocol selected by ALPN.
    pub alpn: Option<Vec<u8>>,
}

/// Accepts with TLS. One for a process; cloning is cheap.
#[derive(Clone, Debug)]
pub struct ServerTls {
    _clock: Arc<dyn Clock>,
}

impl ServerTls {
    /// Serves the certificates in `files`: to a client that names a host, the first one valid for
    /// that name, else the first of all.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, does not fit its partner; no file at all.
    pub fn new(files: &[CertificateFiles], clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let _ = files;
        Ok(ServerTls { _clock: clock })
    }

    /// Performs the handshake on `stream`; `alpn` lists the protocols spoken here (empty: none
    /// is negotiated). A client that offers only others is refused; one that offers none gets
    /// through with `alpn: None`: who demands one checks that.
    ///
    /// Certificates whose files changed are read again before (at most once a second); a pair
    /// that does not fit (yet) is logged, and the old one stays.
    ///
    /// # Errors
    /// As [`TlsFailure`] says.
    pub async fn accept(&self, stream: Stream, alpn: &[&[u8]]) -> Result<Arrived, TlsFailure> {
        let _ = (stream, alpn);
        todo!()
    }
}

//! The side that is connected to: certificates by name, read again when their files change.

mod certificates;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::TlsAcceptor;

use super::{TlsError, TlsFailure, TlsTime};
use crate::clock::{Clock, Elapsed, within};
use crate::net::Stream;
use certificates::Certificates;

/// How long a client may take for the handshake: one that sends nothing holds a connection of
/// its source's budget no longer than that.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

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
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    time: Arc<TlsTime>,
    certificates: Arc<Certificates>,
    /// One for each list of protocols that was asked for: the doors of a server have a few.
    configs: Arc<Mutex<Vec<Arc<ServerConfig>>>>,
}

impl ServerTls {
    /// Serves the certificates in `files`: to a client that names a host, the first one valid for
    /// that name, else the first of all.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, does not fit its partner; no file at all.
    pub fn new(files: &[CertificateFiles], clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        Ok(ServerTls {
            certificates: Arc::new(Certificates::read(
                files,
                Arc::clone(&provider),
                Arc::clone(&clock),
            )?),
            time: Arc::new(TlsTime::new(Arc::clone(&clock))),
            clock,
            provider,
            configs: Arc::default(),
        })
    }

    /// The certificate that ends first: its file, and its end in Unix seconds. For checks before
    /// a server starts, and for its log.
    #[must_use]
    pub fn first_end(&self) -> Option<(String, u64)> {
        self.certificates.first_end()
    }

    /// The certificate that a client is shown who asks for `name`, lower case: DER.
    #[must_use]
    pub fn shown(&self, name: &str) -> Option<Vec<u8>> {
        let shown = self.certificates.shown(Some(name))?;
        shown.end_entity_cert().ok().map(|own| own.to_vec())
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
        self.certificates.reload_if_changed();
        let handshake = TlsAcceptor::from(self.config(alpn)?).accept(stream);
        let stream = within(&*self.clock, HANDSHAKE_LIMIT, handshake)
            .await
            .map_err(|Elapsed| TlsFailure::Io(io::ErrorKind::TimedOut.into()))?
            .map_err(explain)?;
        let session = stream.get_ref().1;
        Ok(Arrived {
            sni: session.server_name().map(str::to_ascii_lowercase),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            stream: Box::new(stream),
        })
    }

    /// The same for all connections: making one takes tens of KiB for a moment.
    fn config(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsFailure> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let speaks = |config: &&Arc<ServerConfig>| config.alpn_protocols == alpn;
        if let Some(config) = configs.iter().find(speaks) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make_config(alpn)?);
        configs.push(Arc::clone(&config));
        Ok(config)
    }

    fn make_config(&self, alpn: &[&[u8]]) -> Result<ServerConfig, TlsFailure> {
        let builder = ServerConfig::builder_with_details(
            Arc::clone(&self.provider),
            Arc::<TlsTime>::clone(&self.time),
        )
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFailure::Protocol(error.to_string()))?;
        let certificates: Arc<dyn ResolvesServerCert> =
            Arc::<Certificates>::clone(&self.certificates);
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        // Peers must see the certificate each time: see the connecting side.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

fn explain(error: io::Error) -> TlsFailure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .map(ToString::to_string);
    match inner {
        Some(text) => TlsFailure::Protocol(text),
        None => TlsFailure::Io(error),
    }
}

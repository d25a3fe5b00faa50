//! The side that connects: one SNI, several acceptable names, and the word which one matched.

mod authorities;
mod ordinary;
mod pins;
mod verifier;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{TlsError, TlsFailure, TlsTime};
use crate::clock::Clock;
use crate::net::Stream;
use verifier::{Demand, NameVerifier};

pub use ordinary::{OrdinarilySecured, OrdinaryTrust};
pub use pins::{Pinned, Pins};

/// A name for which a server's certificate is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedName {
    /// Exactly this dNSName, no wildcard (`email2.D`, spec §2.2.1).
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
    /// What else a certificate of the host may be accepted by: DANE (RFC 7672, RFC 7673).
    pub pins: Option<Arc<dyn Pins>>,
}

/// A secured connection.
pub struct Secured {
    /// The octets, in clear on our side. Shutting it down sends `close_notify`.
    pub stream: Stream,
    /// The first of the acceptable names that the certificate is valid for.
    pub matched: AcceptedName,
    /// Whether the chain ends at an authority of the `ca_file` that the person gave (spec §2.6.1).
    pub by_given_authority: bool,
}

/// Connects with TLS. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct ClientTls {
    provider: Arc<CryptoProvider>,
    time: Arc<TlsTime>,
    trusted: Arc<dyn ServerCertVerifier>,
    given: Option<Arc<RootCertStore>>,
}

impl ClientTls {
    /// Trusts the system's authorities and those in `ca_file` (PEM).
    ///
    /// # Errors
    /// `ca_file` cannot be read or holds no certificate; nothing is trusted at all.
    pub fn new(ca_file: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        Self::trusting(ca_file.as_slice(), clock)
    }

    /// Trusts the system's authorities and those in each of `ca_files` (PEM).
    ///
    /// # Errors
    /// As [`ClientTls::new`].
    pub fn trusting(ca_files: &[&Path], clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let given: Result<Vec<_>, _> = ca_files.iter().map(|file| read(file)).collect();
        let given = given?.concat();
        let trusted = authorities::verifier(&given, &provider)?;
        Ok(ClientTls {
            given: given_store(given)?,
            trusted,
            time: Arc::new(TlsTime::new(clock)),
            provider,
        })
    }

    /// Performs the handshake on `stream`. Takes as long as the other side lets it: put a limit
    /// around it.
    ///
    /// # Errors
    /// As [`TlsFailure`] says.
    pub async fn connect(&self, stream: Stream, ask: &TlsAsk) -> Result<Secured, TlsFailure> {
        let demand = Demand::Verified(ask.pins.clone());
        let verifier = Arc::new(self.verifier(ask.names.clone(), demand));
        let stream = self.shake_hands(stream, ask, &verifier).await?;
        let matched = verifier
            .matched()
            .ok_or_else(|| TlsFailure::Protocol("no certificate was shown".to_owned()))?;
        if let Some(wanted) = ask.alpn
            && stream.get_ref().1.alpn_protocol() != Some(wanted)
        {
            let wanted = String::from_utf8_lossy(wanted).into_owned();
            return Err(TlsFailure::NoAlpn(wanted));
        }
        Ok(Secured {
            stream: Box::new(stream),
            by_given_authority: verifier.is_by_given_authority(),
            matched,
        })
    }

    fn verifier(&self, names: Vec<AcceptedName>, demand: Demand) -> NameVerifier {
        NameVerifier::new(
            Arc::clone(&self.trusted),
            self.given.clone(),
            Arc::clone(&self.provider),
            names,
            demand,
        )
    }

    async fn shake_hands(
        &self,
        stream: Stream,
        ask: &TlsAsk,
        verifier: &Arc<NameVerifier>,
    ) -> Result<TlsStream<Stream>, TlsFailure> {
        let config = self.config(Arc::clone(verifier), ask.alpn)?;
        let sni = ServerName::try_from(ask.sni.clone())
            .map_err(|_| TlsFailure::BadName(ask.sni.clone()))?;
        let connected = TlsConnector::from(Arc::new(config)).connect(sni, stream);
        let connected = connected.await;
        connected.map_err(|error| verifier.failure().unwrap_or_else(|| explain(error)))
    }

    /// A configuration for one handshake: a resumed session would skip the certificate, and with
    /// it the question which name it is valid for.
    fn config(
        &self,
        verifier: Arc<NameVerifier>,
        alpn: Option<&'static [u8]>,
    ) -> Result<ClientConfig, TlsFailure> {
        let builder = ClientConfig::builder_with_details(
            Arc::clone(&self.provider),
            Arc::<TlsTime>::clone(&self.time),
        )
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFailure::Protocol(error.to_string()))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
        Ok(config)
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |error| TlsError::File {
        path: path.to_owned(),
        error,
    };
    let wrong = |reason: String| TlsError::Content {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read(path).map_err(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| wrong(format!("not PEM: {error}")))?;
    if found.is_empty() {
        return Err(wrong("no certificate in it (PEM expected)".to_owned()));
    }
    Ok(found)
}

fn given_store(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<Option<Arc<RootCertStore>>, TlsError> {
    if certificates.is_empty() {
        return Ok(None);
    }
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate)?;
    }
    Ok(Some(Arc::new(store)))
}

/// What the library's error means to whoever connected.
fn explain(error: io::Error) -> TlsFailure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => alerted(*alert),
        Some(rustls::Error::NoApplicationProtocol) => TlsFailure::NoAlpn("email2".to_owned()),
        Some(other) => TlsFailure::Protocol(other.to_string()),
        None => TlsFailure::Io(error),
    }
}

fn alerted(alert: rustls::AlertDescription) -> TlsFailure {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::UnrecognisedName
        | Alert::HandshakeFailure
        | Alert::AccessDenied
        | Alert::InternalError => TlsFailure::Refused(format!("{alert:?}")),
        Alert::NoApplicationProtocol => TlsFailure::NoAlpn("email2".to_owned()),
        other => TlsFailure::Protocol(format!("alert {other:?}")),
    }
}

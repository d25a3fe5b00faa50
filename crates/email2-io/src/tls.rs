//! TLS, from both sides (spec §2.1.5, §2.2): at least version 1.2, X25519MLKEM768 preferred, time
//! from the world's clock, `close_notify` always sent (by shutting the stream down).

mod client;
mod server;
mod validity;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::clock::Clock;

pub use client::{
    AcceptedName, ClientTls, OrdinarilySecured, OrdinaryTrust, Pinned, Pins, Secured, TlsAsk,
};
pub use server::{Arrived, CertificateFiles, ServerTls};

/// Why TLS could not be set up: a matter of configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// There is no certification authority to trust.
    #[error(
        "no certification authority is known: install the system's (ca-certificates) or name a ca_file"
    )]
    NoAuthorities,
    /// The TLS library refuses the configuration.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsFailure {
    /// The certificate is valid for none of the names wanted.
    #[error("its certificate is for {}, not for {}", presented.join(", "), wanted.join(" or "))]
    WrongName {
        /// The DNS names in the certificate.
        presented: Vec<String>,
        /// The names that were acceptable.
        wanted: Vec<String>,
    },
    /// The certificate does not chain to a trusted authority, is expired, or is broken.
    #[error("its certificate is not valid: {0}")]
    Untrusted(String),
    /// DNS says which certificates the host has (DANE), and this is none of them; both sides.
    #[error("its certificate is none that its TLSA records name: {0}")]
    Unpinned(String),
    /// The server knows no certificate for the name asked (alert `unrecognized_name`) or ended
    /// the handshake with an alert: ask again with its own name.
    #[error("it refuses TLS for this name: {0}")]
    Refused(String),
    /// The protocol demanded by ALPN was not selected.
    #[error("it does not speak {0} there")]
    NoAlpn(String),
    /// The name asked is not a DNS name.
    #[error("{0:?} is not a host name")]
    BadName(String),
    /// The connection broke.
    #[error("the connection broke during TLS: {0}")]
    Io(#[source] std::io::Error),
    /// The other side breaks the protocol.
    #[error("TLS: {0}")]
    Protocol(String),
}

impl TlsFailure {
    /// Whether one more connection with the host's own name as SNI is worth it (spec §2.1.6).
    #[must_use]
    pub fn is_refusal_of_name(&self) -> bool {
        matches!(self, TlsFailure::Refused(_))
    }

    /// Whether TLS got as far as a certificate, and that one was no good: a definite answer,
    /// not a passing failure.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        matches!(
            self,
            TlsFailure::WrongName { .. } | TlsFailure::Untrusted(_) | TlsFailure::Unpinned(_)
        )
    }
}

/// The world's clock, as TLS wants it.
#[derive(Debug)]
struct TlsTime {
    clock: Arc<dyn Clock>,
}

impl TlsTime {
    fn new(clock: Arc<dyn Clock>) -> Self {
        TlsTime { clock }
    }
}

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_secs(self.clock.now());
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// The DNS names in a certificate, wildcards as written, lower case; none when it is broken.
fn dns_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    webpki::EndEntityCert::try_from(certificate).map_or_else(
        |_| Vec::new(),
        |parsed| {
            parsed
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect()
        },
    )
}

#[cfg(test)]
mod tests;

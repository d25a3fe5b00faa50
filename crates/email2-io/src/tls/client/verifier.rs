//! Verifies a server's certificate for the first acceptable name that it is valid for.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::AcceptedName;
use super::pins::{Pins, Presented};
use crate::tls::{TlsFailure, dns_names};

/// What a certificate must be for the handshake to go on.
#[derive(Clone, Debug)]
pub(super) enum Demand {
    /// Valid for one of the names: by an authority, or by DNS where it speaks.
    Verified(Option<Arc<dyn Pins>>),
    /// Accepted by DNS, whatever authorities say (RFC 7672 §2.2).
    Pinned(Arc<dyn Pins>),
    /// Anything (RFC 7435).
    Nothing,
}

#[derive(Debug, Default)]
struct Finding {
    matched: Option<AcceptedName>,
    by_given_authority: bool,
    failure: Option<TlsFailure>,
}

/// A verifier for one handshake. It looks at the names first, and has the chain verified once,
/// for the name that fits.
#[derive(Debug)]
pub(super) struct NameVerifier {
    trusted: Arc<dyn ServerCertVerifier>,
    given: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
    names: Vec<AcceptedName>,
    demand: Demand,
    finding: Mutex<Finding>,
}

impl NameVerifier {
    pub(super) fn new(
        trusted: Arc<dyn ServerCertVerifier>,
        given: Option<Arc<RootCertStore>>,
        provider: Arc<CryptoProvider>,
        names: Vec<AcceptedName>,
        demand: Demand,
    ) -> Self {
        NameVerifier {
            trusted,
            given,
            provider,
            names,
            demand,
            finding: Mutex::default(),
        }
    }

    /// The name that the verified certificate is valid for.
    pub(super) fn matched(&self) -> Option<AcceptedName> {
        self.finding().matched.clone()
    }

    /// Whether the verified chain ends at an authority that the person gave.
    pub(super) fn is_by_given_authority(&self) -> bool {
        self.finding().by_given_authority
    }

    /// Why the certificate was refused, if it was.
    pub(super) fn failure(&self) -> Option<TlsFailure> {
        self.finding().failure.take()
    }

    fn finding(&self) -> std::sync::MutexGuard<'_, Finding> {
        self.finding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fitting(&self, certificate: &CertificateDer<'_>) -> Result<&AcceptedName, TlsFailure> {
        let presented = dns_names(certificate);
        self.names
            .iter()
            .find(|name| match name {
                AcceptedName::Exact(name) => presented.iter().any(|one| one == name),
                AcceptedName::Host(name) => is_valid_for(certificate, name),
            })
            .ok_or_else(|| TlsFailure::WrongName {
                presented,
                wanted: self.names.iter().map(|n| n.as_str().to_owned()).collect(),
            })
    }

    fn chains_to_given(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let (Some(given), Ok(parsed)) = (&self.given, ParsedCertificate::try_from(end_entity))
        else {
            return false;
        };
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, given, intermediates, now, algorithms)
            .is_ok()
    }

    /// By the authorities that are trusted.
    fn by_authority(&self, shown: &Presented<'_>, ocsp: &[u8]) -> Result<AcceptedName, TlsFailure> {
        let name = self.fitting(shown.end_entity)?;
        let server = ServerName::try_from(name.as_str())
            .map_err(|_| TlsFailure::BadName(name.as_str().to_owned()))?;
        self.trusted
            .verify_server_cert(
                shown.end_entity,
                shown.intermediates,
                &server,
                ocsp,
                shown.now,
            )
            .map_err(|error| TlsFailure::Untrusted(reason(&error)))?;
        Ok(name.clone())
    }

    /// The name that the certificate is valid for; `None` when none was demanded or can be.
    fn verify(
        &self,
        shown: &Presented<'_>,
        ocsp: &[u8],
    ) -> Result<Option<AcceptedName>, TlsFailure> {
        let by_pins = |pins: &dyn Pins| shown.passes(pins, &self.names, &self.provider);
        match &self.demand {
            Demand::Nothing => Ok(self.by_authority(shown, ocsp).ok()),
            Demand::Pinned(pins) => by_pins(&**pins),
            Demand::Verified(pins) => match (self.by_authority(shown, ocsp), pins) {
                (Err(failure), Some(pins)) => match by_pins(&**pins) {
                    Ok(Some(name)) => Ok(Some(name)),
                    Ok(None) | Err(_) => Err(failure),
                },
                (verified, _) => verified.map(Some),
            },
        }
    }
}

impl ServerCertVerifier for NameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _sni: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Presented {
            end_entity,
            intermediates,
            now,
        };
        let verified = self.verify(&shown, ocsp);
        let by_given_authority = self.chains_to_given(end_entity, intermediates, now);
        let mut finding = self.finding();
        match verified {
            Ok(name) => {
                finding.matched = name;
                finding.by_given_authority = by_given_authority;
                Ok(ServerCertVerified::assertion())
            }
            Err(failure) => {
                finding.failure = Some(failure);
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

pub(super) fn is_valid_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(parsed), Ok(server)) = (
        ParsedCertificate::try_from(certificate),
        ServerName::try_from(name),
    ) else {
        return false;
    };
    verify_server_name(&parsed, &server).is_ok()
}

/// A sentence for people; the library's words for what is rare.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "it has expired, and its administrator has to renew it".to_owned(),
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "it is not valid yet".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that is trusted here has issued it".to_owned()
        }
        other => other.to_string(),
    }
}

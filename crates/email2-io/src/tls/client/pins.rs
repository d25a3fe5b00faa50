//! Certificates accepted by what DNS says of them instead of by an authority (DANE, RFC 7671).
//! What the records mean is decided by whoever implements [`Pins`]; here it is carried out.

use std::fmt::Debug;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::AcceptedName;
use super::verifier::{is_valid_for, reason};
use crate::tls::{TlsFailure, dns_names};

/// What the records of a host say of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// The server's own certificate is named: nothing else in it matters (RFC 7671 §5.1).
    Leaf,
    /// The chain must end at one of these certificates (DER), be valid now and carry the host's
    /// name (RFC 7671 §5.2).
    Anchors(Vec<Vec<u8>>),
    /// No record can be used: TLS is demanded, and nobody is authenticated (RFC 7672 §2.2).
    Unusable,
    /// No record fits the chain; which ones there are and what was presented, for people.
    Mismatch(String),
}

/// Says by a chain alone how it stands to the records of its host.
pub trait Pins: Debug + Send + Sync {
    /// `chain`: DER, the server's own certificate first, as it was presented.
    fn judge(&self, chain: &[&[u8]]) -> Pinned;
}

/// A chain as it was presented.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl Presented<'_> {
    /// Carries out what `pins` says: `Some` name when the host is authenticated by it, `None` when
    /// no record can be used.
    pub(super) fn passes(
        &self,
        pins: &dyn Pins,
        names: &[AcceptedName],
        provider: &CryptoProvider,
    ) -> Result<Option<AcceptedName>, TlsFailure> {
        let mut chain: Vec<&[u8]> = vec![self.end_entity.as_ref()];
        chain.extend(self.intermediates.iter().map(AsRef::as_ref));
        match pins.judge(&chain) {
            Pinned::Leaf => Ok(hosts(names).next().cloned()),
            Pinned::Anchors(anchors) => self.ends_at(&anchors, names, provider).map(Some),
            Pinned::Unusable => Ok(None),
            Pinned::Mismatch(why) => Err(TlsFailure::Unpinned(why)),
        }
    }

    fn ends_at(
        &self,
        anchors: &[Vec<u8>],
        names: &[AcceptedName],
        provider: &CryptoProvider,
    ) -> Result<AcceptedName, TlsFailure> {
        let fitting = hosts(names).find(|name| is_valid_for(self.end_entity, name.as_str()));
        let fitting = fitting.ok_or_else(|| TlsFailure::WrongName {
            presented: dns_names(self.end_entity),
            wanted: hosts(names).map(|n| n.as_str().to_owned()).collect(),
        })?;
        let verified = self.chains_to(anchors, provider);
        verified.map_err(|error| TlsFailure::Untrusted(reason(&error)))?;
        Ok(fitting.clone())
    }

    fn chains_to(&self, anchors: &[Vec<u8>], provider: &CryptoProvider) -> Result<(), Error> {
        let mut store = RootCertStore::empty();
        for anchor in anchors {
            // One that is no certificate authority at all anchors nothing.
            let _ = store.add(CertificateDer::from(anchor.clone()));
        }
        if store.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        let parsed = ParsedCertificate::try_from(self.end_entity)?;
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &store,
            self.intermediates,
            self.now,
            algorithms,
        )
    }
}

/// The names of the host itself: `email2.D` is a matter of authorities (spec §2.2.1).
fn hosts(names: &[AcceptedName]) -> impl Iterator<Item = &AcceptedName> {
    let is_host = |name: &&AcceptedName| matches!(name, AcceptedName::Host(_));
    names.iter().filter(is_host)
}

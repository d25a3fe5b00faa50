//! The authorities that are trusted: the system's, and those that were given. Reading the
//! system's takes milliseconds, and a program asks for the same ones several times.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

use crate::tls::TlsError;

/// What is given besides the system's authorities, and who verifies by all of them.
type Trust = (Vec<CertificateDer<'static>>, Arc<dyn ServerCertVerifier>);

/// The one asked for last. As without it, the system's authorities are those of the time when a
/// program first asked.
static LAST: Mutex<Option<Trust>> = Mutex::new(None);

/// Verifies by the system's authorities and those `given`.
///
/// # Errors
/// [`TlsError::NoAuthorities`]: nothing is trusted at all.
pub(super) fn verifier(
    given: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((before, verifier)) = &*last
        && before == given
    {
        return Ok(Arc::clone(verifier));
    }
    let extra = given.iter().cloned();
    let made = Verifier::new_with_extra_roots(extra, Arc::clone(provider));
    let made: Arc<dyn ServerCertVerifier> = Arc::new(made.map_err(|error| match error {
        rustls::Error::General(_) => TlsError::NoAuthorities,
        other => TlsError::Library(other),
    })?);
    *last = Some((given.to_vec(), Arc::clone(&made)));
    Ok(made)
}

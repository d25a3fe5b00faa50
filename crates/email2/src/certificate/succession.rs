//! May this certificate take the place of that one (spec §6.5)?

use super::{Certificate, CertificateError};

/// How a certificate that is served follows the one that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Succession {
    /// Nothing new.
    Same,
    /// The same primary key; this is both together, no revocation lost.
    Merged(Certificate),
    /// Another primary key, and the old one signed that it follows.
    Transition(Certificate),
    /// Another primary key and no signed link: hold, and let the person decide.
    New,
}

/// Judges how `served` follows `known`.
///
/// # Errors
/// The merged certificate would be too large.
pub fn succeed(known: &Certificate, served: &Certificate) -> Result<Succession, CertificateError> {
    todo!("{known:?} {served:?}")
}

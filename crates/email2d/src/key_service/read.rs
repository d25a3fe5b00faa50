//! Certificates of this server's own people as they were read: bindings are verified once, and not
//! for every question and every message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use email2::certificate::Certificate;
use email2_store::CertificateVersion;

/// Certificates kept; beyond, all are read again. One is at most 32 KiB (spec §8.1), and a few
/// times that when it is read.
const MOST: usize = 256;

/// Certificates with the one User ID that they are served with, by the row of their version.
#[derive(Debug, Default)]
pub(crate) struct Read(Mutex<HashMap<i64, Kept>>);

#[derive(Debug)]
struct Kept {
    octets: Vec<u8>,
    reduced: Option<Certificate>,
}

impl Read {
    /// What `version` was read as; else it is read by `read` now.
    ///
    /// # Errors
    /// As `read` says.
    pub(super) fn of<E>(
        &self,
        version: &CertificateVersion,
        read: impl FnOnce() -> Result<Option<Certificate>, E>,
    ) -> Result<Option<Certificate>, E> {
        if let Some(known) = self.known(version) {
            return Ok(known);
        }
        let reduced = read()?;
        let kept = Kept {
            octets: version.octets.clone(),
            reduced: reduced.clone(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(version.id, kept);
        Ok(reduced)
    }

    /// Only of the very octets: what was revoked since is another version.
    fn known(&self, version: &CertificateVersion) -> Option<Option<Certificate>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get(&version.id)?;
        (kept.octets == version.octets).then(|| kept.reduced.clone())
    }
}

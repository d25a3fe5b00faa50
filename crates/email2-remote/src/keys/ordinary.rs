//! Certificates of people whose domain does not speak Email 2.0 (spec §12.3): from the Web Key
//! Directory, else from DNS.

use email2::Address;
use email2::certificate::Certificate;

use super::wkd::NoEntry;
use crate::remote::Remote;

/// Answers kept.
pub(crate) const ANSWERS: usize = 512;

/// A certificate is used again so long without asking, seconds.
const FOUND_TTL: u64 = email2::limits::ENCRYPT_TTL;

/// So long nothing is asked again where there was nothing, or asking failed, seconds.
const NOTHING_TTL: u64 = email2::limits::NEGATIVE_TTL;

/// Where a certificate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// The Web Key Directory of the domain: its web host vouches for it.
    Directory,
    /// DNS, secured by DNSSEC (RFC 7929).
    Dns,
}

impl KeySource {
    /// The stable word for it, as stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeySource::Directory => "wkd",
            KeySource::Dns => "openpgpkey",
        }
    }
}

/// A certificate of somebody whose domain does not speak Email 2.0.
#[derive(Clone, Debug)]
pub struct OrdinaryKey {
    /// The certificate, with the one User ID that was asked for. Where none can be encrypted to, it is
    /// one that ended or was revoked: who writes is told so, and not that there is none.
    pub certificate: Certificate,
    /// Where it was found.
    pub source: KeySource,
    /// When, Unix seconds.
    pub fetched: u64,
}

/// It cannot be known now whether there is a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot ask for a key of {address} now: {why}")]
pub struct OrdinaryKeyError {
    /// Whose.
    pub address: Address,
    /// What failed.
    pub why: String,
}

/// What was answered a while ago.
pub(crate) type Recalled = Result<Option<OrdinaryKey>, OrdinaryKeyError>;

impl Remote {
    /// The certificate of `address`, whose domain does not speak Email 2.0: from its Web Key
    /// Directory, else from DNS where DNSSEC secures it. `None`: neither has one.
    ///
    /// # Errors
    /// One of them cannot be asked now, and the other has none (spec §12.3.4).
    pub async fn ordinary_key(&self, address: &Address) -> Recalled {
        if let Some(recalled) = self.inner.ordinary_keys.get(address, self.now()) {
            return recalled;
        }
        let found = self.look_for(address).await;
        let seconds = match &found {
            Ok(Some(_)) => FOUND_TTL,
            Ok(None) | Err(_) => NOTHING_TTL,
        };
        let kept = &self.inner.ordinary_keys;
        kept.put(address.clone(), found.clone(), self.now(), seconds);
        found
    }

    async fn look_for(&self, address: &Address) -> Recalled {
        let (directory, dns) = futures::join!(self.in_directory(address), self.in_dns(address));
        let (directory, failed) = match directory {
            Ok(found) => (found, None),
            Err(NoEntry::Failed(why) | NoEntry::WrongName(why)) => (Vec::new(), Some(why)),
            Err(NoEntry::NoDirectory(_) | NoEntry::Nothing(_)) => (Vec::new(), None),
        };
        let ended = match self.best(directory, KeySource::Directory) {
            Some((key, true)) => return Ok(Some(key)),
            other => other,
        };
        let (dns, unasked) = match dns {
            Ok(found) => (found, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        if let Some((key, _)) = self.best(dns, KeySource::Dns).or(ended) {
            return Ok(Some(key));
        }
        match failed.or(unasked) {
            None => Ok(None),
            Some(why) => Err(OrdinaryKeyError {
                address: address.clone(),
                why,
            }),
        }
    }

    /// The first that can be encrypted to, for a directory may have the revoked one beside the new;
    /// else the first. Whether it can be.
    fn best(&self, found: Vec<Certificate>, source: KeySource) -> Option<(OrdinaryKey, bool)> {
        let now = self.now();
        let usable = found.iter().position(|one| one.can_encrypt(now).is_ok());
        let certificate = found.into_iter().nth(usable.unwrap_or_default())?;
        let key = OrdinaryKey {
            certificate,
            source,
            fetched: now,
        };
        Some((key, usable.is_some()))
    }
}

//! For who writes: the certificate to encrypt to (spec §3.4.2, §5.5).

use std::sync::Arc;

use email2::certificate::Certificate;
use email2::{Address, Assurance, Domain, Etag, Identity, KeyFlags, limits};

use super::{Kept, Question, Trouble};
use crate::remote::Remote;
use crate::resolve::Way;

/// A certificate to encrypt to.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The certificate.
    pub certificate: Certificate,
    /// Its version, for the RCPT parameter (spec §3.3).
    pub etag: Etag,
    /// How the answer was authenticated for the domain; `None`: not at all, its person is asked.
    pub assurance: Option<Assurance>,
    /// What the domain says of it.
    pub flags: KeyFlags,
    /// When it was learnt or confirmed, Unix seconds.
    pub fetched: u64,
}

/// Why there is no certificate to encrypt to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An authenticated host says that the address has no key (sysexits: 67 no user).
    #[error("{0} has no key, says its server")]
    NoKey(Address),
    /// A host answers that nothing authenticates for the domain: not definite (sysexits: 77).
    #[error(
        "nothing authenticates the server that answers for {0}: no DNSSEC, no MTA-STS, no certificate for its domain, no Web Key Directory with the same key"
    )]
    Unauthenticated(Address),
    /// The domain does not speak Email 2.0 (sysexits: 69 unavailable).
    #[error("{0} does not speak Email 2.0")]
    NoEmail2(Domain),
    /// The domain does not exist (sysexits: 68 no host).
    #[error("{0} does not exist")]
    NoDomain(Domain),
    /// The domain takes no mail (sysexits: 68 no host).
    #[error("{0} takes no mail")]
    NoMail(Domain),
    /// It cannot be known now (sysexits: 75 try again).
    #[error("cannot ask for the key of {address} now: {why}")]
    Later {
        /// Whose.
        address: Address,
        /// What failed.
        why: String,
        /// The domain is known to speak Email 2.0: that it seems not to is an alarm (spec §2.4).
        alarm: bool,
    },
}

impl KeyError {
    /// Whether this is a definite "no key", which lets cleartext be thought of (spec §5.5.1).
    #[must_use]
    pub fn is_definite(&self) -> bool {
        matches!(self, KeyError::NoKey(_) | KeyError::NoEmail2(_))
    }

    /// Whether trying again later makes sense.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, KeyError::Later { .. })
    }
}

impl Remote {
    /// The certificate to encrypt to for `address`: kept within a day, else asked.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn key_for_writing(&self, address: &Address) -> Result<FoundKey, KeyError> {
        let question = writers_question(address);
        let before = match self.recall(&question).await {
            Ok(before) => before,
            Err(trouble) => return Err(self.error(address, trouble).await),
        };
        match before {
            Some(kept) if kept.is_fresh(self.now(), limits::ENCRYPT_TTL) => found(address, &kept),
            before => self.ask_for_writing(address, before).await,
        }
    }

    /// Asks anew whatever is kept: after `key-changed` (spec §3.3.2).
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn fetch_for_writing(&self, address: &Address) -> Result<FoundKey, KeyError> {
        self.ask_for_writing(address, None).await
    }

    async fn ask_for_writing(
        &self,
        address: &Address,
        before: Option<Arc<Kept>>,
    ) -> Result<FoundKey, KeyError> {
        let question = writers_question(address);
        let before = before.filter(|kept| kept.is_assured());
        match self.ask(&question, before, None).await {
            Ok(kept) => found(address, &kept),
            Err(trouble) => Err(self.error(address, trouble).await),
        }
    }

    async fn error(&self, address: &Address, trouble: Trouble) -> KeyError {
        let domain = address.domain().clone();
        let later = |why, alarm| KeyError::Later {
            address: address.clone(),
            why,
            alarm,
        };
        match trouble {
            Trouble::NoDomain => KeyError::NoDomain(domain),
            Trouble::NullMx => KeyError::NoMail(domain),
            Trouble::NotSpeaking => KeyError::NoEmail2(domain),
            // Where record and SRV are absent, a writer takes the domain for ordinary.
            Trouble::Unreachable(_) if self.has_no_direct_host(&domain).await => {
                KeyError::NoEmail2(domain)
            }
            Trouble::Dns(why) | Trouble::Unreachable(why) => later(why, false),
            Trouble::Alarm(why) => later(why, true),
            Trouble::Unauthenticated { .. } => KeyError::Unauthenticated(address.clone()),
        }
    }

    async fn has_no_direct_host(&self, domain: &Domain) -> bool {
        match self.hosts(domain).await {
            Ok(hosts) => hosts.iter().all(|host| host.way != Way::Direct),
            Err(_) => false,
        }
    }
}

pub(super) fn writers_question(address: &Address) -> Question {
    Question {
        identity: Identity::Address(address.clone()),
        asked: None,
    }
}

fn found(address: &Address, kept: &Kept) -> Result<FoundKey, KeyError> {
    match (&kept.found, kept.assurance) {
        (Some(found), assurance) => Ok(FoundKey {
            certificate: found.certificate.clone(),
            etag: found.etag.clone(),
            assurance,
            flags: found.flags.clone(),
            fetched: kept.fetched,
        }),
        (None, Some(_)) => Err(KeyError::NoKey(address.clone())),
        (None, None) => Err(KeyError::Unauthenticated(address.clone())),
    }
}

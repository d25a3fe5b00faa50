//! What mail a domain takes: Email 2.0 or ordinary mail (spec §12.1). Ordinary only when it is
//! definite that the domain does not speak Email 2.0; whatever fails is temporary.

use email2::known::KnownDomain;
use email2::{Domain, capability, limits};
use email2_io::dns::Srv;
use email2_io::{Answer, DnsError};

use crate::remote::Remote;
use crate::resolve::ResolveError;
use crate::speaks::{self, DomainFacts, FoundRecord};

/// What mail a domain takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spoken {
    /// Sealed mail, to hosts that are authenticated for the domain.
    Email2,
    /// Ordinary mail only.
    Ordinary,
}

/// Why it cannot be told what mail a domain takes: not now, or never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WayError {
    /// Not now: a lookup failed.
    #[error("{0}")]
    Temporary(String),
    /// The record or the SRV lookup fails, the domain's MX answers, and the domain is not known to
    /// speak Email 2.0: temporary as well. Who has waited so for [`email2::limits::DNS_PATIENCE`]
    /// asks the author what to do (spec §12.1.4).
    #[error("{0}")]
    Unanswered(String),
    /// The domain does not exist (enhanced code 5.1.2).
    #[error("{0} does not exist in DNS")]
    NoDomain(Domain),
    /// The domain says that it takes no mail (RFC 7505, enhanced code 5.1.10).
    #[error("{0} takes no mail (null MX)")]
    NullMx(Domain),
}

impl WayError {
    /// Whether trying again later makes sense.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, WayError::Temporary(_) | WayError::Unanswered(_))
    }
}

impl From<ResolveError> for WayError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NoDomain(domain) => WayError::NoDomain(domain),
            ResolveError::NullMx(domain) => WayError::NullMx(domain),
            ResolveError::Dns { .. } => WayError::Temporary(error.to_string()),
        }
    }
}

impl Remote {
    /// What mail `domain` takes, by what is remembered, its own record in DNS and its SRV record
    /// (spec §12.1.1); ordinary mail only where both are definitely absent (spec §12.1.2). A host
    /// that shows EMAIL2 where nothing else did is remembered when it is met (spec §12.1.3).
    ///
    /// # Errors
    /// See [`WayError`]; a domain known to speak Email 2.0 gives none, whatever DNS says now
    /// (spec §2.4.1).
    pub async fn way_to(&self, domain: &Domain) -> Result<Spoken, WayError> {
        let (known, record, direct) = self.asked_of(domain).await?;
        let mut unanswered = None;
        let mut facts = DomainFacts {
            domain: domain.clone(),
            record: None,
            known,
        };
        match record {
            Ok(record) => facts.record = record,
            Err(error) => unanswered = Some(error.to_string()),
        }
        if facts.has_withdrawn() {
            self.reachable(domain).await?;
            return Ok(Spoken::Ordinary);
        }
        if facts.speaks(self.now()) || self.has_shown(domain) || is_offered(&direct) {
            return Ok(Spoken::Email2);
        }
        if let Err(error) = direct
            && !error.is_absence()
        {
            let why = format!("looking up {}.{domain}: {error}", capability::SRV_LABEL);
            unanswered.get_or_insert(why);
        }
        self.reachable(domain).await?;
        unanswered.map_or(Ok(Spoken::Ordinary), |why| Err(WayError::Unanswered(why)))
    }

    /// Memory, record and SRV. Only a memory that fails is an error here.
    async fn asked_of(&self, domain: &Domain) -> Result<Found, WayError> {
        let known = self.known(domain).await;
        let known = known.map_err(|error| WayError::Temporary(error.to_string()))?;
        let name = format!("{}.{domain}", capability::SRV_LABEL);
        let record = speaks::record_at(self.world(), domain);
        let (record, direct) = futures::join!(record, self.world().dns.srv(&name));
        Ok((known, record, direct))
    }

    /// Whether a host of `domain` that was authenticated showed EMAIL2 a while ago.
    pub(crate) fn has_shown(&self, domain: &Domain) -> bool {
        self.inner.shown.get(domain, self.now()).is_some()
    }

    /// A host that is authenticated for `domain` shows EMAIL2 (spec §12.1.3).
    pub(crate) fn has_seen_email2(&self, domain: &Domain) {
        let (now, shown) = (self.now(), &self.inner.shown);
        shown.put(domain.clone(), (), now, limits::ENCRYPT_TTL);
    }

    /// Whether the domain has a host at all that takes mail.
    async fn reachable(&self, domain: &Domain) -> Result<(), WayError> {
        self.exchangers(domain).await?;
        Ok(())
    }
}

/// What was asked first.
type Found = (
    Option<KnownDomain>,
    Result<Option<FoundRecord>, ResolveError>,
    Result<Answer<Srv>, DnsError>,
);

/// A target of `.` offers nothing (RFC 2782).
fn is_offered(direct: &Result<Answer<Srv>, DnsError>) -> bool {
    let answer = direct.as_ref();
    answer.is_ok_and(|answer| answer.records.iter().any(|srv| !srv.target.is_empty()))
}

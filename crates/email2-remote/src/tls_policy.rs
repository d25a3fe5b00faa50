//! What TLS to a host of ordinary mail must be (spec §12.2): DANE where it applies, else MTA-STS,
//! else whatever the host offers.

use std::sync::Arc;

use email2::Domain;
use email2_io::tls::OrdinaryTrust;
use email2_smtp::client::StartTls;

use crate::connect::{Asked, OpenError, Session};
use crate::dane::{Named, Records};
use crate::mta_sts::{Found, Mode, Policy};
use crate::remote::Remote;
use crate::resolve::Host;
use crate::way::WayError;

/// What TLS to one host must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Whatever it offers: encrypted if it can be, authenticated by nobody (RFC 7435).
    Opportunistic,
    /// By its TLSA records, which DNSSEC secures; when none of them can be used, TLS without
    /// authentication (RFC 7672 §2.2).
    Dane(Named),
    /// By the policy of the domain (RFC 8461).
    MtaSts(Policy),
}

impl TlsPolicy {
    /// Whether mail waits when the host does not keep to it.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        match self {
            TlsPolicy::Opportunistic => false,
            TlsPolicy::Dane(_) => true,
            TlsPolicy::MtaSts(policy) => policy.mode == Mode::Enforce,
        }
    }

    fn trust(&self) -> OrdinaryTrust {
        match self {
            TlsPolicy::Dane(named) => {
                OrdinaryTrust::Pinned(Arc::new(Records(named.records.clone())))
            }
            TlsPolicy::MtaSts(_) if self.is_enforced() => OrdinaryTrust::Named,
            _ => OrdinaryTrust::Anybody,
        }
    }

    /// The name that `host` is asked for (RFC 7672 §2.2.3, RFC 8461 §4.1).
    fn name<'a>(&'a self, host: &'a Host) -> &'a str {
        match self {
            TlsPolicy::Dane(named) => &named.base,
            _ => &host.name,
        }
    }

    /// Only a host that the policy names is delivered to (spec §12.2.3, RFC 8461 §4.1).
    fn admits(&self, domain: &Domain, host: &Host) -> Result<(), OpenError> {
        let TlsPolicy::MtaSts(policy) = self else {
            return Ok(());
        };
        if policy.names(&host.name) {
            return Ok(());
        }
        let error = OpenError::NotNamed(policy.mismatch(domain, &host.name));
        if self.is_enforced() {
            return Err(error);
        }
        tracing::warn!(%domain, %error, "MTA-STS, in testing mode");
        Ok(())
    }
}

impl Remote {
    /// What TLS to `host`, a mail host of `domain`, must be.
    ///
    /// # Errors
    /// [`WayError::Temporary`]: a lookup failed, so that nothing may be concluded (spec §12.2.2).
    pub async fn tls_policy(&self, domain: &Domain, host: &Host) -> Result<TlsPolicy, WayError> {
        if let Some(named) = self.inner.connector.tlsa(host).await? {
            return Ok(TlsPolicy::Dane(named));
        }
        match self.mta_sts(domain, None).await {
            Found::Policy(policy) => Ok(TlsPolicy::MtaSts(policy)),
            Found::Absent => Ok(TlsPolicy::Opportunistic),
            // RFC 8461 §3.3: as if there were no policy.
            Found::Unfetched(why) => {
                tracing::warn!(%domain, why, "no MTA-STS policy can be had");
                Ok(TlsPolicy::Opportunistic)
            }
            Found::Unasked(why) => Err(WayError::Temporary(why)),
        }
    }

    /// Opens a dialogue for ordinary mail with `host`, a mail host of `domain`, as `policy`
    /// demands. It is no dialogue of Email 2.0: no key is asked over it and no password sent.
    ///
    /// # Errors
    /// See [`OpenError`]; [`OpenError::SpeaksEmail2`] when the host turns out to speak Email 2.0 and
    /// is authenticated for the domain: then [`Remote::way_to`] says so from now on (spec §12.1.3).
    pub async fn open_ordinary(
        &self,
        domain: &Domain,
        host: &Host,
        policy: &TlsPolicy,
    ) -> Result<Session, OpenError> {
        policy.admits(domain, host)?;
        let connector = &self.inner.connector;
        let mut asked = Asked {
            name: policy.name(host).to_owned(),
            trust: policy.trust(),
            start_tls: match policy.is_enforced() {
                true => StartTls::Demanded,
                false => StartTls::IfOffered,
            },
        };
        let opened = connector.open_ordinary(domain, host, &asked).await;
        let session = match opened {
            Err(OpenError::Tls { failure, .. }) if asked.start_tls == StartTls::IfOffered => {
                tracing::warn!(%domain, host = host.name, %failure, "TLS fails: in clear (RFC 7435)");
                asked.start_tls = StartTls::Never;
                connector.open_ordinary(domain, host, &asked).await?
            }
            other => other?,
        };
        if session.extensions().email2 && session.assurance().is_some() {
            self.has_seen_email2(domain);
            self.part(session);
            return Err(OpenError::SpeaksEmail2 {
                host: host.name.clone(),
                domain: domain.clone(),
            });
        }
        Ok(session)
    }
}

//! A dialogue for ordinary mail: STARTTLS as a policy demands it (spec §12.2).

use email2::Domain;
use email2_io::Stream;
use email2_io::drive::Driver;
use email2_io::tls::{AcceptedName, OrdinaryTrust, TlsAsk};
use email2_smtp::Client;
use email2_smtp::client::{ClientConfig, Event, Failure, StartTls};

use super::{Connector, OpenError, Session, dialogue, greet};
use crate::resolve::Host;

impl Connector {
    /// Opens a dialogue with `host`, up to EHLO; in clear where `start_tls` lets it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(crate) async fn open_ordinary(
        &self,
        domain: &Domain,
        host: &Host,
        trust: &OrdinaryTrust,
        start_tls: StartTls,
    ) -> Result<Session, OpenError> {
        let stream = self.reach(host).await?;
        let config = ClientConfig {
            name: self.name.clone(),
            tls: false,
            start_tls,
            credentials: None,
        };
        let mut driver = self.drive_as(config, stream);
        let mut matched = None;
        let extensions = loop {
            match driver.next().await {
                Ok(Some(Event::Ready(extensions))) => break extensions,
                Ok(Some(Event::StartTls)) => {
                    driver = self
                        .secure_ordinary(domain, host, driver, trust, &mut matched)
                        .await?;
                    break greet(&mut driver, host).await?;
                }
                Ok(Some(Event::Failed(failure))) => return Err(dialogue(host, failure)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(dialogue(host, Failure::Lost)),
            }
        };
        let opened = self.world.clock.monotonic();
        Ok(Session::ordinary(
            driver,
            host.clone(),
            extensions,
            matched.as_ref(),
            opened,
        ))
    }

    async fn secure_ordinary(
        &self,
        domain: &Domain,
        host: &Host,
        driver: Driver<Client>,
        trust: &OrdinaryTrust,
        matched: &mut Option<AcceptedName>,
    ) -> Result<Driver<Client>, OpenError> {
        let ask = asked(domain, host, trust);
        let secure = async |stream: Stream| {
            let secured = self.tls.connect_ordinary(stream, &ask, trust).await;
            let secured = secured.map_err(|failure| OpenError::Tls {
                host: host.name.clone(),
                failure,
            })?;
            *matched = secured.matched;
            Ok::<Stream, OpenError>(secured.stream)
        };
        let mut driver = driver.upgrade(secure).await?;
        let now = self.world.clock.monotonic();
        driver.machine().tls_active(now);
        Ok(driver)
    }
}

/// The host's own name is asked for; an authority that DANE names may have certified the domain
/// as well (RFC 7672 §3.2.2).
fn asked(domain: &Domain, host: &Host, trust: &OrdinaryTrust) -> TlsAsk {
    let mut names = vec![AcceptedName::Host(host.name.clone())];
    if matches!(trust, OrdinaryTrust::Pinned(_)) {
        names.push(AcceptedName::Host(domain.to_string()));
    }
    TlsAsk {
        sni: host.name.clone(),
        names,
        alpn: None,
        pins: None,
    }
}

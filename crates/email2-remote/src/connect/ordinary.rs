//! A dialogue for ordinary mail: STARTTLS as a policy demands it (spec §12.2).

use email2::Domain;
use email2_io::Stream;
use email2_io::drive::Driver;
use email2_io::tls::{AcceptedName, OrdinaryTrust, TlsAsk};
use email2_smtp::Client;
use email2_smtp::client::{ClientConfig, Event, Failure, StartTls};

use super::{Connector, OpenError, Session, dialogue, greet};
use crate::resolve::Host;

/// What is asked of a host of ordinary mail.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The name that it is asked for.
    pub(crate) name: String,
    /// How far it must show who it is.
    pub(crate) trust: OrdinaryTrust,
    /// Whether TLS is demanded.
    pub(crate) start_tls: StartTls,
}

impl Connector {
    /// Opens a dialogue with `host`, up to EHLO; in clear where `asked` lets it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(crate) async fn open_ordinary(
        &self,
        domain: &Domain,
        host: &Host,
        asked: &Asked,
    ) -> Result<Session, OpenError> {
        let stream = self.reach(host).await?;
        let config = ClientConfig {
            name: self.name.clone(),
            tls: false,
            start_tls: asked.start_tls,
            credentials: None,
        };
        let mut driver = self.drive_as(config, stream);
        let mut matched = None;
        let extensions = loop {
            match driver.next().await {
                Ok(Some(Event::Ready(extensions))) => break extensions,
                Ok(Some(Event::StartTls)) => {
                    driver = self
                        .secure_ordinary(domain, host, driver, asked, &mut matched)
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
        asked: &Asked,
        matched: &mut Option<AcceptedName>,
    ) -> Result<Driver<Client>, OpenError> {
        let ask = ask(domain, asked);
        let secure = async |stream: Stream| {
            let secured = self.tls.connect_ordinary(stream, &ask, &asked.trust);
            let secured = secured.await;
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

/// An authority that DANE names may have certified the domain as well (RFC 7672 §3.2.2).
fn ask(domain: &Domain, asked: &Asked) -> TlsAsk {
    let mut names = vec![AcceptedName::Host(asked.name.clone())];
    if matches!(asked.trust, OrdinaryTrust::Pinned(_)) {
        names.push(AcceptedName::Host(domain.to_string()));
    }
    TlsAsk {
        sni: asked.name.clone(),
        names,
        alpn: None,
        pins: None,
    }
}

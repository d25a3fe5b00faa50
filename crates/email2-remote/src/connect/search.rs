//! Tries the hosts of a domain in order.

use std::time::Duration;

use email2::Domain;
use email2_io::clock::{Elapsed, within};

use super::{Connector, OpenError, Session};
use crate::resolve::Host;

/// What trying the hosts of a domain came to.
#[derive(Debug, Default)]
pub struct Search {
    /// A dialogue that shows EMAIL2: with a host that is authenticated for the domain, if one is.
    pub session: Option<Session>,
    /// Why those hosts are skipped that were reached and show no EMAIL2, or do not exist
    /// (spec §2.4.2).
    pub silent: Vec<String>,
    /// Why each of the other hosts is none to talk to.
    pub failures: Vec<String>,
    /// Why it is not definite that nothing authenticates the session: the domain's MTA-STS policy
    /// cannot be had, or names other hosts (spec §2.2.2).
    pub undecided: Option<String>,
    /// Hosts that a connection was made to, whatever became of it.
    pub reached: usize,
}

impl Search {
    /// Whether no host could be connected to, from here and now.
    #[must_use]
    pub fn reached_nobody(&self) -> bool {
        self.session.is_none() && self.silent.is_empty() && self.reached == 0
    }

    /// Why no host could be talked to, for people.
    #[must_use]
    pub fn why(&self) -> String {
        let all: Vec<&str> = self
            .failures
            .iter()
            .chain(&self.silent)
            .map(String::as_str)
            .collect();
        match all.as_slice() {
            [] => "it has no host to ask".to_owned(),
            all => all.join("; "),
        }
    }
}

impl Connector {
    /// Tries `hosts` in order, each for `each` at most, until one shows EMAIL2 and is
    /// authenticated for `domain`; one that is not is kept for the case that none is.
    pub async fn search(&self, domain: &Domain, hosts: &[Host], each: Duration) -> Search {
        let mut search = Search::default();
        for host in hosts {
            let opening = self.open(domain, host, None);
            match within(&*self.world.clock, each, opening).await {
                Err(Elapsed) => search.fail(host, "no answer in time"),
                Ok(Err(error)) if error.offers_no_tls() => {
                    search.skip(host, "offers no STARTTLS");
                }
                Ok(Err(error)) if error.is_no_host() => search.skip(host, "has no address in DNS"),
                Ok(Err(error)) => search.failed(&error),
                Ok(Ok(session)) if !session.extensions().email2 => {
                    search.skip(host, "shows no EMAIL2");
                    session.close(&self.world).await;
                }
                Ok(Ok(session)) if session.assurance().is_some() => {
                    if let Some(other) = search.session.replace(session) {
                        other.close(&self.world).await;
                    }
                    return search;
                }
                Ok(Ok(session)) => {
                    search.session.get_or_insert(session);
                }
            }
        }
        search
    }
}

impl Search {
    fn skip(&mut self, host: &Host, why: &str) {
        self.silent.push(format!("{} {why}", host.name));
    }

    fn fail(&mut self, host: &Host, why: &str) {
        self.failures.push(format!("{}: {why}", host.name));
    }

    fn failed(&mut self, error: &OpenError) {
        self.reached += usize::from(!matches!(error, OpenError::Connect { .. }));
        self.failures.push(error.to_string());
    }
}

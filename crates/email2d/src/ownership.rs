//! Which of the served domains this server speaks for without asking the network (spec §2.2.5):
//! those the administrator declared `local`, and those whose published hosts name this server.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::address::Domain;
use email2_remote::resolve::{Host, ResolveError};
use email2_store::{Scope, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// How often DNS is looked at again.
const RECHECK: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings of the server with this prefix and a domain's name stand for each that was named.
const KEPT: &str = "ownership/";

/// The domains whose published hosts named this server when they were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    named: Mutex<HashSet<Domain>>,
}

impl Ownership {
    /// Did the hosts of `domain` name this server?
    pub(crate) fn is_named(&self, domain: &Domain) -> bool {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.contains(domain)
    }

    /// Takes up again what was found before the last stop: who cannot be asked at the start keeps
    /// the last answer (spec §2.2.5).
    ///
    /// # Errors
    /// As the store says.
    pub(crate) async fn recall(&self, store: &Store) -> Result<(), StoreError> {
        for (name, _) in store.settings(Scope::Server, KEPT).await? {
            let domain = name.strip_prefix(KEPT).map(Domain::parse);
            if let Some(Ok(domain)) = domain {
                self.set(&domain, true);
            }
        }
        Ok(())
    }

    fn set(&self, domain: &Domain, is_named: bool) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if is_named {
            named.insert(domain.clone());
        } else {
            named.remove(domain);
        }
    }
}

/// Looks at the published hosts of every domain that is not declared `local`, now and daily,
/// until `stop`.
pub(crate) async fn watch(site: Arc<Site>, stop: CancellationToken) {
    let published = site.config.domains.iter().filter(|domain| !domain.local);
    let published: Vec<Domain> = published.map(|domain| domain.name.clone()).collect();
    if published.is_empty() {
        return;
    }
    let daily = async {
        loop {
            for domain in &published {
                look(&site, domain).await;
            }
            site.world.clock.sleep(RECHECK).await;
        }
    };
    stop.run_until_cancelled(daily).await;
}

async fn look(site: &Site, domain: &Domain) {
    let before = site.ownership.is_named(domain);
    let hosts = site.remote.hosts(domain).await;
    let is_named = conclude(before, &hosts, site.config.hostname.as_str());
    site.ownership.set(domain, is_named);
    if is_named != before
        && let Err(error) = keep(&site.store, domain, is_named).await
    {
        tracing::warn!(%domain, %error, "what its hosts name is forgotten at the next stop");
    }
    match (is_named, hosts) {
        (true, _) => tracing::info!(%domain, "its published hosts name this server"),
        (false, Ok(_)) => tracing::warn!(%domain, "its published hosts do not name this server"),
        (false, Err(error)) => tracing::warn!(%domain, %error, "its hosts cannot be looked up"),
    }
}

async fn keep(store: &Store, domain: &Domain, is_named: bool) -> Result<(), StoreError> {
    let value = is_named.then(|| b"named".to_vec());
    let values = vec![(format!("{KEPT}{domain}"), value)];
    store.set(Scope::Server, values).await
}

/// A failing lookup keeps the last answer; a definite other answer ends it.
fn conclude(before: bool, hosts: &Result<Vec<Host>, ResolveError>, us: &str) -> bool {
    match hosts {
        Ok(hosts) => hosts.iter().any(|host| host.name == us),
        Err(error) => before && error.is_temporary(),
    }
}

#[cfg(test)]
mod tests {
    use email2_io::DnsError;
    use email2_remote::resolve::Way;
    use email2_store::Opening;

    use super::*;

    #[tokio::test]
    async fn the_last_answer_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let domain: Domain = "example.org".parse().unwrap();
        let recalled = async || {
            let store = Store::open(folder.path(), Opening::Visit, 1).unwrap();
            let ownership = Ownership::default();
            ownership.recall(&store).await.unwrap();
            ownership.is_named(&domain)
        };
        let store = Store::open(folder.path(), Opening::Serve, 1).unwrap();
        assert!(!recalled().await);
        keep(&store, &domain, true).await.unwrap();
        assert!(recalled().await);
        keep(&store, &domain, false).await.unwrap();
        assert!(!recalled().await);
    }

    fn host(name: &str) -> Host {
        Host {
            name: name.to_owned(),
            port: 25,
            way: Way::Mx,
            secure: false,
            named: false,
        }
    }

    #[test]
    fn only_a_definite_other_answer_ends_it() {
        let us = "mx.example.com";
        let named = Ok(vec![host("mx.example.net"), host(us)]);
        let others = Ok(vec![host("mx.example.net")]);
        let failing = Err(ResolveError::Dns {
            name: "example.org".to_owned(),
            error: DnsError::ServFail,
        });
        let gone = Err(ResolveError::NoDomain("example.org".parse().unwrap()));
        assert!(conclude(false, &named, us));
        assert!(!conclude(true, &others, us));
        assert!(conclude(true, &failing, us));
        assert!(!conclude(false, &failing, us));
        assert!(!conclude(true, &gone, us));
    }
}

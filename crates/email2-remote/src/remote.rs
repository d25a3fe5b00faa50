//! The door: what all questions to other domains have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use email2::known::KnownDomain;
use email2::{Address, Domain};
use email2_io::limit::SourcePrefix;
use email2_io::tls::{ClientTls, TlsError};
use email2_io::{NetworkConfig, World};

use crate::connect::{Connector, Places, Search, Session};
use crate::fence::{Budget, Fence};
use crate::https::{Answered, FetchError, Page};
use crate::keys::{ANSWERS, Asked, Flights, IdleSessions, KeyCache, Question, Recalled, Shelf};
use crate::memory::{Memory, MemoryError};
use crate::mta_sts;
use crate::recent::Recent;
use crate::resolve::{self, Host, ResolveError};
use crate::speaks::{self, DomainFacts};

/// Other domains' servers. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Remote {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) connector: Connector,
    pub(crate) mx_port: u16,
    pub(crate) https_port: u16,
    pub(crate) memory: Arc<dyn Memory>,
    pub(crate) budget: Budget,
    pub(crate) cache: KeyCache,
    pub(crate) flights: Flights<Question, Asked>,
    pub(crate) openings: Flights<Domain, ()>,
    pub(crate) idle: IdleSessions,
    pub(crate) shelf: Shelf,
    /// The same for what domains say of themselves.
    pub(crate) words: Shelf,
    /// Domains without a record whose authenticated hosts showed EMAIL2 (spec §12.1.3).
    pub(crate) shown: Recent<Domain, ()>,
    pub(crate) policies: Flights<Domain, mta_sts::Found>,
    /// Why a policy of this id could not be fetched a moment ago.
    pub(crate) unfetched: Recent<(Domain, String), String>,
    pub(crate) ordinary_keys: Recent<Address, Recalled>,
}

/// An authority that a person named for their own server: it speaks for their domain and for
/// no other (spec §2.6.1).
#[derive(Clone, Debug)]
pub struct HomeTrust {
    /// The person's domain.
    pub domain: Domain,
    /// The authority's certificate, PEM.
    pub ca_file: PathBuf,
}

impl HomeTrust {
    fn tls(&self, network: &NetworkConfig, world: &World) -> Result<(Domain, ClientTls), TlsError> {
        let files: Vec<&Path> = network
            .ca_file
            .iter()
            .chain([&self.ca_file])
            .map(PathBuf::as_path)
            .collect();
        let tls = ClientTls::trusting(&files, Arc::clone(&world.clock))?;
        Ok((self.domain.clone(), tls))
    }
}

impl Remote {
    /// Asks over `world` as `network` says, remembers in `memory`; `name` is what we call
    /// ourselves in EHLO (RFC 5321 §4.1.1.1).
    ///
    /// # Errors
    /// The `ca_file` cannot be read, or there is no authority to trust at all.
    pub fn new(
        world: World,
        memory: Arc<dyn Memory>,
        network: &NetworkConfig,
        name: &str,
    ) -> Result<Self, TlsError> {
        Remote::trusting(world, memory, network, name, None)
    }

    /// The same, where `home` is trusted too, for its domain.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn trusting(
        world: World,
        memory: Arc<dyn Memory>,
        network: &NetworkConfig,
        name: &str,
        home: Option<&HomeTrust>,
    ) -> Result<Self, TlsError> {
        let tls = ClientTls::new(network.ca_file.as_deref(), Arc::clone(&world.clock))?;
        let home = home.map(|home| home.tls(network, &world)).transpose()?;
        let inner = Inner {
            mx_port: network.mx_port,
            https_port: network.https_port,
            memory,
            budget: Budget::new(Arc::clone(&world.clock)),
            cache: KeyCache::default(),
            flights: Flights::default(),
            openings: Flights::default(),
            idle: IdleSessions::default(),
            shelf: Shelf::of_keys(Arc::clone(&world.clock)),
            words: Shelf::of_words(Arc::clone(&world.clock)),
            shown: Recent::default(),
            policies: Flights::default(),
            unfetched: Recent::default(),
            ordinary_keys: Recent::of(ANSWERS),
            connector: Connector {
                fence: Fence::new(network.allow_addresses.clone()),
                places: Places::default(),
                name: name.to_owned(),
                world,
                tls,
                home,
            },
        };
        Ok(Remote {
            inner: Arc::new(inner),
        })
    }

    /// From here on these addresses, our own listeners', are never connected to (spec §2.7.2).
    pub fn keep_away_from(&self, own: Vec<SocketAddr>) {
        self.inner.connector.fence.keep_away_from(own);
    }

    /// A way to a person's own server: without the fence, for nobody else chose it (spec §2.6).
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector {
            fence: Fence::open(),
            ..self.inner.connector.clone()
        }
    }

    /// What can be known of `domain` without asking its hosts: its record in DNS, found upwards,
    /// and what is remembered.
    ///
    /// # Errors
    /// [`ResolveError::Dns`]: nothing may be concluded (spec §2.3.3). A memory that fails counts
    /// as a failure of DNS.
    pub async fn domain(&self, domain: &Domain) -> Result<DomainFacts, ResolveError> {
        let record = speaks::record(self.world(), domain).await?;
        let known = self.known(domain).await.map_err(|error| {
            tracing::warn!(%domain, %error, "memory of domains fails");
            ResolveError::Dns {
                name: domain.to_string(),
                error: email2_io::DnsError::ServFail,
            }
        })?;
        Ok(DomainFacts {
            domain: domain.clone(),
            record,
            known,
        })
    }

    /// The hosts of `domain` for mail and KEY.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn hosts(&self, domain: &Domain) -> Result<Vec<Host>, ResolveError> {
        resolve::hosts(self.world(), domain, self.inner.mx_port).await
    }

    /// The MX hosts of `domain`, in the order to try them: where ordinary mail goes.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn exchangers(&self, domain: &Domain) -> Result<Vec<Host>, ResolveError> {
        resolve::exchangers(self.world(), domain, self.inner.mx_port).await
    }

    /// Fetches a page for a policy or a key.
    pub(crate) async fn fetch(&self, page: &Page) -> Result<Answered, FetchError> {
        let port = self.inner.https_port;
        self.inner.connector.fetch(page, port).await
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.connector.world
    }

    pub(crate) fn now(&self) -> u64 {
        self.world().now()
    }

    pub(crate) async fn known(&self, domain: &Domain) -> Result<Option<KnownDomain>, MemoryError> {
        self.inner.memory.domain(domain).await
    }

    /// Whether `domain` is remembered to speak Email 2.0. A memory that fails says yes: nothing
    /// definite may follow from it.
    pub(crate) async fn is_remembered(&self, domain: &Domain) -> bool {
        match self.known(domain).await {
            Ok(known) => known.is_some_and(|known| known.speaks(self.now())),
            Err(_) => true,
        }
    }

    /// Finds a host of `domain`; `source` is the stranger who caused it, if one did.
    pub(crate) async fn search(
        &self,
        domain: &Domain,
        each: Duration,
        source: Option<SourcePrefix>,
    ) -> Result<Search, ResolveError> {
        let hosts = self.hosts(domain).await?;
        let search = self.inner.connector.search(domain, &hosts, each).await;
        Ok(self.by_policy(domain, &hosts, search, each, source).await)
    }

    /// Ends a dialogue without letting anybody wait for it.
    pub(crate) fn part(&self, session: Session) {
        let world = self.world().clone();
        tokio::spawn(async move { session.close(&world).await });
    }
}

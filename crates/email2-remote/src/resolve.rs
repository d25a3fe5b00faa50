//! The hosts of a mail domain (spec §2.1): SRV, then MX, with implicit MX and null MX
//! (RFC 5321 §5.1, RFC 7505, spec §2.1.4).

use email2::{Domain, capability};
use email2_io::dns::{Mx, Srv};
use email2_io::{Answer, DnsError, World};
use rand_core::RngCore;

/// Hosts of one kind that are tried at most.
const HOSTS: usize = 10;

/// The lowest port that a direct host may have, but for [`HTTPS`] (spec §2.1.2).
const FIRST_FREE_PORT: u16 = 1024;

/// The port recommended for direct hosts (spec §2.1).
const HTTPS: u16 = 443;

/// How a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// TLS from the first octet, ALPN `email2`.
    Direct,
    /// STARTTLS.
    Mx,
    /// TLS from the first octet (RFC 8314): submission or IMAP.
    Implicit,
}

/// A host to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// Its name, as the records write it; aliases are followed for addresses only.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub way: Way,
    /// Whether DNSSEC secures every record from the domain to this name (spec §2.2.4).
    pub secure: bool,
    /// Whether an enforced MTA-STS policy of its domain names it: looked at where nothing else
    /// authenticates a person's own server (spec §2.6.1).
    pub named: bool,
}

/// Why a domain has no hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The domain does not exist.
    #[error("{0} does not exist in DNS")]
    NoDomain(Domain),
    /// The domain says that it takes no mail (RFC 7505, spec §2.1.4).
    #[error("{0} takes no mail (null MX)")]
    NullMx(Domain),
    /// DNS failed: nothing may be concluded (spec §2.3.3).
    #[error("looking up {name}: {error}")]
    Dns {
        /// What was looked up.
        name: String,
        /// How it failed.
        error: DnsError,
    },
}

impl ResolveError {
    /// Whether trying again later makes sense.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, ResolveError::Dns { .. })
    }
}

/// The hosts of `domain` for mail and KEY, in the order to try them: MX hosts, at `mx_port`, stand
/// behind direct ones, so that they are tried when no direct host can be reached and
/// authenticated (spec §2.1.3).
///
/// # Errors
/// See [`ResolveError`].
pub async fn hosts(
    world: &World,
    domain: &Domain,
    mx_port: u16,
) -> Result<Vec<Host>, ResolveError> {
    let name = format!("{}.{domain}", capability::SRV_LABEL);
    let (direct, exchangers) = futures::join!(world.dns.srv(&name), world.dns.mx(domain.as_str()));
    let mut found = match direct {
        Ok(answer) => direct_hosts(world, answer),
        Err(error) if error.is_absence() => Vec::new(),
        Err(error) => return Err(ResolveError::Dns { name, error }),
    };
    match mx_hosts(world, domain, exchangers, mx_port) {
        Ok(hosts) => found.extend(hosts),
        Err(error) if found.is_empty() => return Err(error),
        Err(_) => {}
    }
    Ok(found)
}

/// The MX hosts of `domain`, at `port`: where ordinary mail goes (RFC 5321 §5.1).
///
/// # Errors
/// See [`ResolveError`].
pub async fn exchangers(
    world: &World,
    domain: &Domain,
    port: u16,
) -> Result<Vec<Host>, ResolveError> {
    let found = world.dns.mx(domain.as_str()).await;
    mx_hosts(world, domain, found, port)
}

/// The hosts of `service` (`_submissions._tcp`, `_imaps._tcp`) of `domain`, else its MX hosts at
/// `port` (spec §2.6).
///
/// # Errors
/// See [`ResolveError`].
pub async fn own_hosts(
    world: &World,
    domain: &Domain,
    service: &str,
    port: u16,
) -> Result<Vec<Host>, ResolveError> {
    let name = format!("{service}.{domain}");
    match world.dns.srv(&name).await {
        Ok(answer) => {
            let secure = answer.secure;
            let ordered = in_order(world, answer.records);
            let offered = ordered.into_iter().filter(|srv| !srv.target.is_empty());
            Ok(offered
                .map(|srv| host(srv.target, srv.port, Way::Implicit, secure))
                .collect())
        }
        Err(error) if error.is_absence() => {
            let exchangers = world.dns.mx(domain.as_str()).await;
            let mut hosts = mx_hosts(world, domain, exchangers, port)?;
            for host in &mut hosts {
                host.way = Way::Implicit;
            }
            Ok(hosts)
        }
        Err(error) => Err(ResolveError::Dns { name, error }),
    }
}

fn host(name: String, port: u16, way: Way, secure: bool) -> Host {
    Host {
        name,
        port,
        way,
        secure,
        named: false,
    }
}

/// SRV hosts that may be used: a port below 1024 belongs to another service, and a target of `.`
/// means "use MX" (spec §2.1.2).
fn direct_hosts(world: &World, answer: Answer<Srv>) -> Vec<Host> {
    let usable = answer.records.into_iter().filter(|srv| {
        let port = srv.port == HTTPS || srv.port >= FIRST_FREE_PORT;
        port && !srv.target.is_empty()
    });
    in_order(world, usable.collect())
        .into_iter()
        .take(HOSTS)
        .map(|srv| host(srv.target, srv.port, Way::Direct, answer.secure))
        .collect()
}

fn mx_hosts(
    world: &World,
    domain: &Domain,
    exchangers: Result<Answer<Mx>, DnsError>,
    port: u16,
) -> Result<Vec<Host>, ResolveError> {
    match exchangers {
        Ok(answer) => exchanger_hosts(world, domain, answer, port),
        // RFC 5321 §5.1: without MX, the domain is its own exchanger.
        Err(DnsError::NoData { secure }) => Ok(vec![host(
            domain.as_str().to_owned(),
            port,
            Way::Mx,
            secure,
        )]),
        Err(DnsError::NxDomain { .. }) => Err(ResolveError::NoDomain(domain.clone())),
        Err(error) => Err(ResolveError::Dns {
            name: domain.to_string(),
            error,
        }),
    }
}

/// By preference, equal ones in random order (RFC 5321 §5.1).
fn exchanger_hosts(
    world: &World,
    domain: &Domain,
    answer: Answer<Mx>,
    port: u16,
) -> Result<Vec<Host>, ResolveError> {
    let mut rng = world.rng();
    let named = answer
        .records
        .into_iter()
        .filter(|mx| !mx.exchange.is_empty());
    let mut shuffled: Vec<(u16, u32, String)> = named
        .map(|mx| (mx.preference, rng.next_u32(), mx.exchange))
        .collect();
    if shuffled.is_empty() {
        return Err(ResolveError::NullMx(domain.clone()));
    }
    shuffled.sort();
    Ok(shuffled
        .into_iter()
        .take(HOSTS)
        .map(|(_, _, name)| host(name, port, Way::Mx, answer.secure))
        .collect())
}

/// By priority, those of one priority in an order drawn by weight (RFC 2782).
fn in_order(world: &World, mut records: Vec<Srv>) -> Vec<Srv> {
    let mut rng = world.rng();
    records.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let peers = records.iter().take_while(|srv| srv.priority == priority);
        let weights: Vec<u64> = peers.map(|srv| u64::from(srv.weight)).collect();
        let drawn = rng.next_u64() % (weights.iter().sum::<u64>() + 1);
        let mut running = 0;
        let chosen = weights.iter().position(|weight| {
            running += weight;
            running >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

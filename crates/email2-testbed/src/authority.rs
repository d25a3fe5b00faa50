//! The DNS of the world: one server that is authoritative for the root and everything
//! below, signed from the root down, and that can be told to fail or to lie.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Metadata, ResponseCode};
use hickory_proto::rr::{LowerName, RData, Record, RecordType};
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{Catalog, MessageResponseBuilder, ZoneHandler};
use tokio::net::{TcpListener, UdpSocket};

use crate::failure::{Outcome, Step};
use crate::zone::{self, Zone, ZoneKey};

/// How long an idle TCP connection is kept.
const IDLE: Duration = Duration::from_secs(10);
/// Answers waiting for one TCP connection.
const ANSWERS_WAITING: usize = 32;
/// Labels of the deepest zone served.
const DEEPEST: usize = 6;

/// Top-level zones that always exist: a name that does not exist below one of them is
/// proved absent (hickory-server 0.26 does not prove absence in the root itself).
const TOP_LEVEL: [&str; 4] = ["com", "example", "net", "org"];

/// What the server does instead of answering.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers SERVFAIL.
    ServFail,
    /// Does not answer.
    Timeout,
    /// Answers with these addresses, MX or other data, unsigned, as an attacker on the path would.
    Forged(Vec<RData>),
}

/// A running DNS server.
pub struct Authority {
    address: SocketAddr,
    anchor: String,
    keys: BTreeMap<String, ZoneKey>,
    zones: BTreeMap<String, Zone>,
    served: Served,
    server: hickory_server::Server<Served>,
}

impl Authority {
    /// Starts to serve the root on a free port of `address`, by UDP and TCP.
    ///
    /// # Errors
    /// The address cannot be bound, or a key cannot be made.
    pub fn start(address: IpAddr) -> Outcome<Authority> {
        let (udp, tcp) = sockets(address, 0)?;
        let address = udp.local_addr().step("DNS socket")?;
        let served = Served::default();
        let mut server = hickory_server::Server::new(served.clone());
        server.register_socket(udp);
        server.register_listener(tcp, IDLE, ANSWERS_WAITING);
        let root = ZoneKey::generate()?;
        let anchor = root.anchor()?;
        let mut authority = Authority {
            address,
            anchor,
            keys: BTreeMap::from([(String::new(), root)]),
            zones: BTreeMap::new(),
            served,
            server,
        };
        authority.add(Zone::new("").signed())?;
        for top in TOP_LEVEL {
            authority.add(Zone::new(top).signed())?;
        }
        authority.serve()?;
        Ok(authority)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers at `port` of its address as well: programs that read a `resolv.conf` ask at 53.
    ///
    /// # Errors
    /// The port cannot be bound (those below 1024 need root).
    pub fn answer_at_port(&mut self, port: u16) -> Outcome<()> {
        let (udp, tcp) = sockets(self.address.ip(), port)?;
        self.server.register_socket(udp);
        self.server.register_listener(tcp, IDLE, ANSWERS_WAITING);
        Ok(())
    }

    /// The trust anchor: the root's DNSKEY as a line of a zone file.
    #[must_use]
    pub fn anchor(&self) -> &str {
        &self.anchor
    }

    /// The zone as it was last published.
    #[must_use]
    pub fn zone(&self, origin: &str) -> Option<&Zone> {
        self.zones.get(origin)
    }

    /// Serves the zone, new or in place of the one of that name; parents are made signed
    /// where they are missing, and delegate to it.
    ///
    /// # Errors
    /// A record or key is not usable.
    pub fn publish(&mut self, zone: Zone) -> Outcome<()> {
        let mut parent = parent_of(zone.origin());
        while let Some(origin) = parent {
            if !self.zones.contains_key(origin) {
                self.add(Zone::new(origin).signed())?;
            }
            parent = parent_of(origin);
        }
        self.add(zone)?;
        self.serve()
    }

    fn add(&mut self, zone: Zone) -> Outcome<()> {
        let origin = zone.origin().to_owned();
        if zone.is_signed() && !self.keys.contains_key(&origin) {
            self.keys.insert(origin.clone(), ZoneKey::generate()?);
        }
        self.zones.insert(origin, zone);
        Ok(())
    }

    /// From now on, questions for this name (and type, when one is given) meet the fault.
    ///
    /// # Errors
    /// The name is not one.
    pub fn fault(&self, name: &str, kind: Option<RecordType>, fault: Fault) -> Outcome<()> {
        let name = LowerName::new(&zone::name(name)?);
        self.served.state().faults.push((name, kind, fault));
        Ok(())
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.served.state().faults.clear();
    }

    /// Stops.
    pub async fn stop(mut self) {
        if let Err(error) = self.server.shutdown_gracefully().await {
            tracing::debug!(%error, "DNS server");
        }
    }

    /// Signs and serves all zones as they are now.
    fn serve(&self) -> Outcome<()> {
        let mut handlers = Vec::new();
        for (origin, zone) in &self.zones {
            let mut delegations = Vec::new();
            for (child, of) in &self.zones {
                if parent_of(child) == Some(origin.as_str()) {
                    let key = self.keys.get(child).filter(|_| of.is_signed());
                    delegations.extend(zone::delegation(child, key)?);
                }
            }
            let key = self.keys.get(origin).filter(|_| zone.is_signed());
            handlers.push(zone::serve(zone, delegations, key, self.address.ip())?);
        }
        self.served.state().catalogs = Catalogs::of(&handlers);
        Ok(())
    }
}

/// The parent zone's name: every name but the root has one, label by label.
pub(crate) fn parent_of(origin: &str) -> Option<&str> {
    match origin.split_once('.') {
        Some((_, parent)) => Some(parent),
        None if origin.is_empty() => None,
        None => Some(""),
    }
}

/// The same port for both (0: a free one): hickory-server takes the sockets ready-made.
fn sockets(address: IpAddr, port: u16) -> Outcome<(UdpSocket, TcpListener)> {
    let udp = std::net::UdpSocket::bind((address, port)).step("DNS socket")?;
    udp.set_nonblocking(true).step("DNS socket")?;
    let bound = udp.local_addr().step("DNS socket")?;
    let tcp = std::net::TcpListener::bind(bound).step("DNS socket")?;
    tcp.set_nonblocking(true).step("DNS socket")?;
    let udp = UdpSocket::from_std(udp).step("DNS socket")?;
    Ok((udp, TcpListener::from_std(tcp).step("DNS socket")?))
}

/// The zones as catalogs: a question for DS belongs to the parent, so it is asked in the
/// catalog of the zones above its name (a catalog that held both would ask the child).
#[derive(Default)]
struct Catalogs {
    all: Arc<Catalog>,
    /// By number of labels: the zones with fewer.
    above: Vec<Arc<Catalog>>,
}

impl Catalogs {
    fn of(handlers: &[(LowerName, Arc<dyn ZoneHandler>)]) -> Catalogs {
        let below = |labels: usize| {
            let mut catalog = Catalog::new();
            for (origin, handler) in handlers {
                if usize::from(origin.num_labels()) < labels {
                    catalog.upsert(origin.clone(), vec![Arc::clone(handler)]);
                }
            }
            Arc::new(catalog)
        };
        Catalogs {
            all: below(usize::MAX),
            above: (0..=DEEPEST).map(below).collect(),
        }
    }

    fn for_question(&self, name: &LowerName, kind: RecordType) -> Arc<Catalog> {
        let labels = usize::from(name.num_labels());
        let above = self.above.get(labels).filter(|_| labels > 0);
        match above {
            Some(parents) if kind == RecordType::DS => Arc::clone(parents),
            _ => Arc::clone(&self.all),
        }
    }
}

#[derive(Default)]
struct State {
    catalogs: Catalogs,
    faults: Vec<(LowerName, Option<RecordType>, Fault)>,
}

/// What the server's tasks see.
#[derive(Clone, Default)]
struct Served(Arc<Mutex<State>>);

impl Served {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalog and the fault for a question; of several faults the newest.
    fn find(&self, name: &LowerName, kind: RecordType) -> (Arc<Catalog>, Option<Fault>) {
        let state = self.state();
        let mut faults = state.faults.iter().rev();
        let fault = faults.find(|(of, only, _)| of == name && only.is_none_or(|only| only == kind));
        let catalog = state.catalogs.for_question(name, kind);
        (catalog, fault.map(|(_, _, fault)| fault.clone()))
    }
}

#[async_trait::async_trait]
impl RequestHandler for Served {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response: R,
    ) -> ResponseInfo {
        let Ok(info) = request.request_info() else {
            return refuse(request, response, ResponseCode::FormErr).await;
        };
        let (name, kind) = (info.query.name().clone(), info.query.query_type());
        match self.find(&name, kind) {
            (catalog, None) => catalog.handle_request::<R, T>(request, response).await,
            (_, Some(Fault::ServFail)) => refuse(request, response, ResponseCode::ServFail).await,
            (_, Some(Fault::Timeout)) => unanswered(request),
            (_, Some(Fault::Forged(data))) => lie(request, response, &name, data).await,
        }
    }
}

async fn refuse<R: ResponseHandler>(
    request: &Request,
    mut response: R,
    code: ResponseCode,
) -> ResponseInfo {
    let message = MessageResponseBuilder::new(&request.queries, None);
    let sent = response
        .send_response(message.error_msg(&request.metadata, code))
        .await;
    sent.unwrap_or_else(|_| unanswered(request))
}

async fn lie<R: ResponseHandler>(
    request: &Request,
    mut response: R,
    name: &LowerName,
    data: Vec<RData>,
) -> ResponseInfo {
    let records: Vec<Record> = data
        .into_iter()
        .map(|data| Record::from_rdata(name.into(), 30, data))
        .collect();
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.authoritative = true;
    let builder = MessageResponseBuilder::new(&request.queries, None);
    let message = builder.build(metadata, &records, None, None, None);
    let sent = response.send_response(message).await;
    sent.unwrap_or_else(|_| unanswered(request))
}

/// What the server's own log is told when nothing was sent.
fn unanswered(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    ResponseInfo::from(hickory_proto::op::Header {
        metadata,
        counts: hickory_proto::op::HeaderCounts::default(),
    })
}

//! The network between the hosts of a simulation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use email2_io::net::{Connection, Listener, Net};
use futures::future::BoxFuture;

use super::dice::Dice;
use super::pipe::{Link, Pipe};
use super::time::{SimTime, Until};
use super::trace::Trace;
use super::weather::{Hit, Weather};

/// The first port of connecting hosts.
const FIRST_PORT: u16 = 40_000;

/// The network of one simulation; clones are the same network.
#[derive(Clone, Debug)]
pub struct Network {
    time: SimTime,
    trace: Trace,
    weather: Arc<Weather>,
    hub: Arc<Mutex<Hub>>,
}

#[derive(Debug)]
struct Hub {
    dice: Dice,
    listeners: BTreeMap<SocketAddr, Door>,
    links: Vec<Weak<Mutex<Link>>>,
    made: u64,
    strikes: Strikes,
    crashes: BTreeSet<IpAddr>,
}

#[derive(Debug, Default)]
struct Door {
    waiting: VecDeque<Connection>,
    waker: Option<Waker>,
}

/// Where connections were hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strikes {
    /// After which octet, by side.
    pub places: BTreeSet<(usize, u64)>,
    /// How many in all.
    pub count: u64,
}

impl Network {
    /// A network with this weather.
    #[must_use]
    pub fn new(seed: u64, time: SimTime, trace: Trace, weather: Weather) -> Network {
        let hub = Hub {
            dice: Dice::new(seed, "connections"),
            listeners: BTreeMap::new(),
            links: Vec::new(),
            made: 0,
            strikes: Strikes::default(),
            crashes: BTreeSet::new(),
        };
        Network {
            time,
            trace,
            weather: Arc::new(weather),
            hub: Arc::new(Mutex::new(hub)),
        }
    }

    /// The network as a host of this address has it.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> HostNet {
        HostNet {
            network: self.clone(),
            ip,
        }
    }

    /// What goes wrong here.
    #[must_use]
    pub fn weather(&self) -> &Weather {
        &self.weather
    }

    /// Where connections were hit until now.
    #[must_use]
    pub fn strikes(&self) -> Strikes {
        self.lock().strikes.clone()
    }

    /// Hosts that a connection took down since this was last asked.
    #[must_use]
    pub fn take_crashes(&self) -> BTreeSet<IpAddr> {
        std::mem::take(&mut self.lock().crashes)
    }

    /// Whether a connection took a host down since that was last asked.
    #[must_use]
    pub fn has_crashes(&self) -> bool {
        !self.lock().crashes.is_empty()
    }

    /// A host is gone: nobody listens there, and its connections end.
    pub fn down(&self, ip: IpAddr) {
        let ended = {
            let mut hub = self.lock();
            hub.listeners.retain(|address, _| address.ip() != ip);
            let silent = hub.dice.percent(50);
            let links: Vec<_> = hub.links.iter().filter_map(Weak::upgrade).collect();
            let hit = if silent { Hit::Silence } else { Hit::Reset };
            links.into_iter().map(move |link| (link, hit))
        };
        for (link, hit) in ended {
            let mut link = link.lock().unwrap_or_else(PoisonError::into_inner);
            if link.ends.iter().any(|end| end.ip() == ip) {
                link.end(hit);
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.time.now()
    }

    pub(super) fn until(&self, moment: Duration) -> Until {
        self.time.until(moment)
    }

    pub(super) fn passes(&self, ends: [IpAddr; 2]) -> Duration {
        self.weather.passes(ends, self.time.now())
    }

    pub(super) fn struck(&self, link: u64, hit: Hit, side: usize, after: u64) {
        let whose = if side == 0 { "caller" } else { "callee" };
        self.trace
            .note(format_args!("#{link} {hit:?} after {after} of the {whose}"));
        let strikes = &mut self.lock().strikes;
        strikes.count += 1;
        strikes.places.insert((side, after));
    }

    pub(super) fn crash_wanted(&self, ip: IpAddr) {
        self.lock().crashes.insert(ip);
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(self, from: IpAddr, to: SocketAddr) -> io::Result<Connection> {
        let through = self.passes([from, to.ip()]);
        let fate = {
            let now = self.now();
            self.weather.fate(&mut self.lock().dice, now)
        };
        self.until(through + fate.latency).await;
        let mut hub = self.lock();
        if !hub.listeners.contains_key(&to) {
            drop(hub);
            self.trace.note(format_args!("{from} -> {to} refused"));
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        hub.made += 1;
        let number = hub.made;
        let port = FIRST_PORT + u16::try_from(number % 20_000).unwrap_or(0);
        let ends = [SocketAddr::new(from, port), to];
        let link = Arc::new(Mutex::new(Link::new(number, ends, fate)));
        hub.links.retain(|link| link.strong_count() > 0);
        hub.links.push(Arc::downgrade(&link));
        let arrived = connection(&link, 1, ends, &self);
        let waker = hub.listeners.get_mut(&to).and_then(|door| {
            door.waiting.push_back(arrived);
            door.waker.take()
        });
        drop(hub);
        self.trace.note(format_args!("#{number} {from} -> {to}"));
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(connection(&link, 0, ends, &self))
    }

    fn poll_accept(&self, at: SocketAddr, context: &Context<'_>) -> Poll<io::Result<Connection>> {
        let mut hub = self.lock();
        let Some(door) = hub.listeners.get_mut(&at) else {
            return Poll::Pending;
        };
        match door.waiting.pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                door.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn connection(
    link: &Arc<Mutex<Link>>,
    side: usize,
    ends: [SocketAddr; 2],
    network: &Network,
) -> Connection {
    let [caller, callee] = ends;
    let (local, peer) = if side == 0 {
        (caller, callee)
    } else {
        (callee, caller)
    };
    Connection {
        stream: Box::new(Pipe::new(Arc::clone(link), side, network.clone())),
        local,
        peer,
    }
}

/// The network of one host.
#[derive(Clone, Debug)]
pub struct HostNet {
    network: Network,
    ip: IpAddr,
}

impl Net for HostNet {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(self.network.clone().connect(self.ip, address))
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let mut hub = self.network.lock();
            if hub.listeners.contains_key(&address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            hub.listeners.insert(address, Door::default());
            let network = self.network.clone();
            Ok(Box::new(SimListener { network, address }) as Box<dyn Listener>)
        })
    }
}

#[derive(Debug)]
struct SimListener {
    network: Network,
    address: SocketAddr,
}

impl Listener for SimListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(poll_fn(|context| {
            self.network.poll_accept(self.address, context)
        }))
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let gone = self.network.lock().listeners.remove(&self.address);
        // Connections that nobody took end with the door.
        drop(gone);
    }
}

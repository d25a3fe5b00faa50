//! The machinery of a simulation: time, network, DNS and machines, run by one thread, one thing
//! after the other.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use email2_io::World;
use futures::FutureExt;
use tokio::task::JoinHandle;

use super::dns::{Records, SimDns};
use super::host::Host;
use super::net::Network;
use super::time::{HostClock, SimTime};
use super::trace::Trace;
use super::weather::Weather;
use crate::failure::{Failure, Outcome, Step};
use crate::sim::dice::SeededEntropy;

/// Turns without time passing before a simulation counts as running in circles.
const CIRCLES: u32 = 100_000;

/// The address of a machine by its number.
#[must_use]
pub fn ip(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// Time, network, DNS and machines of one simulation.
#[derive(Debug)]
pub struct Stage {
    /// What chance comes from.
    pub seed: u64,
    /// Its time.
    pub time: SimTime,
    /// What happened.
    pub trace: Trace,
    /// Its network.
    pub network: Network,
    dns: SimDns,
    hosts: BTreeMap<IpAddr, Host>,
    lives: u64,
}

impl Stage {
    /// A stage without machines; with `lines`, what happens is kept in words.
    #[must_use]
    pub fn new(seed: u64, records: Arc<Records>, weather: Weather, lines: bool) -> Stage {
        let time = SimTime::default();
        let trace = Trace::new(time.clone(), lines);
        Stage {
            seed,
            network: Network::new(seed, time.clone(), trace.clone(), weather.clone()),
            dns: SimDns::new(seed, records, time.clone(), trace.clone(), weather),
            time,
            trace,
            hosts: BTreeMap::new(),
            lives: 0,
        }
    }

    /// Puts a machine up; what ran at `ip` before is gone. Its clock is `ahead` seconds ahead.
    ///
    /// # Errors
    /// Its runtime cannot be made.
    pub fn put_up(&mut self, ip: IpAddr, ahead: i64) -> Outcome<(&Host, World)> {
        self.lives += 1;
        // A machine that starts again throws other dice than before.
        let name = format!("{ip}, life {}", self.lives);
        let world = World {
            clock: Arc::new(HostClock::new(self.time.clone(), ahead)),
            entropy: Arc::new(SeededEntropy::new(self.seed, &name)),
            dns: Arc::new(self.dns.clone()),
            net: Arc::new(self.network.host(ip)),
        };
        self.hosts.insert(ip, Host::new(ip)?);
        let host = self.hosts.get(&ip).step("machine")?;
        Ok((host, world))
    }

    /// The machine at `ip`, while it is up.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> Option<&Host> {
        self.hosts.get(&ip)
    }

    /// A machine goes down: whatever runs on it ends where it is.
    pub fn take_down(&mut self, ip: IpAddr) {
        self.network.down(ip);
        self.hosts.remove(&ip);
    }

    /// All go on until nobody has anything to do.
    ///
    /// # Errors
    /// They run in circles.
    pub fn settle(&self) -> Outcome<()> {
        for _ in 0..CIRCLES {
            let mut moved = false;
            for host in self.hosts.values().filter(|host| host.is_busy()) {
                host.turn();
                moved = true;
            }
            if !moved {
                return Ok(());
            }
        }
        Err(Failure {
            step: "simulation".to_owned(),
            why: "it runs in circles".to_owned(),
        })
    }

    /// All go on, and time with them, until `moment` or until a machine goes down; true when
    /// `moment` is reached.
    ///
    /// # Errors
    /// As [`Stage::settle`].
    pub fn go_on(&self, moment: Duration) -> Outcome<bool> {
        loop {
            self.settle()?;
            if self.network.has_crashes() {
                return Ok(false);
            }
            match self.time.next() {
                Some(next) if next <= moment => {
                    self.time.advance();
                }
                _ => {
                    self.time.jump(moment);
                    return Ok(true);
                }
            }
        }
    }

    /// All go on until `task` is done.
    ///
    /// # Errors
    /// It is not done within `limit`, or it panicked.
    pub fn wait_for<T>(&self, mut task: JoinHandle<T>, limit: Duration) -> Outcome<T> {
        let deadline = self.time.now() + limit;
        loop {
            self.settle()?;
            if let Some(done) = (&mut task).now_or_never() {
                return done.step("a task of the simulation");
            }
            let next = self.time.next().filter(|next| *next <= deadline);
            next.step("time for a task of the simulation")?;
            self.time.advance();
        }
    }
}

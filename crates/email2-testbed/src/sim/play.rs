//! One simulation: bad weather for a while, then calm, then the reckoning.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use email2_store::{EntryFilter, Opening, QueueId, Store, Threads};
use email2d::Running;
use futures::FutureExt;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::control::{self, Received};
use super::dice::Dice;
use super::inspect::{Findings, inspect};
use super::ledger::{self, Ledger};
use super::life::Life;
use super::net::Strikes;
use super::stage::{Stage, ip};
use super::time::EPOCH;
use super::town::{self, Citizen, Seat, Town, copy_folder};
use super::weather::Weather;
use crate::failure::{Failure, Outcome, Step};

/// Within this time after the weather has cleared, everything must have arrived, or its author
/// must hold a clear failure: the longest pause between attempts (spec §8.1), twice, and one
/// hour.
pub const CALM: Duration = Duration::from_secs(9 * 3600);
/// How long a server may take to end in order.
const DRAIN: Duration = Duration::from_secs(3600);
/// The longest that a machine stays down, seconds.
const DOWN: u64 = 1800;

/// What came of one simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What was found at the end.
    pub findings: Findings,
    /// Where connections were hit.
    pub strikes: Strikes,
    /// How often a machine went down without warning.
    pub crashes: u64,
    /// How much happened.
    pub events: u64,
    /// The number that stands for everything that happened.
    pub hash: u64,
    /// What happened, where it was kept in words.
    pub lines: Vec<String>,
}

/// Plays the simulation of `seed`; with `lines`, what happens is kept in words.
///
/// # Errors
/// Something could not be set up, or a program failed where it must not.
pub fn play(town: &Town, seed: u64, lines: bool) -> Outcome<Report> {
    let mut play = Play::prepare(town, seed, lines)?;
    play.everybody_up()?;
    play.until(play.bad_until)?;
    let end = play.bad_until + CALM;
    while !play.is_over()? && play.stage.time.now() < end {
        play.until(play.stage.time.now() + play.pause)?;
    }
    play.reckon()
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A machine goes down; in order, where it is asked to.
    Down { ip: IpAddr, in_order: bool },
    /// It is put up again.
    Up(IpAddr),
}

struct Play<'a> {
    town: &'a Town,
    stage: Stage,
    folder: TempDir,
    servers: Vec<Seat>,
    people: Vec<Citizen>,
    running: BTreeMap<IpAddr, Running>,
    lives: BTreeMap<IpAddr, JoinHandle<Outcome<()>>>,
    /// What the host of ordinary mail took.
    ordinary: Received,
    /// How far each machine's clock is ahead, seconds.
    ahead: BTreeMap<IpAddr, i64>,
    ledger: Ledger,
    plot: BTreeMap<Duration, Vec<Event>>,
    dice: Dice,
    bad_until: Duration,
    /// How often people look after their outbox.
    pause: Duration,
    crashes: u64,
    copies: u64,
}

impl<'a> Play<'a> {
    fn prepare(town: &'a Town, seed: u64, lines: bool) -> Outcome<Play<'a>> {
        let mut dice = Dice::new(seed, "plot");
        let folder = town::folder()?;
        let (servers, people) = town.copy(folder.path())?;
        let bad_until = Duration::from_secs(length(&mut dice));
        let mut hosts: Vec<IpAddr> = servers.iter().map(|server| server.ip).collect();
        hosts.extend(people.iter().map(|citizen| citizen.ip));
        hosts.push(ip(town::ORDINARY));
        let weather = Weather::draw(&mut dice, bad_until, &hosts);
        let stage = Stage::new(seed, Arc::clone(&town.records), weather, lines);
        let addresses: Vec<_> = people
            .iter()
            .map(|citizen| citizen.address.clone())
            .collect();
        let letters = ledger::letters(&mut dice, &addresses, bad_until);
        let ledger = Ledger::new(letters, stage.trace.clone());
        let mut play = Play {
            town,
            folder,
            servers,
            people,
            running: BTreeMap::new(),
            lives: BTreeMap::new(),
            ordinary: Received::default(),
            ahead: hosts.iter().map(|ip| (*ip, clock(&mut dice))).collect(),
            ledger,
            plot: BTreeMap::new(),
            dice,
            bad_until,
            pause: Duration::from_secs((bad_until.as_secs() / 100).max(300)),
            stage,
            crashes: 0,
            copies: 0,
        };
        play.plan_falls(&hosts);
        Ok(play)
    }

    /// Machines go down now and then, some in order.
    fn plan_falls(&mut self, hosts: &[IpAddr]) {
        for ip in hosts {
            if self.dice.percent(30) {
                let at = Duration::from_secs(self.dice.below(self.bad_until.as_secs()));
                let in_order = self.dice.percent(30);
                let down = Event::Down { ip: *ip, in_order };
                self.plot.entry(at).or_default().push(down);
            }
        }
    }

    fn everybody_up(&mut self) -> Outcome<()> {
        let hosts: Vec<IpAddr> = self.ahead.keys().copied().collect();
        hosts.into_iter().try_for_each(|ip| self.up(ip))
    }

    /// The simulation goes on until `end`.
    fn until(&mut self, end: Duration) -> Outcome<()> {
        loop {
            let next = self.plot.keys().next().copied();
            let next = next.filter(|moment| *moment <= end);
            if self.stage.go_on(next.unwrap_or(end))? {
                if next.is_none() {
                    return Ok(());
                }
                let events = self.plot.pop_first().map(|(_, events)| events);
                for event in events.unwrap_or_default() {
                    self.happen(event)?;
                }
            }
            for ip in self.stage.network.take_crashes() {
                self.fall(ip)?;
            }
            self.look_after_lives()?;
        }
    }

    /// Everything was written and has left, from people and from their servers.
    fn is_over(&self) -> Outcome<bool> {
        if !(self.plot.is_empty() && self.ledger.is_settled()) {
            return Ok(false);
        }
        for server in &self.servers {
            if !is_queue_empty(server, EPOCH + self.stage.time.now().as_secs())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn happen(&mut self, event: Event) -> Outcome<()> {
        self.stage.trace.note(format_args!("{event:?}"));
        match event {
            Event::Up(ip) => self.up(ip),
            Event::Down { ip, in_order: true } if self.running.contains_key(&ip) => self.end(ip),
            Event::Down { ip, .. } => self.fall(ip),
        }
    }

    fn up(&mut self, ip: IpAddr) -> Outcome<()> {
        if self.stage.host(ip).is_some() {
            return Ok(());
        }
        let ahead = self.ahead.get(&ip).copied().unwrap_or(0);
        let (host, world) = self.stage.put_up(ip, ahead)?;
        if let Some(server) = self.servers.iter().find(|server| server.ip == ip) {
            let task = host.spawn(town::serve(server.config.clone(), world));
            let running = self.stage.wait_for(task, Duration::ZERO)??;
            self.running.insert(ip, running);
            return Ok(());
        }
        if ip == self::ip(town::ORDINARY) {
            let (at, received) = (SocketAddr::new(ip, 25), Arc::clone(&self.ordinary));
            drop(host.spawn(control::receive(world, at, false, received)));
            return Ok(());
        }
        let citizen = self.people.iter().find(|citizen| citizen.ip == ip);
        let (network, ledger) = (self.town.network.clone(), self.ledger.clone());
        let citizen = citizen.step("citizen")?.clone();
        let pause = self.pause;
        let task = host.spawn(async move {
            let life = Life::begin(&citizen, world, &network, ledger, pause)?;
            life.go_on().await
        });
        self.lives.insert(ip, task);
        Ok(())
    }

    /// A machine goes down without warning; it comes back with its disk as it was then.
    fn fall(&mut self, ip: IpAddr) -> Outcome<()> {
        if self.stage.host(ip).is_none() {
            return Ok(());
        }
        self.crashes += 1;
        if ip == self::ip(town::ORDINARY) {
            self.forget(ip);
            self.plan_return(ip);
            return Ok(());
        }
        self.copies += 1;
        let disk = self.folder.path().join(format!("disk-{}", self.copies));
        let place = match self.servers.iter_mut().find(|server| server.ip == ip) {
            Some(server) => &mut server.config.data_directory,
            None => {
                let citizen = self.people.iter_mut().find(|citizen| citizen.ip == ip);
                &mut citizen.step("machine")?.home
            }
        };
        copy_folder(place, &disk)?;
        let before = std::mem::replace(place, disk);
        self.forget(ip);
        std::fs::remove_dir_all(before).step("old disk")?;
        self.plan_return(ip);
        Ok(())
    }

    /// A server ends in order.
    fn end(&mut self, ip: IpAddr) -> Outcome<()> {
        let running = self.running.remove(&ip).step("server")?;
        let host = self.stage.host(ip).step("machine")?;
        let task = host.spawn(running.drain());
        self.stage.wait_for(task, DRAIN)?;
        self.forget(ip);
        self.plan_return(ip);
        Ok(())
    }

    fn forget(&mut self, ip: IpAddr) {
        self.running.remove(&ip);
        self.lives.remove(&ip);
        self.stage.take_down(ip);
    }

    fn plan_return(&mut self, ip: IpAddr) {
        let pause = Duration::from_secs(1 + self.dice.spread(DOWN));
        let back = self.stage.time.now() + pause;
        self.plot.entry(back).or_default().push(Event::Up(ip));
    }

    /// Nobody's life ends by itself.
    fn look_after_lives(&mut self) -> Outcome<()> {
        for (ip, life) in &mut self.lives {
            match life.now_or_never() {
                None => {}
                Some(Ok(Err(failure))) => return Err(failure),
                Some(ended) => {
                    let why = format!("{ended:?}");
                    let step = format!("program at {ip}");
                    return Err(Failure { step, why });
                }
            }
        }
        Ok(())
    }

    fn reckon(mut self) -> Outcome<Report> {
        for ip in self.ahead.keys().copied().collect::<Vec<_>>() {
            self.forget(ip);
        }
        let ordinary = self.ordinary.lock().map(|all| all.clone());
        let ordinary = ordinary.unwrap_or_default();
        Ok(Report {
            seed: self.stage.seed,
            findings: inspect(&self.servers, &self.people, &self.ledger, &ordinary)?,
            strikes: self.stage.network.strikes(),
            crashes: self.crashes,
            events: self.stage.trace.events(),
            hash: self.stage.trace.hash(),
            lines: self.stage.trace.lines(),
        })
    }
}

fn is_queue_empty(server: &Seat, now: u64) -> Outcome<bool> {
    let data = &server.config.data_directory;
    let store = Store::open_with(data, Opening::Visit, Threads::None, now).step("store")?;
    let all = EntryFilter::default();
    let waiting = store.entries_after(QueueId(0), &all, 1);
    let waiting = waiting.now_or_never().step("queue, at once")?;
    Ok(waiting.step("queue")?.is_empty())
}

/// How long the weather stays bad, seconds: mostly hours, now and then longer than a seal lives.
fn length(dice: &mut Dice) -> u64 {
    if dice.percent(1) {
        return dice.between(9 * 86_400, 13 * 86_400);
    }
    dice.between(600, 3600)
}

/// How far a clock is ahead, seconds: mostly a little, now and then more than a verifier lets
/// pass (spec §4.9.1).
fn clock(dice: &mut Dice) -> i64 {
    let seconds = i64::try_from(match dice.below(10) {
        0 => dice.between(600, 1800),
        1..=4 => dice.below(120),
        _ => 0,
    });
    let seconds = seconds.unwrap_or(0);
    if dice.percent(50) { seconds } else { -seconds }
}

//! A server whose queue a test watches, on a simulated machine: days pass in seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use email2::address::{Address, Domain, ReversePath};
use email2::seal::{ContentDigest, Role};
use email2_io::World;
use email2_io::clock::ShiftedClock;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
use email2_store::{Opening, QueueEntry, SpooledBody, Store, Threads};
use email2_testbed::forger::{Claim, seal_over};
use email2_testbed::sim::stage::{Stage, ip};
use email2_testbed::sim::time::EPOCH;
use email2_testbed::sim::town::{self, Seat, Town};
use email2_testbed::sim::weather::Weather;
use email2d::config::{Config, Listen};
use email2d::{Running, Server};
use futures::FutureExt;
use tempfile::TempDir;

use crate::exchanger::Exchanger;

/// The machine of the ordinary domain's host.
pub(crate) const ORDINARY: u8 = 21;

/// Further ordinary domains that it has the mail of.
pub(crate) const OTHERS: usize = 200;

/// The machine of another worker.
const WORKER: u8 = 22;

/// A machine of somebody who seals.
const DESK: u8 = 23;

/// How long starting may take.
const LIMIT: Duration = Duration::from_secs(600);

fn built() -> &'static Town {
    static TOWN: OnceLock<Town> = OnceLock::new();
    TOWN.get_or_init(|| Town::build().unwrap())
}

/// The servers of example.com and example.org, and the host of example.net.
pub(crate) struct Office {
    pub(crate) stage: Stage,
    /// What the letters that are queued say.
    pub(crate) text: &'static str,
    seats: Vec<Seat>,
    running: BTreeMap<&'static str, Running>,
    _folder: TempDir,
}

impl Office {
    /// All servers run; example.net's host as well if there is one.
    pub(crate) fn open(exchanger: Option<&Arc<Exchanger>>) -> Office {
        let town = built();
        let folder = town::folder().unwrap();
        let (seats, _) = town.copy(folder.path()).unwrap();
        let mut records = (*town.records).clone();
        records.publish_ordinary("example.net", ip(ORDINARY));
        for number in 0..OTHERS {
            records.publish_ordinary(&other(number), ip(ORDINARY));
        }
        let stage = Stage::new(7, Arc::new(records), Weather::default(), false);
        let mut office = Office {
            stage,
            text: "From: bob@example.org\r\nSubject: lunch\r\n\r\nAt noon?\r\n",
            seats,
            running: BTreeMap::new(),
            _folder: folder,
        };
        for domain in ["example.com", "example.org"] {
            office.start(domain);
        }
        if let Some(exchanger) = exchanger {
            office.put_up(exchanger);
        }
        office
    }

    pub(crate) fn start(&mut self, domain: &str) {
        self.start_in(domain, |_| ());
    }

    /// A server is started again, by a clock that a test moves.
    pub(crate) fn start_by_clock(&mut self, domain: &str) -> Arc<ShiftedClock> {
        self.take_down(domain);
        self.start_in(domain, |world| {
            let clock = Arc::new(ShiftedClock::new(Arc::clone(&world.clock)));
            world.clock = clock.clone();
            clock
        })
    }

    fn start_in<T>(&mut self, domain: &str, change: impl FnOnce(&mut World) -> T) -> T {
        let seat = self.seat(domain).clone();
        let (host, mut world) = self.stage.put_up(seat.ip, 0).unwrap();
        let changed = change(&mut world);
        let task = host.spawn(town::serve(seat.config, world));
        let running = self.stage.wait_for(task, LIMIT).unwrap().unwrap();
        self.running.insert(seat.domain, running);
        changed
    }

    /// Another machine serves from the store of a domain's server, beside it.
    pub(crate) fn start_beside(&mut self, domain: &str) {
        let mut config = self.seat(domain).config.clone();
        config.listen = Listen {
            mx: vec![SocketAddr::new(ip(WORKER), 25)],
            ..Listen::default()
        };
        let store = self.store(domain);
        let (host, world) = self.stage.put_up(ip(WORKER), 0).unwrap();
        let task = host.spawn(Server::start_with(config, world, store));
        let running = self.stage.wait_for(task, LIMIT).unwrap().unwrap();
        self.running.insert("beside", running);
    }

    /// A server's machine goes down, without a warning.
    pub(crate) fn take_down(&mut self, domain: &str) {
        let ip = self.seat(domain).ip;
        // With it goes its hold on the store.
        self.running.remove(domain);
        self.stage.take_down(ip);
    }

    /// A server is started again, with another configuration.
    pub(crate) fn configure(&mut self, domain: &str, change: impl FnOnce(&mut Config)) {
        self.take_down(domain);
        let mut seats = self.seats.iter_mut();
        change(&mut seats.find(|seat| seat.domain == domain).unwrap().config);
        self.start(domain);
    }

    /// The host of example.net comes up.
    pub(crate) fn put_up(&mut self, exchanger: &Arc<Exchanger>) {
        let at = SocketAddr::new(ip(ORDINARY), 25);
        let (host, world) = self.stage.put_up(ip(ORDINARY), 0).unwrap();
        drop(host.spawn(Arc::clone(exchanger).serve(world, at)));
    }

    fn seat(&self, domain: &str) -> &Seat {
        self.seats
            .iter()
            .find(|seat| seat.domain == domain)
            .unwrap()
    }

    pub(crate) fn store(&self, domain: &str) -> Store {
        let data = &self.seat(domain).config.data_directory;
        Store::open_with(data, Opening::Visit, Threads::None, self.now()).unwrap()
    }

    pub(crate) fn now(&self) -> u64 {
        EPOCH + self.stage.time.now().as_secs()
    }

    /// Time goes on.
    pub(crate) fn pass(&self, time: Duration) {
        let end = self.stage.time.now() + time;
        assert!(self.stage.go_on(end).unwrap(), "nobody goes down by itself");
    }

    /// Puts ordinary letters by bob for these recipients into example.org's queue, one each.
    pub(crate) fn queue(&self, recipients: &[String]) {
        self.queue_as(recipients, "", |_| {});
    }

    /// The same with details, and changed as `change` says.
    pub(crate) fn queue_as(
        &self,
        recipients: &[String],
        details: &str,
        change: impl Fn(&mut NewEntry),
    ) {
        let store = self.store("example.org");
        let body = spool(&store, self.text.as_bytes());
        let now = self.now();
        let entry = |recipient: &String| {
            let address = Address::parse(recipient).unwrap();
            let mut entry = NewEntry {
                group: recipient.clone(),
                domain: address.domain().clone(),
                mail_from: ReversePath::Address(Address::parse("bob@example.org").unwrap()),
                announced: None,
                recipients: vec![QueueRecipient {
                    address,
                    etag: None,
                    state: RecipientState::Waiting,
                    reply: None,
                }],
                body: body.clone(),
                front: Vec::new(),
                details: details.to_owned(),
                created: now,
                expires: now + email2::limits::QUEUE_LIFETIME,
                next_attempt: now,
            };
            change(&mut entry);
            entry
        };
        let entries = recipients.iter().map(entry).collect();
        store.enqueue(entries).now_or_never().unwrap().unwrap();
    }

    /// Puts as many letters into example.org's queue, sealed by bob for `recipient`.
    pub(crate) fn queue_sealed(&mut self, recipient: &str, count: usize) {
        let to = Address::parse(recipient).unwrap();
        let people = built().people.iter();
        let bob = people.clone().find(|who| who.address.local() == "bob");
        let (bob, store) = (bob.unwrap(), self.store("example.org"));
        let (_, world) = self.stage.put_up(ip(DESK), 0).unwrap();
        let from = bob.address.to_string();
        for number in 0..count {
            let content = format!("{}Letter {number}.\r\n", self.text);
            let digest = ContentDigest::of(content.as_bytes()).unwrap();
            let claim = Claim::now(&bob.address, &from, &bob.key);
            let seal = seal_over(&world, &to, &claim, digest).unwrap();
            let body = spool(&store, format!("{}{content}", seal.field()).as_bytes());
            self.queue_as(&[recipient.to_owned()], "", |entry| {
                entry.announced = Some((Role::Author, seal.signer.clone()));
                entry.body = body.clone();
            });
        }
    }

    pub(crate) fn waiting(&self) -> Vec<QueueEntry> {
        let store = self.store("example.org");
        store.entries().now_or_never().unwrap().unwrap()
    }

    /// Every reason that was written down about the oldest entry.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let store = self.store("example.org");
        let entries = store.entries().now_or_never().unwrap().unwrap();
        let attempts = store
            .attempts(entries.first().unwrap().id)
            .now_or_never()
            .unwrap();
        attempts
            .unwrap()
            .into_iter()
            .map(|attempt| attempt.said)
            .collect()
    }

    /// The octets of all messages in an inbox, oldest first.
    pub(crate) fn inbox(&self, address: &str) -> Vec<String> {
        let address = Address::parse(address).unwrap();
        let store = self.store(Domain::as_str(address.domain()));
        let read = async {
            let account = store.account(&address).await.unwrap().unwrap().id;
            let inbox = store.mailbox(account, "INBOX").await.unwrap().unwrap();
            let mut found = Vec::new();
            for message in store.messages(inbox.id).await.unwrap() {
                let body = store.message_body(message.id).await.unwrap();
                let size = usize::try_from(body.size()).unwrap();
                let octets = body.read(0, size).await.unwrap();
                found.push(String::from_utf8_lossy(&octets).into_owned());
            }
            found
        };
        read.now_or_never().unwrap()
    }
}

fn spool(store: &Store, octets: &[u8]) -> SpooledBody {
    let body = async {
        let mut writer = store.write_body().await.unwrap();
        writer.push(octets).await.unwrap();
        writer.finish().await.unwrap()
    };
    body.now_or_never().unwrap()
}

/// One of the further domains.
pub(crate) fn other(number: usize) -> String {
    format!("d{number}.example.net")
}

/// `count` people of example.net.
pub(crate) fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("dave{number}@example.net"))
        .collect()
}

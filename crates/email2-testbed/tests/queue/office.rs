//! A server whose queue a test watches, on a simulated machine: days pass in seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use email2::address::{Address, Domain, ReversePath};
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
use email2_store::{Opening, QueueEntry, Store, Threads};
use email2_testbed::sim::stage::{Stage, ip};
use email2_testbed::sim::time::EPOCH;
use email2_testbed::sim::town::{self, Seat, Town};
use email2_testbed::sim::weather::Weather;
use email2d::Running;
use email2d::config::Config;
use futures::FutureExt;
use tempfile::TempDir;

use crate::exchanger::Exchanger;

/// The machine of the ordinary domain's host.
pub(crate) const ORDINARY: u8 = 21;

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
        let seat = self.seat(domain).clone();
        let (host, world) = self.stage.put_up(seat.ip, 0).unwrap();
        let task = host.spawn(town::serve(seat.config, world));
        let running = self.stage.wait_for(task, LIMIT).unwrap().unwrap();
        self.running.insert(seat.domain, running);
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
        let body = async {
            let mut writer = store.write_body().await.unwrap();
            writer.push(self.text.as_bytes()).await.unwrap();
            writer.finish().await.unwrap()
        };
        let body = body.now_or_never().unwrap();
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

/// `count` people of example.net.
pub(crate) fn people(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("dave{number}@example.net"))
        .collect()
}

//! The control: ordinary SMTP in the same weather. Both machines are the real ones; the sender
//! repeats what was not acknowledged, as every mail server does, and the receiver has no seals by
//! which to know a message again. It must show duplicates, or the simulations see nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::address::{Address, ReversePath};
use email2_io::World;
use email2_io::clock::within;
use email2_io::drive::Driver;
use email2_io::net::Connection;
use email2_smtp::client::{Client, ClientConfig, Event as Said, StartTls};
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig};
use email2_smtp::{Envelope, Mail, Recipient};

use super::dice::Dice;
use super::stage::{Stage, ip};
use super::weather::Weather;
use crate::failure::{Outcome, Step};

/// How many letters are sent.
const LETTERS: u32 = 5;
/// How long the weather is bad.
const BAD: Duration = Duration::from_secs(3600);
/// The pause between attempts.
const PAUSE: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(30);
/// Until when everything must have been acknowledged.
const END: Duration = Duration::from_secs(4 * 3600);

/// What came of one control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Letters that were acknowledged.
    pub acknowledged: u64,
    /// Of those, the ones that are not there.
    pub lost: u64,
    /// Letters that are there more than once.
    pub duplicated: u64,
}

/// The messages received, as they came.
pub(super) type Received = Arc<Mutex<Vec<Vec<u8>>>>;

/// Plays the control of `seed`.
///
/// # Errors
/// It cannot be set up, or not everything is acknowledged in time.
pub fn control(seed: u64) -> Outcome<Control> {
    let (sender, receiver) = (ip(31), ip(32));
    let mut dice = Dice::new(seed, "plot");
    let weather = Weather::draw(&mut dice, BAD, &[sender, receiver]);
    let mut stage = Stage::new(seed, Arc::default(), weather, false);
    let at = SocketAddr::new(receiver, 25);
    let received = Received::default();
    let (host, world) = stage.put_up(receiver, 0)?;
    drop(host.spawn(receive(world, at, true, Arc::clone(&received))));
    let (host, world) = stage.put_up(sender, 0)?;
    let sending = host.spawn(send_all(world, at));
    let acknowledged = stage.wait_for(sending, END)??;
    let received = received.lock().unwrap_or_else(PoisonError::into_inner);
    let mut copies: BTreeMap<u32, u64> = BTreeMap::new();
    for number in 1..=LETTERS {
        let count = received.iter().filter(|there| **there == letter(number));
        copies.insert(number, count.count() as u64);
    }
    Ok(Control {
        acknowledged,
        lost: copies.values().filter(|count| **count == 0).count() as u64,
        duplicated: copies.values().filter(|count| **count > 1).count() as u64,
    })
}

fn letter(number: u32) -> Vec<u8> {
    let line = format!("This is letter {number}.\r\n");
    format!("Subject: letter {number}\r\n\r\n{}", line.repeat(50)).into_bytes()
}

/// Sends every letter until it is acknowledged; how many were.
async fn send_all(world: World, at: SocketAddr) -> Outcome<u64> {
    let mail = Mail::new(ReversePath::Address(address("bob@example.org")?));
    let to = address("alice@example.com")?;
    let mut acknowledged = 0;
    for number in 1..=LETTERS {
        let envelope = Envelope {
            mail: mail.clone(),
            recipients: vec![Recipient {
                address: to.clone(),
                etag: None,
            }],
        };
        while !attempt(&world, at, &envelope, &letter(number)).await {
            world.clock.sleep(PAUSE).await;
        }
        acknowledged += 1;
    }
    Ok(acknowledged)
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step("address")
}

/// One attempt: true when 250 was heard.
async fn attempt(world: &World, at: SocketAddr, envelope: &Envelope, content: &[u8]) -> bool {
    let connecting = world.net.connect(at);
    let Ok(Ok(connection)) = within(&*world.clock, CONNECT, connecting).await else {
        return false;
    };
    let config = ClientConfig {
        name: "mx.example.org".to_owned(),
        tls: true,
        start_tls: StartTls::Demanded,
        credentials: None,
    };
    let clock = Arc::clone(&world.clock);
    let machine = Client::new(config, clock.monotonic());
    let mut driver = Driver::new(machine, connection.stream, clock);
    let mut content = Some(content);
    while let Ok(Some(event)) = driver.next().await {
        let now = world.clock.monotonic();
        match event {
            Said::Ready(_) => driver.machine().deliver(envelope, now),
            Said::WantsContent => match content.take() {
                Some(content) => driver.machine().content(content, now),
                None => driver.machine().content_end(now),
            },
            Said::Delivered(outcomes) => {
                let taken = outcomes.iter().all(|outcome| outcome.result.is_ok());
                driver.close().await;
                return taken;
            }
            Said::Failed(_) | Said::Closed => return false,
            _ => {}
        }
    }
    false
}

/// Takes whatever comes; as if it came over TLS where it is `secured`.
pub(super) async fn receive(world: World, at: SocketAddr, secured: bool, received: Received) {
    let Ok(listener) = world.net.listen(at).await else {
        return;
    };
    while let Ok(connection) = listener.accept().await {
        let received = Arc::clone(&received);
        tokio::spawn(serve(world.clone(), connection, secured, received));
    }
}

async fn serve(world: World, connection: Connection, secured: bool, received: Received) {
    let config = ServerConfig {
        hostname: "mx.example.com".to_owned(),
        tls: secured,
        starttls: false,
        auth: Auth::NotOffered,
        size_limit: email2::limits::MESSAGE_OCTETS,
        recipients_limit: email2::limits::RECIPIENTS,
        postmaster: None,
    };
    let clock = Arc::clone(&world.clock);
    let machine = Server::new(config, clock.monotonic());
    let mut driver = Driver::new(machine, connection.stream, clock);
    let mut content = Vec::new();
    while let Ok(Some(event)) = driver.next().await {
        let now = world.clock.monotonic();
        match event {
            Event::Mail(_) | Event::Recipient(_) => driver.machine().answer(Answer::Accepted, now),
            Event::Content(octets) => content.extend(octets),
            Event::ContentEnd(_) => {
                let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
                received.push(std::mem::take(&mut content));
                drop(received);
                let stored = Answer::Stored("stored".to_owned());
                driver.machine().answer(stored, now);
            }
            Event::Reset(_) => content.clear(),
            Event::Closed => break,
            _ => {}
        }
    }
    driver.close().await;
}

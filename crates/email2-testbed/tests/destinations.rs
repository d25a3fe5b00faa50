//! Destinations that do harm: what they serve is bounded, what they do costs little, and what
//! they spoil is said.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use email2::address::Address;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::{Identity, KeyAnswer, KeyFlags, limits};
use email2_client::send::State;
use email2_io::World;
use email2_remote::KeyError;
use email2_testbed::domain::{Place, Plan};
use email2_testbed::loopback::MX_PORT;
use email2_testbed::person::Person;
use email2_testbed::rogue::{self, Act, Rogue, Script};
use email2_testbed::testbed::Testbed;

/// A domain that behaves, with one person, and a place where another is said to be.
struct Scene {
    testbed: Testbed,
    bob: Person,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set(elsewhere: &'static str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        testbed.add_domain(&Plan::new("example.com")).await.unwrap();
        let place = testbed.prepare(&Plan::new(elsewhere)).unwrap();
        let bob = Address::parse("bob@example.com").unwrap();
        Scene {
            bob: Person::set_up(&testbed, &bob).await.unwrap(),
            testbed,
            place,
            _folder: folder,
        }
    }

    async fn rogue(&self, script: Script) -> Rogue {
        let at = self.testbed.network.port(self.place.number, MX_PORT);
        let started = Rogue::start(&self.testbed.world, at, &self.place.files, script);
        started.await.unwrap()
    }
}

/// A server with EMAIL2 that answers KEY for an address so, and no other KEY.
fn answers_key(reply: Act) -> Script {
    Arc::new(move |said| {
        if said.is("KEY <@") {
            return Act::reply("550 5.7.1 no such key");
        }
        if said.is("KEY ") {
            return reply.clone();
        }
        match said.secured {
            true => rogue::polite(said, &["EMAIL2 1", "PIPELINING"]),
            false => rogue::polite(said, &["STARTTLS"]),
        }
    })
}

/// A certificate as an answer to KEY, whatever its size.
fn served(octets: Vec<u8>) -> Act {
    let answer = KeyAnswer::Certificate {
        etag: "0a".parse().unwrap(),
        ttl: 3600,
        flags: KeyFlags::default(),
        octets,
    };
    let lines = answer.lines();
    let last = lines.len() - 1;
    let said = lines.iter().enumerate().map(|(place, line)| {
        let mark = if place == last { ' ' } else { '-' };
        format!("250{mark}{line}\r\n")
    });
    Act::Say(said.collect::<String>().into_bytes())
}

/// The binary form of a case's armored certificate, as whoever made it wrote it.
fn octets_of(armored: &str) -> Vec<u8> {
    let lines = armored.lines().skip_while(|line| !line.is_empty());
    let base64: String = lines
        .take_while(|line| !line.starts_with(['=', '-']))
        .collect();
    STANDARD.decode(base64).unwrap()
}

/// The packets, whole; each with its type id.
fn packets(octets: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let old = rest[0] & 0x40 == 0;
        let big = |from: usize, count: usize| {
            let octets = rest[from..from + count].iter();
            octets.fold(0, |sum, &octet| sum << 8 | usize::from(octet))
        };
        let (tag, start, length) = match (old, rest[0] & 3, rest[1]) {
            (true, kind, _) => {
                let count = 1 << kind;
                (rest[0] >> 2 & 0x0f, 1 + count, big(1, count))
            }
            (false, _, short @ 0..192) => (rest[0] & 0x3f, 2, usize::from(short)),
            (false, _, 192..224) => (rest[0] & 0x3f, 3, big(1, 2) - (192 << 8) + 192),
            (false, ..) => (rest[0] & 0x3f, 6, big(2, 4)),
        };
        let (whole, behind) = rest.split_at(start + length);
        found.push((tag, whole));
        rest = behind;
    }
    found
}

/// The certificate with as many certifications as an answer may hold.
fn flooded_to_the_bound(octets: &[u8]) -> Vec<u8> {
    const SIGNATURE: u8 = 2;
    let mut packets = packets(octets);
    let size =
        |packets: &[(u8, &[u8])]| packets.iter().map(|(_, whole)| whole.len()).sum::<usize>();
    while size(&packets) > limits::CERTIFICATE_OCTETS {
        // The last of the longest run: a certification, and no binding.
        let ends = (1..packets.len()).filter(|&at| {
            let follows = packets.get(at + 1).is_none_or(|(tag, _)| *tag != SIGNATURE);
            packets[at].0 == SIGNATURE && packets[at - 1].0 == SIGNATURE && follows
        });
        let last = ends.max_by_key(|&at| {
            let before = packets[..at].iter().rev();
            before.take_while(|(tag, _)| *tag == SIGNATURE).count()
        });
        packets.remove(last.unwrap());
    }
    packets
        .iter()
        .flat_map(|(_, whole)| whole.to_vec())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn k07_what_a_hostile_mx_floods_is_read_to_the_bound_and_stripped_below_it() {
    let flooded = octets_of(include_str!("../cases/K07-flooded.txt"));
    let frank = Address::parse("frank@example.org").unwrap();
    // Above the bound nothing of it is taken: the writer asks again later.
    let scene = Scene::set("example.org").await;
    let rogue = scene.rogue(answers_key(served(flooded.clone()))).await;
    let asked = scene.bob.client.remote().fetch_for_writing(&frank).await;
    assert!(matches!(asked, Err(KeyError::Later { .. })), "{asked:?}");
    drop(rogue);
    scene.testbed.stop().await;
    // Within it, what others certified goes and the rest is small and good.
    let within = flooded_to_the_bound(&flooded);
    assert!(within.len() > limits::CERTIFICATE_OCTETS * 9 / 10);
    let scene = Scene::set("example.org").await;
    let rogue = scene.rogue(answers_key(served(within))).await;
    let found = scene.bob.client.remote().fetch_for_writing(&frank).await;
    let certificate = found.unwrap().certificate;
    assert!(certificate.octets().len() < 1_000);
    let known = Certificate::parse(&flooded).unwrap();
    assert_eq!(certificate.primary(), known.primary());
    drop(rogue);
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_read_to_its_bound() {
    let scene = Scene::set("example.org").await;
    let line = format!("250-2.0.0 {}\r\n", "A".repeat(500)).into_bytes();
    let _rogue = scene.rogue(answers_key(Act::Babble(line))).await;
    let frank = Address::parse("frank@example.org").unwrap();
    let asked = scene.bob.client.remote().fetch_for_writing(&frank).await;
    assert!(matches!(asked, Err(KeyError::Later { .. })), "{asked:?}");
    scene.testbed.stop().await;
}

/// A server that takes sealed mail for frank and ends each message so.
fn takes_mail(world: &World, end: Act) -> Script {
    let frank = Identity::parse("frank@example.org").unwrap();
    let key = generate(&frank, world.now(), &mut world.rng()).unwrap();
    let keys = answers_key(served(key.certificate().octets().to_vec()));
    Arc::new(move |said| match said.line {
        "." => end.clone(),
        _ => keys(said),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_after_250_it_is_delivered_however_the_connection_ends() {
    let scene = Scene::set("example.org").await;
    let end = Act::SayAndDrop(b"250 2.0.0 stored\r\n".to_vec());
    let rogue = scene.rogue(takes_mail(&scene.testbed.world, end)).await;
    let frank = Address::parse("frank@example.org").unwrap();
    let reports = scene.bob.send(&frank, "noon", "At noon.\n").await.unwrap();
    assert_eq!(reports[0].state, State::Delivered, "{}", reports[0].words);
    drop(rogue);
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_before_250_an_end_without_close_notify_is_temporary() {
    let scene = Scene::set("example.org").await;
    let end = Act::SayAndDrop(Vec::new());
    let rogue = scene.rogue(takes_mail(&scene.testbed.world, end)).await;
    let frank = Address::parse("frank@example.org").unwrap();
    let reports = scene.bob.send(&frank, "noon", "At noon.\n").await.unwrap();
    assert_eq!(reports[0].state, State::Waiting, "{}", reports[0].words);
    // The next attempt sends the same octets.
    let content = |heard: Vec<String>| {
        let mut parts: Vec<Vec<String>> = Vec::new();
        for line in heard {
            match line.as_str() {
                "DATA" => parts.push(Vec::new()),
                _ => parts
                    .iter_mut()
                    .last()
                    .into_iter()
                    .for_each(|part| part.push(line.clone())),
            }
        }
        parts
    };
    let sent = content(rogue.heard());
    assert!(!sent.is_empty());
    let seal = |part: &Vec<String>| part.iter().find(|line| line.starts_with(" n=")).cloned();
    assert!(sent.iter().all(|part| seal(part) == seal(&sent[0])));
    drop(rogue);
    scene.testbed.stop().await;
}

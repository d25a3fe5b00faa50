//! Ten thousand recipients, wherever a message can have them (spec §8.1): every door answers in
//! time, memory and disk stay bounded, and what was taken is all there.

use std::path::PathBuf;
use std::time::Duration;

use email2::address::Address;
use email2::evidence::Announced;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::{Identity, ReversePath, limits};
use email2_store::queue::QueueId;
use email2_store::{List, Member, NewAccount, QueueEntry, Scope, Secret, Standing, Store};
use email2_testbed::device::Device;
use email2_testbed::domain::Plan;
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use email2d::held_key;
use futures::future::join_all;

use crate::ALONE;

const MANY: usize = 10_000;
/// Commands on their way at once.
const PIPELINED: usize = 200;
/// How long an answer may take, as the server promises it (spec §3.9.5).
const PATIENCE: Duration = Duration::from_secs(limits::DATA_ANSWER);
/// What the server and this test together may grow by, octets.
const GROWTH_ALLOWED: u64 = 96 * 1024 * 1024;

/// example.com and example.org are here, bob has a device, and nobody listens at far.net.
struct Scene {
    testbed: Testbed,
    bob: Device,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        testbed.authority.publish(Zone::new("plain.net")).unwrap();
        let nobody = testbed.network.host(250);
        let far = Zone::new("far.net")
            .mx("far.net", 10, "mx.far.net")
            .unwrap();
        let far = far.address("mx.far.net", nobody);
        testbed.authority.publish(far).unwrap();
        testbed.add_domain(&Plan::new("example.com")).await.unwrap();
        testbed.add_domain(&Plan::new("example.org")).await.unwrap();
        let bob = testbed.add_device(&address("bob@example.org")).await;
        Scene {
            bob: bob.unwrap(),
            testbed,
            _folder: folder,
        }
    }

    fn store(&self, domain: &str) -> Store {
        let domain = self.testbed.domain(domain).unwrap();
        self.testbed.store(domain).unwrap()
    }

    /// An account whose key its server holds; the password of its program.
    async fn held(&self, who: &Address) -> String {
        let store = self.store(who.domain().as_str());
        let now = self.testbed.world.now();
        let account = store.add_account(&account(who), now).await.unwrap();
        let mut rng = self.testbed.world.rng();
        let data = self.data(who.domain().as_str());
        let held = held_key::hold(&data, &store, &account, now, &mut rng).await;
        held.unwrap();
        let token = Secret::token(&mut rng);
        let added = store.add_token(account.id, "program", &token, now).await;
        added.unwrap();
        token.reveal().to_owned()
    }

    fn data(&self, domain: &str) -> PathBuf {
        let domain = self.testbed.domain(domain).unwrap();
        domain.place.folder.join("data")
    }

    /// Octets of all bodies that lie in files.
    fn on_disk(&self, domain: &str) -> u64 {
        let files = std::fs::read_dir(self.data(domain).join("bodies")).unwrap();
        let sizes = files.map(|file| file.unwrap().metadata().map_or(0, |known| known.len()));
        sizes.sum()
    }

    async fn at_mx(&self, domain: &str) -> Session {
        let at = self.testbed.exchanger(domain).unwrap();
        let opened = Session::open(&self.testbed.world, &at, "mta.plain.net").await;
        opened.unwrap()
    }

    async fn signed_in(&self, who: &Address, password: &str) -> Session {
        let at = self.testbed.door("example.org", SUBMISSIONS_PORT).unwrap();
        let signed_in = Session::log_in(&self.testbed.world, &at, who, password).await;
        signed_in.unwrap()
    }

    fn clock(&self) -> Duration {
        self.testbed.world.clock.monotonic()
    }

    /// Content behind the recipients that were taken; the reply.
    async fn content(&self, session: &mut Session, content: &str) -> String {
        session.granted("DATA").await.unwrap();
        let begin = self.clock();
        let octets = format!("{content}.\r\n");
        session.send(octets.as_bytes()).await.unwrap();
        let reply = session.reply().await.unwrap().to_string();
        let took = self.clock() - begin;
        println!("answered after {took:?}: {reply}");
        assert!(took < PATIENCE, "{took:?}");
        reply
    }

    /// `content` under bob's seal.
    fn sealed(&self, to: &[Address], content: &str) -> String {
        let (now, mut rng) = (self.testbed.world.now(), self.testbed.world.rng());
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(self.bob.address.clone()),
            reverse_path: ReversePath::Address(self.bob.address.clone()),
            recipients: to.to_vec(),
            created: now,
            expires: now + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(content.as_bytes()).unwrap(),
        };
        sign(&request, &self.bob.secret, &mut rng).unwrap().field() + content
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn account(who: &Address) -> NewAccount {
    NewAccount {
        address: who.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    }
}

/// `MAIL` that announces bob's seal, and its parameter alone.
fn announced(bob: &Device) -> (String, String) {
    let mut mail = email2_smtp::Mail::new(ReversePath::Address(bob.address.clone()));
    mail.announced = Some(Announced {
        role: Role::Author,
        signer: Identity::Address(bob.address.clone()),
    });
    let line = mail.to_string();
    let parameter = line.split("EMAIL2=").nth(1).unwrap().to_owned();
    let parameter = parameter.split(' ').next().unwrap().to_owned();
    (line, parameter)
}

/// How many of `names` are taken; all others are told to come in another transaction.
async fn taken(session: &mut Session, names: impl Iterator<Item = String>) -> usize {
    let names: Vec<String> = names.collect();
    let mut granted = 0;
    for some in names.chunks(PIPELINED) {
        let lines: String = some
            .iter()
            .map(|to| format!("RCPT TO:<{to}>\r\n"))
            .collect();
        session.send(lines.as_bytes()).await.unwrap();
        for to in some {
            let reply = session.reply().await.unwrap();
            if reply.is_granted() {
                granted += 1;
                continue;
            }
            let later = "452 4.5.3 Too many recipients, send the others in another transaction";
            assert_eq!(reply.to_string(), later, "{to}");
        }
    }
    granted
}

/// Resident memory of this process, octets.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}

fn assert_grew_little(before: u64) {
    let grown = resident().saturating_sub(before);
    println!("memory grew by {} KiB", grown / 1024);
    assert!(grown <= GROWTH_ALLOWED, "{grown} octets");
}

/// A thousand names of one person, who decided as much as anybody may: held once (spec §3.9.6).
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_names_a_thousand_at_once_and_nine_thousand_come_later() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let store = scene.store("example.com");
    let alice = address("alice@example.com");
    let now = scene.testbed.world.now();
    let alice = store.add_account(&account(&alice), now).await.unwrap();
    let scope = Scope::Account(alice.id);
    let line = |number: usize| format!("somebody-{number}@elsewhere.example\n");
    let long: String = (0..limits::SETTING_LINES - 500).map(line).collect();
    let values = [
        ("legacy", "accept"),
        ("contacts", &long),
        ("forwarders", &long),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    store.set(scope, values.to_vec()).await.unwrap();
    let blocks: Vec<_> = (0..limits::SETTING_LINES)
        .map(|number| format!("@spam-{number}.example").parse().unwrap())
        .collect();
    store.add_blocks(scope, &blocks, now).await.unwrap();

    let mut session = scene.at_mx("example.com").await;
    let before = resident();
    session.granted("MAIL FROM:<eve@plain.net>").await.unwrap();
    let names = (0..MANY).map(|number| format!("alice+{number}@example.com"));
    assert_eq!(taken(&mut session, names).await, limits::RECIPIENTS);
    assert_grew_little(before);
    let letter = "From: eve@plain.net\r\nTo: undisclosed:;\r\nSubject: offer\r\n\r\nBuy.\r\n";
    let reply = scene.content(&mut session, letter).await;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    let inbox = store.mailbox(alice.id, "INBOX").await.unwrap().unwrap().id;
    let stored = store.messages(inbox).await.unwrap();
    assert_eq!(stored.len(), limits::RECIPIENTS);

    // The same name again and again is one recipient.
    session.granted("MAIL FROM:<eve@plain.net>").await.unwrap();
    let names = (0..limits::RECIPIENTS).map(|_| "alice@example.com".to_owned());
    assert_eq!(taken(&mut session, names).await, limits::RECIPIENTS);
    let reply = scene.content(&mut session, letter).await;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    let stored = store.messages(inbox).await.unwrap();
    assert_eq!(stored.len(), limits::RECIPIENTS + 1);
    scene.testbed.stop().await;
}

/// A seal names a hundred: at the mail exchanger's door, and where its author submits it.
#[tokio::test(flavor = "multi_thread")]
async fn sealed_mail_has_a_hundred_recipients_at_every_door() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let alice = address("alice@example.com");
    let now = scene.testbed.world.now();
    let store = scene.store("example.com");
    store.add_account(&account(&alice), now).await.unwrap();
    let (mail, _) = announced(&scene.bob);
    let mut stranger = scene.at_mx("example.com").await;
    let mut own = scene.signed_in(&scene.bob.address, &scene.bob.token).await;
    for (session, domain, local) in [
        (&mut stranger, "example.com", "alice+"),
        (&mut own, "far.net", "somebody"),
    ] {
        session.granted(&mail).await.unwrap();
        let name = |number: usize| format!("{local}{number}@{domain}");
        let granted = taken(session, (0..MANY).map(name)).await;
        assert_eq!(granted, limits::SEAL_RECIPIENTS, "{domain}");
        let to: Vec<Address> = (0..granted).map(|number| address(&name(number))).collect();
        let letter = "From: bob@example.org\r\nSubject: news\r\n\r\nAll is well.\r\n";
        let reply = scene.content(session, &scene.sealed(&to, letter)).await;
        assert!(
            reply.starts_with("250 2.0.0 sealed by bob@example.org, "),
            "{reply}"
        );
    }
    let queued = scene.store("example.org").entries().await.unwrap();
    let recipients: usize = queued.iter().map(|entry| entry.recipients.len()).sum();
    assert_eq!(recipients, limits::SEAL_RECIPIENTS);
    scene.testbed.stop().await;
}

/// Addresses in To and Cc that nobody is sent to: 2,000 a header section (spec §8.1).
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_addresses_in_a_header_are_refused_at_every_door() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let (alice, carol) = (address("alice@example.com"), address("carol@example.org"));
    let now = scene.testbed.world.now();
    let store = scene.store("example.com");
    store.add_account(&account(&alice), now).await.unwrap();
    let password = scene.held(&carol).await;
    let letter = |from: &Address, most: usize| {
        let line = |number: usize| format!(",\r\n somebody{number}@far.net");
        let all: String = (1..most).map(line).collect();
        format!(
            "From: {from}\r\nTo: alice@example.com\r\nCc: first@far.net{all}\r\nSubject: x\r\n\r\nx\r\n"
        )
    };
    // The first in To, and From.
    let fits = limits::HEADER_ADDRESSES - 2;
    for (most, answer) in [
        (
            MANY,
            "550 5.6.0 A header section has more than 2000 addresses",
        ),
        (
            fits + 1,
            "550 5.6.0 A header section has more than 2000 addresses",
        ),
        (fits, "250 2.0.0 "),
    ] {
        let mut session = scene.signed_in(&carol, &password).await;
        session
            .granted("MAIL FROM:<carol@example.org>")
            .await
            .unwrap();
        session
            .granted("RCPT TO:<alice@example.com>")
            .await
            .unwrap();
        let reply = scene.content(&mut session, &letter(&carol, most)).await;
        assert!(reply.starts_with(answer), "submitted, {most}: {reply}");
        let mut session = scene.at_mx("example.com").await;
        let (mail, _) = announced(&scene.bob);
        session.granted(&mail).await.unwrap();
        session
            .granted("RCPT TO:<alice@example.com>")
            .await
            .unwrap();
        let text = letter(&scene.bob.address, most);
        let sealed = scene.sealed(std::slice::from_ref(&alice), &text);
        let reply = scene.content(&mut session, &sealed).await;
        assert!(reply.starts_with(answer), "sealed, {most}: {reply}");
    }
    scene.testbed.stop().await;
}

/// An ordinary program writes to a thousand blind recipients: one copy each, made when it can
/// leave (spec §13.4.3), and no more than a bound of them (spec §13.3.5).
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_blind_copies_do_not_lie_on_the_disk_together() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let carol = address("carol@example.org");
    let password = scene.held(&carol).await;
    let mut session = scene.signed_in(&carol, &password).await;
    let letter = |octets: usize| {
        let line = "0123456789 and so on, and so on, and so on, and so on\r\n";
        let body = line.repeat(octets / line.len());
        format!("From: carol@example.org\r\nSubject: news\r\n\r\n{body}")
    };
    for (size, answer) in [
        (
            3 * 1024 * 1024,
            "552 5.3.4 The 1000 copies of this message are larger than 2147483648 octets together: \
             send it to fewer people at once, or a smaller one",
        ),
        (400 * 1024, "250 2.0.0 queued as "),
    ] {
        session
            .granted("MAIL FROM:<carol@example.org>")
            .await
            .unwrap();
        let names = (0..MANY).map(|number| format!("somebody{number}@far.net"));
        assert_eq!(taken(&mut session, names).await, limits::RECIPIENTS);
        let reply = scene.content(&mut session, &letter(size)).await;
        assert!(reply.starts_with(answer), "{reply}");
    }
    let store = scene.store("example.org");
    let tried = |entry: &QueueEntry| entry.recipients.iter().any(|to| to.reply.is_some());
    let mut entries = Vec::new();
    for _ in 0..200 {
        entries = store.entries().await.unwrap();
        if entries.iter().any(tried) {
            break;
        }
        scene
            .testbed
            .world
            .clock
            .sleep(Duration::from_millis(100))
            .await;
    }
    assert!(entries.iter().any(tried), "far.net was tried");
    // What came, and what was tried.
    let lies = scene.on_disk("example.org");
    println!("{lies} octets on disk for a thousand copies of 400 KiB");
    assert!(lies < 4 * 1024 * 1024, "{lies} octets");
    assert_eq!(entries.len(), limits::RECIPIENTS, "none is lost");
    scene.testbed.stop().await;
}

/// A list of 10,000, bob among them; the others are at far.net.
async fn list_of_many(scene: &Scene, store: &Store, name: &str, hidden: bool) -> List {
    let list = List {
        address: address(name),
        announcement: false,
        moderated: false,
        open: false,
        hidden,
        one_click: false,
        owner: address("postmaster@example.com"),
        created: scene.testbed.world.now(),
    };
    store.add_list(&list).await.unwrap();
    let members = (1..MANY).map(|number| address(&format!("member{number}@far.net")));
    let members = members.chain([scene.bob.address.clone()]);
    let members: Vec<Member> = members
        .map(|address| Member {
            address,
            standing: Standing::Member,
            since: list.created,
        })
        .collect();
    let set = members
        .iter()
        .map(|member| store.set_member(&list.address, member));
    join_all(set).await.into_iter().for_each(Result::unwrap);
    list
}

/// A letter of 1 MiB to a list of 10,000: one body, a seal for each who is not to see the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_ten_thousand_keeps_a_letter_once() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let store = scene.store("example.com");
    let text = "0123456789 and so on, and so on\r\n".repeat(32 * 1024);
    for (name, hidden, entries) in [
        ("open@example.com", false, MANY / limits::SEAL_RECIPIENTS),
        ("hidden@example.com", true, MANY),
    ] {
        let list = list_of_many(&scene, &store, name, hidden).await;
        let letter = format!("From: bob@example.org\r\nTo: {name}\r\nSubject: news\r\n\r\n{text}");
        let sealed = scene.sealed(std::slice::from_ref(&list.address), &letter);
        let letter = Letter {
            from: scene.bob.address.to_string(),
            announced: Some(announced(&scene.bob).1),
            recipients: vec![name.to_owned()],
            content: sealed.into_bytes(),
        };
        let (before, lay, begin) = (resident(), scene.on_disk("example.com"), scene.clock());
        let mut session = scene.at_mx("example.com").await;
        let reply = deliver(&mut session, &letter).await.unwrap().to_string();
        let took = scene.clock() - begin;
        println!("{name}: {MANY} members after {took:?}: {reply}");
        assert!(took < PATIENCE, "{took:?}");
        let sealed_by_bob = "250 2.0.0 sealed by bob@example.org, ";
        assert!(reply.starts_with(sealed_by_bob), "{reply}");
        assert_grew_little(before);
        let lies = scene.on_disk("example.com").saturating_sub(lay);
        assert!(lies < 3 * 1024 * 1024, "{lies} octets on disk");
        let ids = kept_for_all(&store, entries, &letter.content).await;
        drop_all(&scene, &store, &ids, list.created).await;
    }
    scene.testbed.stop().await;
}

/// Takes these out of the queue; one that is under way is asked for again.
async fn drop_all(scene: &Scene, store: &Store, ids: &[QueueId], now: u64) {
    let mut left = ids.len();
    for _ in 0..600 {
        store.hold(ids, true, now).await.unwrap();
        store.drop_entries(ids, now).await.unwrap();
        let entries = store.entries().await.unwrap();
        left = entries
            .iter()
            .filter(|entry| ids.contains(&entry.id))
            .count();
        if left == 0 {
            break;
        }
        let clock = &scene.testbed.world.clock;
        clock.sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left, 0, "entries that cannot be dropped");
}

/// What waits for far.net: so many entries, everybody in one of them, and what bob sealed is whole.
async fn kept_for_all(store: &Store, entries: usize, sealed: &[u8]) -> Vec<QueueId> {
    let mut waiting = store.entries().await.unwrap();
    waiting.retain(|entry| entry.domain.as_str() == "far.net");
    assert!(waiting.len().abs_diff(entries) <= 1, "{}", waiting.len());
    let recipients: usize = waiting.iter().map(|entry| entry.recipients.len()).sum();
    assert_eq!(recipients, MANY - 1, "none is lost");
    let first = waiting.first().unwrap();
    let body = store.entry_body(first.id).await.unwrap();
    let octets = body.read(0, usize::MAX).await.unwrap();
    assert_eq!(octets.len() as u64, first.size);
    assert!(octets.ends_with(sealed), "what bob sealed, whole");
    waiting.iter().map(|entry| entry.id).collect()
}

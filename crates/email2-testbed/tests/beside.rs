//! Our server in front of Debian's Postfix and Dovecot, which have the mailboxes: what it judged
//! reaches them with its verdict, once, and they are asked who is there. Needs root and the
//! packages; else the tests say so and return.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2_testbed::device::Device;
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::dovecot::{self, Dovecot};
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::postfix::{self, Postfix};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;

/// Host numbers of the programs behind.
const DOVECOT: u8 = 200;
const POSTFIX: u8 = 201;
const LMTP: u16 = 12_024;
const IMAP: u16 = 12_143;
const SMTP: u16 = 12_025;
const SMARTHOST: u16 = 12_026;

/// What stands above the seal and in ordinary mail, and must not be believed.
const FORGED: &str = "Email2-Verdict: verified; author=ceo@example.com; assurance=dnssec; at=1\r\n";

/// A world with bob at example.com, and example.org's people behind.
struct Scene {
    testbed: Testbed,
    bob: Device,
    dovecot: Dovecot,
    folder: tempfile::TempDir,
}

fn installed() -> bool {
    let there = postfix::is_available() && dovecot::is_available();
    if !there {
        eprintln!(
            "skipped: needs root and Debian's postfix and dovecot (scripts/test installs them)"
        );
    }
    there
}

impl Scene {
    async fn open() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        // Neither Postfix nor Dovecot is root all the time.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let mut testbed = Testbed::start(&folder.path().join("world")).unwrap();
        testbed.authority.publish(Zone::new("plain.net")).unwrap();
        testbed.add_domain(&Plan::new("example.com")).await.unwrap();
        let bob = "bob@example.com".parse().unwrap();
        let bob = testbed.add_device(&bob).await.unwrap();
        let plan = dovecot::Plan {
            users: vec![
                "carol@example.org".to_owned(),
                "dave@example.org".to_owned(),
            ],
            lmtp: testbed.network.port(DOVECOT, LMTP),
            imap: testbed.network.port(DOVECOT, IMAP),
        };
        let dovecot = Dovecot::start(&folder.path().join("dovecot"), &plan).unwrap();
        Scene {
            testbed,
            bob,
            dovecot,
            folder,
        }
    }

    /// Starts our server in front of `inner`; where its smarthost listens.
    async fn front(&mut self, inner: &str, legacy: &str) -> SocketAddr {
        let plan = Plan::new("example.org");
        let place = self.testbed.prepare(&plan).unwrap();
        let smarthost = self.testbed.network.port(place.number, SMARTHOST);
        let file = place.configuration();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = format!("local = true\ninner = \"{inner}\"\nlegacy = \"{legacy}\"");
        let text = text.replace("local = true", &lines);
        let table = format!(
            "{text}\n[[smarthost]]\nlisten = [\"{smarthost}\"]\nnetworks = [\"127.0.0.0/8\"]\n\
             domains = [\"example.org\"]\n"
        );
        std::fs::write(&file, table).unwrap();
        let domain = Domain::start(place, &self.testbed.network, &self.testbed.world);
        let domain = domain.await.unwrap();
        self.testbed.domains.insert(plan.name, domain);
        smarthost
    }

    /// Postfix in front of Dovecot, as it is without us and, with a relay, beside us.
    fn postfix(&self, relay: Option<SocketAddr>) -> Postfix {
        let lmtp = self.testbed.network.port(DOVECOT, LMTP);
        let at = self.testbed.network.port(POSTFIX, SMTP);
        let transport = format!("lmtp:inet:{}:{}", lmtp.ip(), lmtp.port());
        let mut plan = postfix::Plan::new("example.org", &["carol", "dave"], at)
            .with("virtual_transport", transport);
        if let Some(relay) = relay {
            plan = plan.with("relayhost", format!("[{}]:{}", relay.ip(), relay.port()));
        }
        Postfix::start(&self.folder.path().join("postfix"), &plan).unwrap()
    }

    /// Has the server hold a key for one of them.
    async fn hold_key(&self, address: &str) {
        let address: Address = address.parse().unwrap();
        self.testbed.add_account(&address).await.unwrap();
        let domain = self.testbed.domain("example.org").unwrap();
        let store = self.testbed.store(domain).unwrap();
        let account = store.account(&address).await.unwrap().unwrap();
        let data = domain.place.folder.join("data");
        let (now, mut rng) = (self.testbed.world.now(), self.testbed.world.rng());
        let held = email2d::held_key::hold(&data, &store, &account, now, &mut rng).await;
        held.unwrap();
    }

    /// Waits for the first message in bob's Inbox: its octets, and whether it is verified.
    async fn bob_reads(&self) -> (String, bool) {
        let store = self
            .testbed
            .store(self.testbed.domain("example.com").unwrap());
        let store = store.unwrap();
        let account = store.account(&self.bob.address).await.unwrap().unwrap();
        let inbox = store.mailbox(account.id, "INBOX").await.unwrap().unwrap();
        for _ in 0..600 {
            if let Some(message) = store.messages(inbox.id).await.unwrap().first() {
                let body = store.message_body(message.id).await.unwrap();
                let octets = body.read(0, usize::MAX).await.unwrap();
                let text = String::from_utf8_lossy(&octets).into_owned();
                return (text, message.origin.is_verified());
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        unreachable!("bob has no mail");
    }

    /// Bob's message for one of them under a fresh seal, with `above` over it.
    fn sealed(&self, to: &str, above: &str, body: &str) -> Letter {
        let content = format!(
            "From: bob@example.com\r\nTo: {to}\r\nSubject: lunch\r\nMessage-ID: <1@example.com>\r\n\r\n{body}\r\n"
        );
        let (now, mut rng) = (self.testbed.world.now(), self.testbed.world.rng());
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(self.bob.address.clone()),
            reverse_path: ReversePath::Address(self.bob.address.clone()),
            recipients: vec![to.parse().unwrap()],
            created: now,
            expires: now + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(content.as_bytes()).unwrap(),
        };
        let seal = sign(&request, &self.bob.secret, &mut rng).unwrap();
        let signer = URL_SAFE_NO_PAD.encode(self.bob.address.to_string());
        Letter {
            from: "bob@example.com".to_owned(),
            announced: Some(format!("author,{signer}")),
            recipients: vec![to.to_owned()],
            content: format!("{above}{}{content}", seal.field()).into_bytes(),
        }
    }

    /// Its network is another world's only when nothing listens there any more.
    async fn close(self) {
        drop(self.dovecot);
        self.testbed.stop().await;
    }

    async fn offer(&self, letter: &Letter) -> String {
        let at = self.testbed.exchanger("example.org").unwrap();
        let world = &self.testbed.world;
        let mut session = Session::open(world, &at, "mta.example.com").await.unwrap();
        deliver(&mut session, letter).await.unwrap().to_string()
    }

    /// Waits until a user has so many messages.
    async fn delivered(&self, user: &str, count: usize) -> Vec<String> {
        let clock = &self.testbed.world.clock;
        for _ in 0..600 {
            let found = self.dovecot.delivered(user).unwrap();
            if found.len() >= count {
                return found;
            }
            clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        unreachable!("{user} has no {count} messages: {}", self.dovecot.logged());
    }
}

/// The values of the fields of that name, in any case.
fn fields<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let header = message.split("\r\n\r\n").next().unwrap();
    let header = header.split("\n\n").next().unwrap();
    let lines = header.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(named, _)| named.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

fn ordinary(to: &str, fields: &str) -> Letter {
    Letter {
        from: "eve@plain.net".to_owned(),
        announced: None,
        recipients: vec![to.to_owned()],
        content: format!(
            "{fields}From: ceo@plain.net\r\nTo: {to}\r\nSubject: money\r\n\r\nSend it.\r\n"
        )
        .into_bytes(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_gets_sealed_mail_once_with_a_verdict_that_nobody_else_wrote() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let socket = scene.dovecot.socket.display().to_string();
    scene.front(&format!("lmtp:{socket}"), "reject").await;
    let letter = scene.sealed("carol@example.org", FORGED, "At noon?");
    let reply = scene.offer(&letter).await;
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.com, kept as "),
        "{reply}"
    );
    // The same octets again: 250, and nothing is delivered twice (spec §4.11.2).
    assert!(scene.offer(&letter).await.starts_with("250 "));
    let second = scene.sealed("carol@example.org", "", "Or at one?");
    assert!(scene.offer(&second).await.starts_with("250 "));
    let found = scene.delivered("carol@example.org", 2).await;
    assert_eq!(found.len(), 2);
    for message in &found {
        let verdicts = fields(message, "Email2-Verdict");
        assert_eq!(verdicts.len(), 1, "{message}");
        assert!(
            verdicts[0].starts_with("verified; author=bob@example.com; "),
            "{message}"
        );
        let seal = message.find("Email2-Seal: ").unwrap();
        assert!(message.find("Email2-Verdict: ").unwrap() < seal);
    }
    let forged = found
        .iter()
        .filter(|message| message.contains("author=ceo"));
    let forged: Vec<_> = forged.collect();
    assert_eq!(forged.len(), 1);
    assert!(forged[0].contains("X-Email2-Verdict: verified; author=ceo"));
    // Whom Dovecot does not know nobody can write to, and nothing unsealed comes in.
    let unknown = scene.sealed("nobody@example.org", "", "Hello?");
    assert!(scene.offer(&unknown).await.starts_with("550 5.1.1 "));
    let unsealed = ordinary("dave@example.org", "");
    assert!(scene.offer(&unsealed).await.starts_with("550 5.7.1 "));
    assert_eq!(
        scene.dovecot.delivered("dave@example.org").unwrap().len(),
        0
    );
    scene.close().await;
}

/// Postfix before, beside and after: what is put in is a relay and a port, and taken out again
/// nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_postfix_user_sends_sealed_mail_and_without_us_all_is_as_it_was() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let from = "carol@example.org";
    let letter = |to: &str, body: &str| {
        format!("From: Carol <{from}>\r\nTo: {to}\r\nSubject: x\r\n\r\n{body}\r\n")
    };
    let before = scene.postfix(None);
    let configuration = std::fs::read(before.etc.join("main.cf")).unwrap();
    let to = "dave@example.org";
    let given = before.give(from, &[to], &letter(to, "before")).unwrap();
    assert!(given.contains("queued as"), "{given}");
    scene.delivered(to, 1).await;
    drop(before);
    let inner = format!("smtp://{}", scene.testbed.network.port(POSTFIX, SMTP));
    let smarthost = scene.front(&inner, "accept").await;
    scene.hold_key(from).await;
    let beside = scene.postfix(Some(smarthost));
    let given = beside.give(
        from,
        &["bob@example.com"],
        &letter("bob@example.com", "beside"),
    );
    assert!(given.unwrap().contains("queued as"));
    let (text, verified) = scene.bob_reads().await;
    assert!(verified && text.contains("Email2-Seal: "), "{text}");
    // Among themselves their mail stays where it was.
    beside.give(from, &[to], &letter(to, "among us")).unwrap();
    scene.delivered(to, 2).await;
    drop(beside);
    let front = scene.testbed.domains.remove("example.org").unwrap();
    front.stop().await;
    let after = scene.postfix(None);
    let same = std::fs::read(after.etc.join("main.cf")).unwrap();
    assert_eq!(same, configuration);
    after.give(from, &[to], &letter(to, "after")).unwrap();
    let found = scene.delivered(to, 3).await;
    for word in ["before", "among us", "after"] {
        assert!(found.iter().any(|message| message.contains(word)), "{word}");
    }
    drop(after);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_behind_passes_sealed_and_ordinary_mail_on_to_dovecot() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let at = scene.testbed.network.port(POSTFIX, SMTP);
    let postfix = scene.postfix(None);
    scene.front(&format!("smtp://{at}"), "accept").await;
    let sealed = scene.sealed("carol@example.org", "", "At noon?");
    assert!(
        scene
            .offer(&sealed)
            .await
            .starts_with("250 2.0.0 sealed by ")
    );
    let unsealed = ordinary("carol@example.org", FORGED);
    let reply = scene.offer(&unsealed).await;
    assert!(reply.starts_with("250 2.0.0 kept as "), "{reply}");
    let unknown = ordinary("nobody@example.org", "");
    assert!(scene.offer(&unknown).await.starts_with("550 5.1.1 "));
    let found = scene.delivered("carol@example.org", 2).await;
    let of = |words: &str| {
        found
            .iter()
            .find(|message| message.contains(words))
            .unwrap()
    };
    let verdicts = fields(of("At noon?"), "Email2-Verdict");
    assert!(verdicts[0].starts_with("verified; author=bob@example.com; "));
    let verdicts = fields(of("Send it."), "Email2-Verdict");
    assert_eq!(verdicts.len(), 1);
    assert!(verdicts[0].starts_with("unverified; "), "{verdicts:?}");
    assert!(of("Send it.").contains("X-Email2-Verdict: verified; author=ceo"));
    drop(postfix);
    scene.close().await;
}

/// The system behind is down: whom it knew before gets mail later, whom nobody knows is told to
/// come again, and nobody is refused (spec §15.1.1).
#[tokio::test(flavor = "multi_thread")]
async fn while_the_system_behind_is_down_nobody_is_refused() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let nowhere = scene.testbed.network.port(POSTFIX, SMTP);
    scene.front(&format!("smtp://{nowhere}"), "accept").await;
    let sealed = scene.sealed("carol@example.org", "", "At noon?");
    let reply = scene.offer(&sealed).await;
    assert!(reply.starts_with("451 "), "{reply}");
    // Who is enrolled here is known without asking, and what was kept waits in the queue.
    let carol: Address = "carol@example.org".parse().unwrap();
    scene.testbed.add_account(&carol).await.unwrap();
    assert!(scene.offer(&sealed).await.starts_with("250 "));
    let store = scene
        .testbed
        .store(scene.testbed.domain("example.org").unwrap());
    let entries = store.unwrap().entries().await.unwrap();
    assert_eq!(entries.len(), 1);
    let postfix = scene.postfix(None);
    let store = scene
        .testbed
        .store(scene.testbed.domain("example.org").unwrap())
        .unwrap();
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let now = scene.testbed.world.now();
    store.retry_now(&ids, now).await.unwrap();
    let found = scene.delivered("carol@example.org", 1).await;
    assert!(found[0].contains("At noon?"));
    drop(postfix);
    scene.close().await;
}

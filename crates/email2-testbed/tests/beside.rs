//! Our server in front of Debian's Postfix and Dovecot, which have the mailboxes: what it judged
//! reaches them with its verdict, once, and they are asked who is there. Needs root and the
//! packages; else the tests say so and return.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2_store::Scope;
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
/// Where Postfix listens beside us.
const INNER: u16 = 12_525;
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
        Scene::with_sieve(None).await
    }

    /// Where Dovecot runs a script over everybody's mail.
    async fn with_sieve(sieve: Option<String>) -> Scene {
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
            sieve,
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
        let networks = "networks = [\"127.0.0.0/8\"]";
        self.front_with(inner, legacy, networks).await
    }

    /// The same with another line that says who may use the smarthost.
    async fn front_with(&mut self, inner: &str, legacy: &str, who: &str) -> SocketAddr {
        let plan = Plan::new("example.org");
        let place = self.testbed.prepare(&plan).unwrap();
        let smarthost = self.testbed.network.port(place.number, SMARTHOST);
        let file = place.configuration();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = format!("local = true\ninner = \"{inner}\"\nlegacy = \"{legacy}\"");
        let text = text.replace("local = true", &lines);
        let table = format!(
            "{text}\n[[smarthost]]\nlisten = [\"{smarthost}\"]\n{who}\n\
             domains = [\"example.org\"]\n"
        );
        std::fs::write(&file, table).unwrap();
        let domain = Domain::start(place, &self.testbed.network, &self.testbed.world);
        let domain = domain.await.unwrap();
        self.testbed.domains.insert(plan.name, domain);
        smarthost
    }

    /// Postfix in front of Dovecot, as it is without us.
    fn postfix(&self) -> Postfix {
        self.postfix_with(&[])
    }

    /// The same with these parameters.
    fn postfix_with(&self, parameters: &[(&str, String)]) -> Postfix {
        let lmtp = self.testbed.network.port(DOVECOT, LMTP);
        let at = self.testbed.network.port(POSTFIX, SMTP);
        let transport = format!("lmtp:inet:{}:{}", lmtp.ip(), lmtp.port());
        let mut plan = postfix::Plan::new("example.org", &["carol", "dave"], at)
            .with("virtual_transport", transport);
        for (name, value) in parameters {
            plan = plan.with(name, value);
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

    /// Starts our server in front of a Postfix at `inner`, has it hold carol's key, and makes its
    /// smarthost the relay in `main`; the line.
    async fn relay_in(&mut self, main: &Path, inner: SocketAddr) -> String {
        let smarthost = self.front(&format!("smtp://{inner}"), "accept").await;
        self.hold_key("carol@example.org").await;
        let relay = format!("relayhost = [{}]:{}\n", smarthost.ip(), smarthost.port());
        let text = std::fs::read_to_string(main).unwrap();
        std::fs::write(main, text + &relay).unwrap();
        relay
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

/// All files below a folder, by name, with what they hold.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let octets = std::fs::read(&path).unwrap();
                    found.insert(path, octets);
                }
            }
        }
    }
    found
}

/// Replaces what stands once in a file.
fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

/// Postfix before, beside and after, its files edited as docs/beside.md says: what is put in is
/// another port and a relay, and taken out again nothing is missing.
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
    let before = scene.postfix();
    let (etc, public) = (before.etc.clone(), before.at);
    let folder = etc.parent().unwrap().to_owned();
    let to = "dave@example.org";
    let given = before.give(from, &[to], &letter(to, "before")).unwrap();
    assert!(given.contains("queued as"), "{given}");
    let first = scene.delivered(to, 1).await;
    drop(before);
    let dovecot = scene.folder.path().join("dovecot");
    let behind = || {
        let files = ["dovecot.conf", "users"].map(|name| std::fs::read(dovecot.join(name)));
        files.map(Result::unwrap)
    };
    let (postfix_files, dovecot_files) = (snapshot(&etc), behind());

    // Put in: the port that the world reaches becomes an inner one, and mail leaves by a relay.
    let inner = scene.testbed.network.port(POSTFIX, INNER);
    let (main, master) = (etc.join("main.cf"), etc.join("master.cf"));
    edit(&master, &format!("{public} inet"), &format!("{inner} inet"));
    let relay = scene.relay_in(&main, inner).await;
    let beside = Postfix::start_as_it_is(&folder, inner).unwrap();
    assert!(std::net::TcpStream::connect(public).is_err());
    let given = beside.give(
        from,
        &["bob@example.com"],
        &letter("bob@example.com", "beside"),
    );
    assert!(given.unwrap().contains("queued as"));
    let (text, verified) = scene.bob_reads().await;
    assert!(verified && text.contains("Email2-Seal: "), "{text}");
    // Among themselves their mail stays where it was; what comes from outside comes by us.
    beside.give(from, &[to], &letter(to, "among us")).unwrap();
    scene.delivered(to, 2).await;
    let sealed = scene.sealed(to, "", "from outside");
    assert!(scene.offer(&sealed).await.starts_with("250 "));
    scene.delivered(to, 3).await;
    drop(beside);

    // Take it out: the two edits back, and nothing else.
    let front = scene.testbed.domains.remove("example.org").unwrap();
    front.stop().await;
    edit(&master, &format!("{inner} inet"), &format!("{public} inet"));
    edit(&main, &relay, "");
    assert_eq!(snapshot(&etc), postfix_files);
    assert_eq!(behind(), dovecot_files);
    let after = Postfix::start_as_it_is(&folder, public).unwrap();
    let given = after.give(from, &[to], &letter(to, "after")).unwrap();
    assert!(given.contains("queued as"), "{given}");
    let found = scene.delivered(to, 4).await;
    assert!(first.iter().all(|message| found.contains(message)));
    for word in ["before", "among us", "from outside", "after"] {
        assert!(found.iter().any(|message| message.contains(word)), "{word}");
    }
    drop(after);
    scene.close().await;
}

/// A Postfix whose network is not vouched for signs in at the smarthost, under TLS, by each
/// mechanism (spec §15.2.3).
#[tokio::test(flavor = "multi_thread")]
async fn postfix_signs_in_at_the_smarthost_and_is_not_listened_to_without() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let inner = format!("smtp://{}", scene.testbed.network.port(POSTFIX, SMTP));
    let names = "names = [\"postfix\"]";
    let at = scene.front_with(&inner, "accept", names).await;
    scene.hold_key("carol@example.org").await;
    let domain = scene.testbed.domain("example.org").unwrap();
    let store = scene.testbed.store(domain).unwrap();
    let mut rng = scene.testbed.world.rng();
    let password = email2d::smarthost::add(&store, "postfix", &mut rng);
    let password = password.await.unwrap();
    let relay = format!("[{}]:{}", at.ip(), at.port());
    let send = |mechanism: &str, password: &str| {
        let keys = format!("inline:{{ {{{relay} = postfix:{password}}} }}");
        let parameters = [
            ("relayhost", relay.clone()),
            ("smtp_tls_security_level", "encrypt".to_owned()),
            ("smtp_sasl_auth_enable", "yes".to_owned()),
            ("smtp_sasl_security_options", "noanonymous".to_owned()),
            ("smtp_sasl_mechanism_filter", mechanism.to_owned()),
            ("smtp_sasl_password_maps", keys),
        ];
        let postfix = scene.postfix_with(&parameters);
        let content = format!(
            "From: carol@example.org\r\nTo: bob@example.com\r\nSubject: {mechanism}\r\n\r\nx\r\n"
        );
        let given = postfix.give("carol@example.org", &["bob@example.com"], &content);
        assert!(given.unwrap().contains("queued as"));
        let settled = postfix.wait("Postfix has tried", |postfix| {
            !postfix.outcomes("bob@example.com").is_empty()
        });
        settled.unwrap();
        let outcomes = postfix.outcomes("bob@example.com");
        drop(postfix);
        std::fs::remove_dir_all(scene.folder.path().join("postfix")).unwrap();
        outcomes[0].clone()
    };
    for mechanism in ["plain", "scram-sha-256"] {
        let outcome = send(mechanism, password.reveal());
        let sealed = "to be sealed for carol@example.org";
        assert!(
            outcome.contains("status=sent") && outcome.contains(sealed),
            "{mechanism}: {outcome}"
        );
    }
    let outcome = send("plain", "wrong");
    assert!(outcome.contains("status=deferred"), "{outcome}");
    let (text, verified) = scene.bob_reads().await;
    assert!(verified && text.contains("Email2-Seal: "), "{text}");
    scene.close().await;
}

/// The Sieve script of docs/beside.md files by the place that the verdict names.
#[tokio::test(flavor = "multi_thread")]
async fn the_sieve_script_of_the_page_files_what_is_not_for_the_inbox() {
    if !installed() || !dovecot::has_sieve() {
        eprintln!("skipped: needs Debian's dovecot-sieve (scripts/test installs it)");
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/beside.md");
    let page = std::fs::read_to_string(page).unwrap();
    let script = page.split("```sieve\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    let mut scene = Scene::with_sieve(Some(script.to_owned())).await;
    let socket = scene.dovecot.socket.display().to_string();
    scene.front(&format!("lmtp:{socket}"), "junk").await;
    // Dave lets strangers wait; carol does not.
    let dave: Address = "dave@example.org".parse().unwrap();
    scene.testbed.add_account(&dave).await.unwrap();
    let domain = scene.testbed.domain("example.org").unwrap();
    let store = scene.testbed.store(domain).unwrap();
    let account = store.account(&dave).await.unwrap().unwrap();
    let strangers = ("strangers".to_owned(), Some(b"requests".to_vec()));
    let set = store.set(Scope::Account(account.id), vec![strangers]);
    set.await.unwrap();
    for (to, body) in [
        ("carol@example.org", "At noon?"),
        ("dave@example.org", "Who?"),
    ] {
        let letter = scene.sealed(to, "", body);
        assert!(scene.offer(&letter).await.starts_with("250 "));
    }
    let unsealed = ordinary("carol@example.org", FORGED);
    assert!(scene.offer(&unsealed).await.starts_with("250 "));
    let inbox = scene.delivered("carol@example.org", 1).await;
    let verdict = fields(&inbox[0], "Email2-Verdict")[0];
    assert!(verdict.ends_with("; place=inbox"), "{verdict}");
    // Dovecot names the keyword after it has put the message there.
    let marked = scene.dovecot.wait("it is marked", |dovecot| {
        let keywords = dovecot.keywords("carol@example.org");
        keywords.contains("$Email2Verified")
    });
    marked.unwrap();
    for (user, mailbox, body, place) in [
        ("carol@example.org", ".Junk", "Send it.", "junk"),
        ("dave@example.org", ".Requests", "Who?", "requests"),
    ] {
        let filed = scene.dovecot.wait("it is filed", |dovecot| {
            dovecot
                .delivered_into(user, mailbox)
                .is_ok_and(|found| found.len() == 1)
        });
        filed.unwrap();
        let found = scene.dovecot.delivered_into(user, mailbox).unwrap();
        assert!(found[0].contains(body), "{}", found[0]);
        let verdict = fields(&found[0], "Email2-Verdict")[0];
        assert!(verdict.ends_with(&format!("; place={place}")), "{verdict}");
    }
    assert_eq!(
        scene.dovecot.delivered("dave@example.org").unwrap().len(),
        0
    );
    assert_eq!(
        scene.dovecot.delivered("carol@example.org").unwrap().len(),
        1
    );
    scene.close().await;
}

/// The system behind is named, and found by what the machine knows of names.
#[tokio::test(flavor = "multi_thread")]
async fn the_system_behind_may_be_a_name() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let lmtp = scene.testbed.network.port(DOVECOT, LMTP);
    // The one name that every machine knows; Dovecot listens at another address of loopback.
    let net = std::sync::Arc::clone(&scene.testbed.world.net);
    let door = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = door.local_addr().port();
    tokio::spawn(async move {
        while let Ok(mut near) = door.accept().await {
            let mut far = net.connect(lmtp).await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut near.stream, &mut far.stream).await;
            });
        }
    });
    scene
        .front(&format!("lmtp://localhost:{port}"), "reject")
        .await;
    let letter = scene.sealed("carol@example.org", "", "By name");
    let reply = scene.offer(&letter).await;
    assert!(reply.starts_with("250 2.0.0 sealed by "), "{reply}");
    scene.delivered("carol@example.org", 1).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_behind_passes_sealed_and_ordinary_mail_on_to_dovecot() {
    if !installed() {
        return;
    }
    let mut scene = Scene::open().await;
    let at = scene.testbed.network.port(POSTFIX, SMTP);
    let postfix = scene.postfix();
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
    let postfix = scene.postfix();
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

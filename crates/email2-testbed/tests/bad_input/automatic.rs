//! Programs that write to programs: two who are away, an answering program behind Postfix that
//! keeps to no rule, a report that nobody takes. Each comes to an end by itself (RFC 3834,
//! RFC 5321 §6.1, spec §14.3, §4.13).

use std::time::Duration;

use email2::address::Address;
use email2_store::{NewAccount, Scope, Secret, Store};
use email2_testbed::domain::Plan;
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::loopback::{MX_PORT, SUBMISSIONS_PORT};
use email2_testbed::person::Person;
use email2_testbed::postfix::{self, Postfix};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use email2d::held_key;

use crate::ALONE;

/// Where Postfix is in the world's network.
const HOST: u8 = 220;
/// Nothing is on its way for so long: nothing comes any more.
const SILENCE: Duration = Duration::from_secs(3);

/// alice@example.com and bob@example.org, whose servers hold their keys.
struct Scene {
    testbed: Testbed,
    alice: Away,
    bob: Away,
    _folder: tempfile::TempDir,
}

/// Somebody whose server answers for them.
struct Away {
    address: Address,
    password: String,
}

impl Scene {
    async fn open() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        testbed.add_domain(&Plan::new("example.com")).await.unwrap();
        testbed.add_domain(&Plan::new("example.org")).await.unwrap();
        Scene {
            alice: away(&testbed, "alice@example.com").await,
            bob: away(&testbed, "bob@example.org").await,
            testbed,
            _folder: folder,
        }
    }

    fn store(&self, who: &Address) -> Store {
        let domain = self.testbed.domain(who.domain().as_str()).unwrap();
        self.testbed.store(domain).unwrap()
    }

    /// What lies in somebody's INBOX.
    async fn inbox(&self, who: &Address) -> Vec<String> {
        let store = self.store(who);
        let account = store.account(who).await.unwrap().unwrap().id;
        let inbox = store.mailbox(account, "INBOX").await.unwrap().unwrap();
        let mut found = Vec::new();
        for message in store.messages(inbox.id).await.unwrap() {
            let body = store.message_body(message.id).await.unwrap();
            let octets = body.read(0, usize::MAX).await.unwrap();
            found.push(String::from_utf8_lossy(&octets).into_owned());
        }
        found
    }

    /// An ordinary program writes for its owner.
    async fn writes(&self, from: &Away, to: &str) {
        let domain = from.address.domain().as_str();
        let at = self.testbed.door(domain, SUBMISSIONS_PORT).unwrap();
        let world = &self.testbed.world;
        let session = Session::log_in(world, &at, &from.address, &from.password).await;
        let from = from.address.to_string();
        let content = format!("From: {from}\r\nTo: {to}\r\nSubject: lunch\r\n\r\nAt noon?\r\n");
        let letter = Letter {
            from,
            announced: None,
            recipients: vec![to.to_owned()],
            content: content.into_bytes(),
        };
        let reply = deliver(&mut session.unwrap(), &letter).await.unwrap();
        assert_eq!(reply.code, 250, "{reply}");
    }

    /// Waits until nothing is on its way.
    async fn settled(&self) {
        let clock = &self.testbed.world.clock;
        let mut silent = Duration::ZERO;
        let pause = Duration::from_millis(100);
        for _ in 0..600 {
            let mut waiting = 0;
            for who in [&self.alice, &self.bob] {
                waiting += self.store(&who.address).entries().await.unwrap().len();
            }
            silent = match waiting {
                0 => silent + pause,
                _ => Duration::ZERO,
            };
            if silent >= SILENCE {
                return;
            }
            clock.sleep(pause).await;
        }
        unreachable!("something is on its way without end");
    }
}

/// An account whose key its server holds, and whose owner is away.
async fn away(testbed: &Testbed, address: &str) -> Away {
    let address = Address::parse(address).unwrap();
    let domain = testbed.domain(address.domain().as_str()).unwrap();
    let (store, now) = (testbed.store(domain).unwrap(), testbed.world.now());
    let account = NewAccount {
        address: address.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    };
    let account = store.add_account(&account, now).await.unwrap();
    let mut rng = testbed.world.rng();
    let data = domain.place.folder.join("data");
    let held = held_key::hold(&data, &store, &account, now, &mut rng).await;
    held.unwrap();
    let token = Secret::token(&mut rng);
    let added = store.add_token(account.id, "program", &token, now).await;
    added.unwrap();
    let values = [("vacation", "I am away.\n"), ("legacy", "accept")];
    let values = values.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    let set = store.set(Scope::Account(account.id), values.to_vec()).await;
    set.unwrap();
    Away {
        address,
        password: token.reveal().to_owned(),
    }
}

fn answers(inbox: &[String]) -> usize {
    let is_answer = |text: &&String| text.contains("Auto-Submitted: auto-replied\r\n");
    inbox.iter().filter(is_answer).count()
}

/// Each answers the other's letter once, and no answer is answered (RFC 3834 §2).
#[tokio::test(flavor = "multi_thread")]
async fn two_who_are_away_answer_each_other_once() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let (alice, bob) = (&scene.alice, &scene.bob);
    for round in 0..4 {
        // They write in turn.
        match round % 2 {
            0 => scene.writes(bob, "alice@example.com").await,
            _ => scene.writes(alice, "bob@example.org").await,
        }
        scene.settled().await;
        let at_alice = scene.inbox(&alice.address).await;
        let at_bob = scene.inbox(&bob.address).await;
        let letters = at_alice.len() - answers(&at_alice) + at_bob.len() - answers(&at_bob);
        assert_eq!(letters, round + 1, "{at_alice:?} {at_bob:?}");
        assert!(
            answers(&at_alice) <= 1 && answers(&at_bob) <= 1,
            "once a week"
        );
    }
    assert_eq!(answers(&scene.inbox(&alice.address).await), 1);
    assert_eq!(answers(&scene.inbox(&bob.address).await), 1);
    scene.testbed.stop().await;
}

/// A program that answers every message, names itself as sender and says nothing of being one.
const ANSWERING: &str = r#"#!/bin/bash
{ echo "From answering"; cat; echo; } >>"$1"
exec 3<>"/dev/tcp/$2/$3"
read -r <&3
say() { printf '%s\r\n' "$@" >&3; read -r <&3; }
say "HELO pat"
say "MAIL FROM:<pat@inside.net>"
say "RCPT TO:<$4>"
say "DATA"
say "From: pat@inside.net" "To: $4" "Subject: I am away too" "" "Later." "."
say "QUIT"
"#;

/// Postfix for inside.net: pat's mail is answered by that program.
fn postfix_of_pat(testbed: &mut Testbed) -> Postfix {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&testbed.folder, open.clone()).unwrap();
    let host = testbed.network.host(HOST);
    let inside = Zone::new("inside.net").mx("inside.net", 10, "mx.inside.net");
    let inside = inside.unwrap().address("mx.inside.net", host);
    testbed.authority.publish(inside).unwrap();
    let folder = testbed.folder.join("inside.net");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("answering");
    std::fs::write(&program, ANSWERING).unwrap();
    std::fs::set_permissions(&program, open).unwrap();
    let at = testbed.network.port(HOST, MX_PORT);
    let ours = testbed.domain("example.com").unwrap().place.number;
    let relay = testbed.network.host(ours);
    let answering = format!(
        "answering unix - n n - - pipe user=nobody argv={program} {mail} {ip} {port} ${{sender}}\n",
        program = program.display(),
        mail = folder.join("postfix/mail/pat").display(),
        ip = at.ip(),
        port = at.port(),
    );
    let mut plan = postfix::Plan::new("inside.net", &["pat"], at)
        .with("inet_interfaces", "127.0.0.1")
        .with("relayhost", format!("[{relay}]:{MX_PORT}"))
        .with(
            "transport_maps",
            "inline:{ { pat@inside.net = answering: } }",
        );
    plan.master = answering;
    Postfix::start(&folder.join("postfix"), &plan).unwrap()
}

/// Nobody verified wrote that: alice's server stores it and answers nothing (spec §14.3.2), so
/// that a program without any manners has nobody to talk to.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_does_not_talk_to_an_answering_program_behind_postfix() {
    let _alone = ALONE.lock().await;
    if !postfix::is_available() {
        eprintln!("skipped: needs root and postfix (scripts/test installs it)");
        return;
    }
    let mut scene = Scene::open().await;
    let postfix = postfix_of_pat(&mut scene.testbed);
    let alice = &scene.alice;
    scene.writes(alice, "pat@inside.net").await;
    for _ in 0..300 {
        if !scene.inbox(&alice.address).await.is_empty() {
            break;
        }
        let pause = Duration::from_millis(100);
        scene.testbed.world.clock.sleep(pause).await;
    }
    scene.settled().await;
    let inbox = scene.inbox(&alice.address).await;
    assert_eq!(inbox.len(), 1, "{inbox:?} {}", postfix.logged());
    assert!(inbox[0].contains("Subject: I am away too"), "{}", inbox[0]);
    assert_eq!(postfix.delivered("pat").len(), 1, "alice's letter alone");
    scene.testbed.stop().await;
}

/// alice's mail goes on to nobody; whoever would be told is gone by then. The report is dropped,
/// causes none, and no copy of it lies anywhere (spec §12.5.8).
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_nobody_takes_causes_none() {
    let _alone = ALONE.lock().await;
    let scene = Scene::open().await;
    let alice = &scene.alice.address;
    let dave = Address::parse("dave@example.org").unwrap();
    let dave = Person::set_up(&scene.testbed, &dave).await.unwrap();
    dave.send(alice, "first", "Hello.\n").await.unwrap();
    let store = scene.store(alice);
    let account = store.account(alice).await.unwrap().unwrap().id;
    let rule = "nobody@example.org\n";
    let values = ["forward", "forward-confirmed"];
    let values = values.map(|name| (name.to_owned(), Some(rule.as_bytes().to_vec())));
    store
        .set(Scope::Account(account), values.to_vec())
        .await
        .unwrap();
    // His key is known at example.com for an hour; his mailbox is gone.
    let at_home = scene.store(&dave.address);
    let account = at_home.account(&dave.address).await.unwrap().unwrap().id;
    let now = scene.testbed.world.now();
    at_home.remove_account(account, now).await.unwrap();
    let sent = dave.send(alice, "second", "Are you there?\n").await;
    println!("{:?}", sent.map(|reports| reports.len()));
    scene.settled().await;
    let inbox = scene.inbox(alice).await;
    assert_eq!(inbox.len(), 1, "the first letter alone: {inbox:?}");
    assert!(scene.inbox(&scene.bob.address).await.is_empty());
    scene.testbed.stop().await;
}

//! A person whose ordinary program does not seal: their server holds the key, and what they send
//! arrives everywhere sealed, verified and shown as what it is (spec §13.2, §13.3, §13.4).

#[path = "server_keys/waiting.rs"]
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Identity};
use email2_client::send::report::State;
use email2_store::{NewAccount, Purpose, Secret};
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Reply, Session, deliver};
use email2_testbed::loopback::{MX_PORT, SUBMISSIONS_PORT};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use email2d::{dkim_key, held_key};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;

struct Scene {
    testbed: Testbed,
    bob: Address,
    token: String,
    alice: Person,
    dave: Person,
    _folder: tempfile::TempDir,
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

async fn scene() -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    testbed.add_domain(&Plan::new("example.com")).await?;
    testbed.add_domain(&Plan::new("example.org")).await?;
    let bob = address("bob@example.org")?;
    let token = held(&testbed, &bob).await?;
    let alice = Person::set_up(&testbed, &address("alice@example.com")?).await?;
    let dave = Person::set_up(&testbed, &address("dave@example.org")?).await?;
    Ok(Scene {
        testbed,
        bob,
        token,
        alice,
        dave,
        _folder: folder,
    })
}

/// An account whose key the server holds; the password of its program.
async fn held(testbed: &Testbed, address: &Address) -> Outcome<String> {
    let domain = testbed.domain(address.domain().as_str())?;
    let (store, now) = (testbed.store(domain)?, testbed.world.now());
    let account = NewAccount {
        address: address.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    };
    let account = store.add_account(&account, now).await.step("account")?;
    let mut rng = testbed.world.rng();
    let data = domain.place.folder.join("data");
    let key = held_key::hold(&data, &store, &account, now, &mut rng).await;
    key.step("held key")?;
    let token = Secret::token(&mut rng);
    let added = store.add_token(account.id, "program", &token, now).await;
    added.step("token")?;
    Ok(token.reveal().to_owned())
}

impl Scene {
    /// What an ordinary program sends.
    async fn submit(&self, to: &[&str], message: &str) -> Outcome<Reply> {
        let at = self.testbed.door("example.org", SUBMISSIONS_PORT)?;
        let world = &self.testbed.world;
        let mut session = Session::log_in(world, &at, &self.bob, &self.token).await?;
        let letter = Letter {
            from: self.bob.to_string(),
            announced: None,
            recipients: to.iter().map(|to| (*to).to_owned()).collect(),
            content: message.as_bytes().to_vec(),
        };
        deliver(&mut session, &letter).await
    }

    async fn arrived(&self, person: &Person) -> Outcome<email2_client::read::Shown> {
        for _ in 0..200 {
            if let Ok(shown) = person.read_newest().await {
                return Ok(shown);
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step(format!("mail for {}", person.address))
    }
}

const LETTER: &str = "From: Bob <bob@example.org>\r\n\
    To: alice@example.com, Dave <dave@example.org>\r\n\
    Subject: lunch\r\nUser-Agent: Mail 1.0\r\n\r\nAt noon, behind the mill?\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn one_submission_reaches_two_domains_encrypted_sealed_and_verified() {
    let scene = scene().await.unwrap();
    let to = ["alice@example.com", "dave@example.org"];
    let reply = scene.submit(&to, LETTER).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    for person in [&scene.alice, &scene.dave] {
        let shown = scene.arrived(person).await.unwrap();
        assert_eq!(shown.verdict.author.as_deref(), Some("bob@example.org"));
        assert_eq!(shown.protection.standing, "verified", "{shown:?}");
        assert!(shown.protection.encrypted && shown.protection.post_quantum);
        assert_eq!(shown.subject, "lunch");
        // A server held the key: whoever reads is told so (spec §13.2).
        let told = "the author's mail server holds this key and signs for them";
        assert!(
            shown.notes.iter().any(|note| note == told),
            "{:?}",
            shown.notes
        );
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_back_does_not_encrypt_to_the_server() {
    let scene = scene().await.unwrap();
    let reports = scene
        .alice
        .send(&scene.bob, "lunch", "yes\n")
        .await
        .unwrap();
    let report = reports.first().unwrap();
    assert_eq!(report.state, State::Delivered, "{reports:?}");
    let store = scene
        .testbed
        .store(scene.testbed.domain("example.org").unwrap());
    let store = store.unwrap();
    let account = store.account(&scene.bob).await.unwrap().unwrap().id;
    let inbox = store.mailbox(account, "INBOX").await.unwrap().unwrap();
    let message = store.messages(inbox.id).await.unwrap().pop().unwrap();
    let body = store.message_body(message.id).await.unwrap();
    let text = String::from_utf8(body.read(0, usize::MAX).await.unwrap()).unwrap();
    // Any mail program reads it.
    assert!(
        text.contains("multipart/signed") && text.contains("\r\nyes\r\n"),
        "{text}"
    );
    scene.testbed.stop().await;
}

/// The number of the ordinary host in the world's network.
const PLAIN_HOST: u8 = 200;

/// An ordinary mail exchanger for plain.example without TLS: what it was given.
async fn plain_host(testbed: &mut Testbed) -> Outcome<Arc<Mutex<Vec<String>>>> {
    let host = testbed.network.host(PLAIN_HOST);
    let zone = Zone::new("plain.example").mx("plain.example", 10, "mx.plain.example")?;
    testbed
        .authority
        .publish(zone.address("mx.plain.example", host))?;
    let at = testbed.network.port(PLAIN_HOST, MX_PORT);
    let listener = testbed.world.net.listen(at).await.step("listening")?;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let given = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok(connection) = listener.accept().await {
            take(connection.stream, &given).await;
        }
    });
    Ok(taken)
}

/// Speaks as much SMTP as messages need, one after the other on one connection.
async fn take(stream: email2_io::net::Stream, given: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let (mut message, mut in_content) = (String::new(), false);
    let _ = stream.write_all(b"220 mx.plain.example ESMTP\r\n").await;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        let reply = match line.get(..4).unwrap_or_default() {
            _ if in_content && line == ".\r\n" => {
                given.lock().await.push(std::mem::take(&mut message));
                "250 2.0.0 taken\r\n"
            }
            _ if in_content => {
                message += &line;
                continue;
            }
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 yes\r\n",
        };
        in_content = reply.starts_with("354");
        let _ = stream.write_all(reply.as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_domain_gets_it_signed_by_the_author_and_the_domain() {
    let mut scene = scene().await.unwrap();
    let taken = plain_host(&mut scene.testbed).await.unwrap();
    let domain = scene.testbed.domain("example.org").unwrap();
    let data = domain.place.folder.join("data");
    let mut rng = scene.testbed.world.rng();
    dkim_key::ensure(&data, scene.bob.domain(), &mut rng).unwrap();
    let letter = LETTER.replace("alice@example.com", "erin@plain.example");
    let to = ["erin@plain.example", "dave@example.org"];
    let reply = scene.submit(&to, &letter).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    scene.arrived(&scene.dave).await.unwrap();
    let clock = &scene.testbed.world.clock;
    let mut message = String::new();
    for _ in 0..200 {
        if let Some(found) = taken.lock().await.first() {
            message.clone_from(found);
            break;
        }
        clock.sleep(Duration::from_millis(100)).await;
    }
    for part in [
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=example.org; s=e2ed;",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=example.org; s=e2rsa;",
        "Content-Type: multipart/signed;",
        "\r\nSubject: lunch\r\n",
        "\r\nMessage-ID: <",
        "At noon, behind the mill?",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert!(message.starts_with("DKIM-Signature: "), "{message}");
    assert!(!message.contains("Email2-Seal"), "{message}");
    scene.testbed.stop().await;
}

impl Scene {
    /// As `email2d user invite` issues it for bob.
    async fn invite(&self) -> Outcome<String> {
        let testbed = &self.testbed;
        let store = testbed.store(testbed.domain("example.org")?)?;
        let account = store.account(&self.bob).await.step("account")?;
        let account = account.step("bob's account")?.id;
        let code = Secret::code(&mut testbed.world.rng());
        let issued = store.issue_code(account, Purpose::Add, &code, testbed.world.now());
        issued.await.step("code")?;
        Ok(code.reveal().to_owned())
    }
}

/// spec §13.2.5, §3.7.4: correspondents see that the old key named the new one, and no alarm.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_ones_own_takes_over_from_the_server_by_a_signed_transition() {
    let scene = scene().await.unwrap();
    let who = Identity::Address(scene.bob.clone());
    let store = scene
        .testbed
        .store(scene.testbed.domain("example.org").unwrap());
    let store = store.unwrap();
    let held = store.served(&who).await.unwrap().unwrap().primary;
    let reply = scene.submit(&["alice@example.com"], LETTER).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    let before = scene.arrived(&scene.alice).await.unwrap();
    assert_eq!(before.protection.standing, "verified", "{before:?}");

    let code = scene.invite().await.unwrap();
    let device = Person::enrol(&scene.testbed, &scene.bob, &code)
        .await
        .unwrap();
    let own = device.key().certificate().primary().clone();
    assert_ne!(own, held);
    assert_eq!(store.served(&who).await.unwrap().unwrap().primary, own);
    let versions = store.versions(&who).await.unwrap();
    let old = versions.iter().find(|version| version.primary == held);
    assert!(old.is_some_and(|old| old.until.is_some() && !old.hard));

    let alice = scene.alice.address.clone();
    let reports = device.send(&alice, "from my own", "hi\n").await.unwrap();
    assert_eq!(reports[0].state, State::Delivered, "{}", reports[0].words);
    let shown = scene.alice.read_newest().await.unwrap();
    assert_eq!(shown.subject, "from my own");
    assert_eq!(shown.protection.standing, "verified", "{:?}", shown.notes);
    let alarming = |note: &String| note.contains("another key") || note.contains("holds this key");
    assert!(!shown.notes.iter().any(alarming), "{:?}", shown.notes);
    // Alice's program follows: it encrypts to the new key without a question.
    let reports = scene.alice.send(&scene.bob, "to you", "x\n").await.unwrap();
    assert_eq!(reports[0].state, State::Delivered, "{}", reports[0].words);
    let read = device.read_newest().await.unwrap();
    assert!(read.protection.encrypted, "{read:?}");

    // The held key is gone: the ordinary program is told, and an administrator cannot bring it back.
    let account = store.account(&scene.bob).await.unwrap().unwrap();
    assert!(!held_key::release(&store, &account).await.unwrap());
    let reply = scene.submit(&["alice@example.com"], LETTER).await.unwrap();
    assert!(reply.code >= 500, "{reply}");
    scene.testbed.stop().await;
}

/// spec §3.7.4: who has a key of their own keeps it, whatever a further code brings.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_ones_own_is_not_replaced_by_a_code_that_adds() {
    let scene = scene().await.unwrap();
    let code = scene.invite().await.unwrap();
    Person::enrol(&scene.testbed, &scene.bob, &code)
        .await
        .unwrap();
    let home = scene.testbed.folder.join("homes");
    std::fs::rename(home.join("bob@example.org"), home.join("lost")).unwrap();
    let code = scene.invite().await.unwrap();
    let refused = Person::enrol(&scene.testbed, &scene.bob, &code).await;
    let words = refused.err().unwrap().to_string();
    assert!(words.contains("does not take the key"), "{words}");
    scene.testbed.stop().await;
}

/// Where a smarthost listens.
const SMARTHOST: u16 = 12_026;

/// A server with more lines in the table of its domain, and at the end of its file, where
/// `SMARTHOST` stands for the address of one.
async fn server_with(
    testbed: &mut Testbed,
    name: &'static str,
    own: &str,
    more: &str,
) -> Outcome<()> {
    let plan = Plan::new(name);
    let place = testbed.prepare(&plan)?;
    let file = place.configuration();
    let smarthost = testbed.network.port(place.number, SMARTHOST);
    let more = more.replace("SMARTHOST", &smarthost.to_string());
    let text = std::fs::read_to_string(&file).step("configuration")?;
    let text = text.replacen("local = true", &format!("local = true\n{own}"), 1);
    std::fs::write(&file, format!("{text}\n{more}")).step("configuration")?;
    let domain = Domain::start(place, &testbed.network, &testbed.world).await?;
    testbed.domains.insert(plan.name, domain);
    Ok(())
}

/// An account at example.com's server, of whichever of its domains.
async fn account_at_com(testbed: &Testbed, address: &Address) -> Outcome<()> {
    let store = testbed.store(testbed.domain("example.com")?)?;
    let account = NewAccount {
        address: address.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    };
    let added = store.add_account(&account, testbed.world.now()).await;
    added.step("account").map(|_| ())
}

/// What lies in the Inbox of an account at example.com's server.
async fn first_in_inbox(testbed: &Testbed, address: &Address) -> Outcome<String> {
    let store = testbed.store(testbed.domain("example.com")?)?;
    let account = store.account(address).await.step("account")?;
    let account = account.step("account")?.id;
    let inbox = store.mailbox(account, "INBOX").await.step("Inbox")?;
    let messages = store.messages(inbox.step("Inbox")?.id).await;
    let message = messages.step("messages")?.pop().step("a message")?;
    let body = store.message_body(message.id).await.step("body")?;
    let octets = body.read(0, usize::MAX).await.step("body")?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// example.com's server, which serves plain.example too, and example.org's, which signs by DKIM2
/// and has a smarthost; the keys of DKIM stand in the DNS.
async fn signing_world(folder: &std::path::Path) -> Outcome<Testbed> {
    let mut testbed = Testbed::start(folder)?;
    let plain = "[[domain]]\nname = \"plain.example\"\nlocal = true\nlegacy = \"accept\"\n";
    server_with(&mut testbed, "example.com", "", plain).await?;
    let door = "[[smarthost]]\nlisten = [\"SMARTHOST\"]\nnetworks = [\"127.0.0.0/8\"]\n\
        domains = [\"example.org\"]\n";
    server_with(&mut testbed, "example.org", "dkim2 = true", door).await?;
    let domain = testbed.domain("example.org")?;
    let data = domain.place.folder.join("data");
    let name = email2::Domain::parse("example.org").step("domain")?;
    let records = dkim_key::ensure(&data, &name, &mut testbed.world.rng()).step("keys")?;
    let zone = testbed
        .authority
        .zone("example.org")
        .cloned()
        .step("zone")?;
    let zone = records
        .iter()
        .fold(zone, |zone, record| zone.text(&record.name, &record.text));
    testbed.authority.publish(zone)?;
    Ok(testbed)
}

/// Waits until the ordinary host was given so many messages.
async fn given(testbed: &Testbed, taken: &Mutex<Vec<String>>, count: usize) -> Vec<String> {
    for _ in 0..200 {
        let found = taken.lock().await.clone();
        if found.len() >= count {
            return found;
        }
        let clock = &testbed.world.clock;
        clock.sleep(Duration::from_millis(100)).await;
    }
    taken.lock().await.clone()
}

fn letter(from: &str, to: &Address, content: &str) -> Letter {
    Letter {
        from: from.to_owned(),
        announced: None,
        recipients: vec![to.to_string()],
        content: content.as_bytes().to_vec(),
    }
}

/// spec §13.5.4: what an ordinary exchanger got is given to a server of ours that serves the
/// recipient, and that follows the chain by mail-auth. §13.5.2: whoever a mail system behind
/// vouches for is signed as well.
#[tokio::test(flavor = "multi_thread")]
async fn dkim2_of_ours_passes_where_it_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = signing_world(folder.path()).await.unwrap();
    let taken = plain_host(&mut testbed).await.unwrap();
    let (bob, erin) = ("bob@example.org", "erin@plain.example");
    let (bob, erin) = (address(bob).unwrap(), address(erin).unwrap());
    let token = held(&testbed, &bob).await.unwrap();
    let content = LETTER.replace("alice@example.com", "erin@plain.example");
    let at = testbed.door("example.org", SUBMISSIONS_PORT).unwrap();
    let session = Session::log_in(&testbed.world, &at, &bob, &token).await;
    let of_bob = letter("bob@example.org", &erin, &content);
    let reply = deliver(&mut session.unwrap(), &of_bob).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    let at = testbed.door("example.org", SMARTHOST).unwrap();
    let session = Session::open(&testbed.world, &at, "postfix.example.org").await;
    let content = format!("From: dave@example.org\r\nTo: {erin}\r\nSubject: x\r\n\r\nx\r\n");
    let of_dave = letter("dave@example.org", &erin, &content);
    let reply = deliver(&mut session.unwrap(), &of_dave).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    let found = given(&testbed, &taken, 2).await;
    assert_eq!(found.len(), 2);
    for message in &found {
        assert!(
            message.starts_with("DKIM2-Signature: i=1; m=1; "),
            "{message}"
        );
        assert_eq!(
            message.matches("\nDKIM-Signature: ").count(),
            2,
            "{message}"
        );
    }
    let message = found
        .iter()
        .find(|message| message.contains("bob@example.org"));
    account_at_com(&testbed, &erin).await.unwrap();
    let at = testbed.exchanger("example.com").unwrap();
    let session = Session::open(&testbed.world, &at, "mx.example.org").await;
    let again = letter("bob@example.org", &erin, message.unwrap());
    let reply = deliver(&mut session.unwrap(), &again).await.unwrap();
    assert_eq!(reply.code, 250, "{reply}");
    let kept = first_in_inbox(&testbed, &erin).await.unwrap();
    for result in ["dkim2=pass", "dkim=pass"] {
        assert!(kept.contains(result), "{result}: {kept}");
    }
    testbed.stop().await;
}

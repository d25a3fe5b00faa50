//! A person's own server carries their sealed mail on (spec §3.10.3, §3.10.4): kept before it
//! is answered, delivered untouched, tried again, reported when it fails, and stored once
//! whatever is repeated.

use std::time::Duration;

use email2::Assurance;
use email2::address::Address;
use email2::evidence::Announced;
use email2_client::home;
use email2_client::send::compose::{Letter, Source};
use email2_client::send::report::State;
use email2_client::send::{Encryption, Report, Way};
use email2_remote::{DeliveryRequest, KeyError, Outcome as Delivered};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_store::{Origin, QueueEntry};
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;

struct Scene {
    testbed: Testbed,
    bob: Person,
    alice: Person,
    _folder: tempfile::TempDir,
}

async fn scene() -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    testbed.add_domain(&Plan::new("example.com")).await?;
    testbed.add_domain(&Plan::new("example.org")).await?;
    let bob = Person::set_up(&testbed, &address("bob@example.org")?).await?;
    let alice = Person::set_up(&testbed, &address("alice@example.com")?).await?;
    Ok(Scene {
        testbed,
        bob,
        alice,
        _folder: folder,
    })
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

impl Scene {
    async fn submit(&self, to: &str, subject: &str) -> Outcome<Vec<Report>> {
        let letter = Letter {
            to: vec![to.to_owned()],
            subject: subject.to_owned(),
            body: "At noon?\n".to_owned(),
            ..Letter::default()
        };
        let source = Source::Letter(letter);
        self.bob
            .give_by(Way::Server, source, Encryption::Default)
            .await
    }

    /// Stops a server, and gives what starts it again.
    async fn stop(&mut self, name: &str) -> Outcome<email2_testbed::domain::Place> {
        let domain = self.testbed.domains.remove(name).step(name)?;
        let place = domain.place.clone();
        domain.stop().await;
        Ok(place)
    }

    async fn start(&mut self, place: email2_testbed::domain::Place) -> Outcome<()> {
        let name = place.plan.name;
        let domain = Domain::start(place, &self.testbed.network, &self.testbed.world).await?;
        self.testbed.domains.insert(name, domain);
        Ok(())
    }

    async fn queue(&self) -> Outcome<Vec<QueueEntry>> {
        let store = self.testbed.store(self.testbed.domain("example.org")?)?;
        store.entries().await.step("queue")
    }

    /// Makes everything due, as `email2d queue retry` does, until the queue is empty.
    async fn drained(&self) -> Outcome<()> {
        for _ in 0..200 {
            let entries = self.queue().await?;
            if entries.is_empty() {
                return Ok(());
            }
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            let store = self.testbed.store(self.testbed.domain("example.org")?)?;
            let now = self.testbed.world.now();
            store.retry_now(&ids, now).await.step("retry")?;
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(200)).await;
        }
        None.step("the queue is empty")
    }

    /// Subjects of the messages in an inbox.
    async fn inbox(&self, person: &Person) -> Outcome<Vec<String>> {
        let listed = email2_client::inbox::list(&person.client, "INBOX", 50).await;
        let listed = listed.step("inbox")?;
        Ok(listed.into_iter().map(|item| item.subject).collect())
    }

    async fn origin_of_newest(&self, domain: &str, person: &Person) -> Outcome<Origin> {
        let store = self.testbed.store(self.testbed.domain(domain)?)?;
        let account = store.account(&person.address).await.step("account")?;
        let account = account.step("account")?.id;
        let inbox = store.mailbox(account, "INBOX").await.step("mailbox")?;
        let messages = store.messages(inbox.step("INBOX")?.id).await;
        let mut messages = messages.step("messages")?;
        Ok(messages.pop().step("a message")?.origin)
    }
}

fn state(reports: &[Report]) -> State {
    reports.first().map_or(State::Unavailable, |r| r.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_message_is_queued_carried_on_and_verified() {
    let scene = scene().await.unwrap();
    let reports = scene.submit("alice@example.com", "lunch").await.unwrap();
    assert_eq!(state(&reports), State::Delivered, "{reports:?}");
    let words = &reports.first().unwrap().words;
    assert!(
        words.starts_with("2.0.0 sealed by bob@example.org, queued as "),
        "{words}"
    );
    scene.drained().await.unwrap();
    let shown = scene.alice.read_newest().await.unwrap();
    let origin = scene.origin_of_newest("example.com", &scene.alice).await;
    assert!(origin.unwrap().is_verified());
    let raw = String::from_utf8(scene.alice.newest().await.unwrap()).unwrap();
    let trace = raw.split("Email2-Seal:").next().unwrap();
    assert_eq!(trace.matches("\nReceived: ").count(), 2, "{trace}");
    assert!(!trace.contains("127."), "no client address: {trace}");
    assert_eq!(shown.subject, "lunch");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_is_reported_sealed_to_the_author() {
    let scene = scene().await.unwrap();
    scene.submit("nobody@example.com", "hello").await.unwrap();
    scene.drained().await.unwrap();
    let origin = scene.origin_of_newest("example.org", &scene.bob).await;
    let own = email2::Domain::parse("example.org").unwrap();
    assert_eq!(origin.unwrap(), Origin::Generated(own));
    let report = String::from_utf8(scene.bob.newest().await.unwrap()).unwrap();
    for part in [
        "From: mailer-daemon@example.org\r\n",
        "Final-Recipient: rfc822; nobody@example.com\r\n",
        "Status: 5.1.1\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Email2-Seal: v=1; f=service;",
        "Email2-Seal: v=1; f=author;",
    ] {
        assert!(report.contains(part), "{part:?} in {report}");
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_for_a_server_that_is_down_with_the_reason_readable() {
    let mut scene = scene().await.unwrap();
    scene.submit("alice@example.com", "first").await.unwrap();
    scene.drained().await.unwrap();
    let place = scene.stop("example.com").await.unwrap();
    let reports = scene.submit("alice@example.com", "second").await.unwrap();
    assert_eq!(state(&reports), State::Delivered, "{reports:?}");
    let reason = waiting_reason(&scene).await.unwrap();
    assert!(reason.contains("mx.example.com"), "{reason}");
    scene.start(place).await.unwrap();
    scene.drained().await.unwrap();
    let inbox = scene.inbox(&scene.alice).await.unwrap();
    assert_eq!(inbox.len(), 2, "{inbox:?}");
    scene.testbed.stop().await;
}

/// What `email2d queue show` says of the one entry after its first attempt.
async fn waiting_reason(scene: &Scene) -> Outcome<String> {
    for _ in 0..200 {
        let entries = scene.queue().await?;
        let first = entries.first().and_then(|entry| entry.recipients.first());
        if let Some(reply) = first.and_then(|to| to.reply.clone()) {
            return Ok(reply);
        }
        let clock = &scene.testbed.world.clock;
        clock.sleep(Duration::from_millis(100)).await;
    }
    None.step("a reason")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_delivery_and_settlement_delivers_once() {
    let mut scene = scene().await.unwrap();
    scene.submit("alice@example.com", "first").await.unwrap();
    scene.drained().await.unwrap();
    let there = scene.stop("example.com").await.unwrap();
    scene.submit("alice@example.com", "second").await.unwrap();
    waiting_reason(&scene).await.unwrap();
    let entries = scene.queue().await.unwrap();
    let here = scene.stop("example.org").await.unwrap();
    scene.start(there).await.unwrap();
    // The server got so far as the delivery, and died before it wrote that down.
    scene.start(here.clone()).await.unwrap();
    let outcomes = deliver_unsettled(&scene, entries.first().unwrap()).await;
    assert!(matches!(
        outcomes.unwrap().as_slice(),
        [(_, Delivered::Accepted(_))]
    ));
    scene.drained().await.unwrap();
    let inbox = scene.inbox(&scene.alice).await.unwrap();
    assert_eq!(inbox.len(), 2, "once each: {inbox:?}");
    scene.testbed.stop().await;
}

async fn deliver_unsettled(
    scene: &Scene,
    entry: &QueueEntry,
) -> Outcome<Vec<(Address, Delivered)>> {
    let store = scene.testbed.store(scene.testbed.domain("example.org")?)?;
    let body = store.entry_body(entry.id).await.step("body")?;
    let size = usize::try_from(body.size()).step("size")?;
    let octets = body.read(0, size).await.step("octets")?;
    let mut mail = Mail::new(entry.mail_from.clone());
    let announced = entry.announced.clone();
    mail.announced = announced.map(|(role, signer)| Announced { role, signer });
    let recipients = entry.recipients.iter().map(|to| Recipient {
        address: to.address.clone(),
        etag: to.etag.clone(),
    });
    let request = DeliveryRequest {
        domain: entry.domain.clone(),
        envelope: Envelope {
            mail,
            recipients: recipients.collect(),
        },
        content: std::sync::Arc::new(octets),
        assured: true,
    };
    Ok(scene.bob.client.remote().deliver(&request).await)
}

#[tokio::test]
async fn ones_own_server_says_how_a_key_elsewhere_was_authenticated() -> Outcome<()> {
    // spec §3.10.5
    let scene = scene().await?;
    let client = &scene.bob.client;
    let found = home::foreign_key(client, &scene.alice.address).await;
    let found = found.step("key")?;
    assert_eq!(found.assurance, Some(Assurance::DomainCertificate));
    let hers = scene.alice.key().certificate().primary();
    assert_eq!(found.certificate.primary(), hers);
    let nobody = address("nobody@example.com")?;
    let none = home::foreign_key(client, &nobody).await;
    assert_eq!(none.err(), Some(KeyError::NoKey(nobody)));
    Ok(())
}

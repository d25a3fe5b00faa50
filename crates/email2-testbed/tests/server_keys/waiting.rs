//! What changes while mail waits in the queue of a server that holds its author's key: the
//! recipient's key (spec §13.4.7), and what time it is elsewhere (spec §4.9.3, §13.4.6).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::sync::Arc;
use std::time::Duration;

use email2::address::Identity;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::seal::reported::reported;
use email2::secret::SecretKey;
use email2_client::read;
use email2_io::World;
use email2_io::clock::ShiftedClock;
use email2_store::{QueueEntry, Replaces, Store, Version};
use email2_testbed::domain::{Domain, Place};

use super::{LETTER, Scene, scene};

const ALICE: &str = "alice@example.com";
/// How far another server's clock is behind, seconds.
const BEHIND: i64 = 3_600;

impl Scene {
    fn store(&self, domain: &str) -> Store {
        let domain = self.testbed.domain(domain).unwrap();
        self.testbed.store(domain).unwrap()
    }

    async fn queue(&self) -> Vec<QueueEntry> {
        self.store("example.org").entries().await.unwrap()
    }

    /// Everything in the queue is tried until nothing is left; all that was said meanwhile.
    async fn drained(&self) -> String {
        let mut said = String::new();
        for _ in 0..100 {
            let entries = self.queue().await;
            if entries.is_empty() {
                return said;
            }
            for entry in &entries {
                let replies = entry.recipients.iter().filter_map(|to| to.reply.as_deref());
                said.extend(replies.map(|reply| format!("{reply}\n")));
            }
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            let now = self.testbed.world.now();
            self.store("example.org")
                .retry_now(&ids, now)
                .await
                .unwrap();
            self.pause(300).await;
        }
        panic!("it does not end: {:?}", self.queue().await);
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(milliseconds);
        self.testbed.world.clock.sleep(pause).await;
    }

    /// Bob's server knows alice's key from a first letter; a second one waits for hers, which is
    /// down, encrypted and sealed.
    async fn waits_for_alice(&mut self) -> Place {
        self.submit(&[ALICE], LETTER).await.unwrap();
        self.arrived(&self.alice).await.unwrap();
        let domain = self.testbed.domains.remove("example.com").unwrap();
        let place = domain.place.clone();
        domain.stop().await;
        let second = LETTER.replace("lunch", "supper");
        let reply = self.submit(&[ALICE], &second).await.unwrap();
        assert_eq!(reply.code, 250, "{reply}");
        for _ in 0..300 {
            let entries = self.queue().await;
            let sealed = entries
                .first()
                .is_some_and(|entry| entry.announced.is_some());
            if sealed && entries[0].recipients[0].reply.is_some() {
                assert!(entries[0].recipients[0].etag.is_some(), "{entries:?}");
                return place;
            }
            self.pause(100).await;
        }
        panic!("it is not sealed: {:?}", self.queue().await);
    }

    async fn alices_server_starts(&mut self, place: Place, world: &World) {
        let domain = Domain::start(place, &self.testbed.network, world).await;
        let domain = domain.unwrap();
        self.testbed.domains.insert("example.com", domain);
    }

    /// Her administrator let her begin anew: her server serves this certificate.
    async fn alice_has(&self, certificate: &Certificate) {
        let version = Version {
            identity: Identity::Address(self.alice.address.clone()),
            primary: certificate.primary().clone(),
            keys: certificate.signing_keys(),
            etag: certificate.etag(),
            octets: certificate.octets().to_vec(),
        };
        let (store, now) = (self.store("example.com"), self.testbed.world.now());
        let published = store.publish(version, Replaces::Reset, now);
        assert!(published.await.unwrap());
    }

    fn another_key(&self) -> SecretKey {
        let who = Identity::Address(self.alice.address.clone());
        let (now, mut rng) = (self.testbed.world.now(), self.testbed.world.rng());
        generate(&who, now, &mut rng).unwrap()
    }

    /// What lies in bob's inbox.
    async fn told(&self) -> Vec<String> {
        let store = self.store("example.org");
        let account = store.account(&self.bob).await.unwrap().unwrap().id;
        let inbox = store.mailbox(account, "INBOX").await.unwrap().unwrap();
        let mut found = Vec::new();
        for message in store.messages(inbox.id).await.unwrap() {
            let body = store.message_body(message.id).await.unwrap();
            let octets = body.read(0, usize::MAX).await.unwrap();
            found.push(String::from_utf8_lossy(&octets).into_owned());
        }
        found
    }
}

/// The old key signed the new one: the message is made once more, for the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_changed_while_mail_waited_is_encrypted_to_again() {
    let mut scene = scene().await.unwrap();
    let place = scene.waits_for_alice().await;
    let world = scene.testbed.world.clone();
    scene.alices_server_starts(place, &world).await;
    let new = scene.another_key();
    let old = scene.alice.key();
    let linked = old.transition_to(new.certificate(), world.now(), &mut world.rng());
    let new = new.with_certificate(linked.unwrap()).unwrap();
    scene.alice_has(new.certificate()).await;
    scene.drained().await;
    assert_eq!(scene.told().await, Vec::<String>::new());
    let raw = scene.alice.newest().await.unwrap();
    let shown = read::open(&scene.alice.client, &raw, Some(&new)).await;
    let shown = shown.unwrap();
    assert_eq!(shown.subject, "supper");
    assert_eq!(shown.verdict.author.as_deref(), Some("bob@example.org"));
    assert!(shown.protection.encrypted, "{shown:?}");
    assert_eq!(shown.protection.standing, "verified", "{shown:?}");
    assert!(
        read::open(&scene.alice.client, &raw, Some(old))
            .await
            .is_err()
    );
    scene.testbed.stop().await;
}

/// Nothing links the new key to the old one: its author decides.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_links_is_never_followed_and_the_author_reads_why() {
    let mut scene = scene().await.unwrap();
    let place = scene.waits_for_alice().await;
    let world = scene.testbed.world.clone();
    scene.alices_server_starts(place, &world).await;
    scene.alice_has(scene.another_key().certificate()).await;
    scene.drained().await;
    let told = scene.told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("Final-Recipient: rfc822; alice@example.com"),
        "{}",
        told[0]
    );
    assert!(told[0].contains("key-changed"), "{}", told[0]);
    let raw = scene.alice.newest().await.unwrap();
    let shown = read::open(&scene.alice.client, &raw, Some(scene.alice.key())).await;
    assert_eq!(
        shown.unwrap().subject,
        "lunch",
        "the second one did not arrive"
    );
    scene.testbed.stop().await;
}

/// Her server's clock is an hour behind: it says so, and gets a seal of its own time.
#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sealed_again_at_the_clock_of_the_server_that_refused_its_time() {
    let mut scene = scene().await.unwrap();
    let place = scene.waits_for_alice().await;
    let world = scene.testbed.world.clone();
    let clock = ShiftedClock::new(Arc::clone(&world.clock));
    clock.shift(-BEHIND);
    let behind = World {
        clock: Arc::new(clock),
        ..world.clone()
    };
    scene.alices_server_starts(place, &behind).await;
    let said = scene.drained().await;
    assert!(said.contains("clock="), "{said}");
    let raw = scene.alice.newest().await.unwrap();
    let seals = reported(&raw);
    let there = world.now().saturating_add_signed(-BEHIND);
    assert!(seals[0].created.abs_diff(there) < 120, "{seals:?}");
    let shown = read::open(&scene.alice.client, &raw, Some(scene.alice.key())).await;
    let shown = shown.unwrap();
    assert_eq!(shown.subject, "supper");
    assert_eq!(shown.verdict.author.as_deref(), Some("bob@example.org"));
    assert_eq!(scene.told().await, Vec::<String>::new());
    scene.testbed.stop().await;
}

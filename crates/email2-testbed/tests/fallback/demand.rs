//! Whoever demands Email 2.0 all the way hands mail to their own server, and the recipient's
//! domain stops speaking it: the mail waits or comes back, and its author reads why (spec §12.5.2).

use std::time::Duration;

use email2::capability::REQUIRED_FIELD;
use email2_client::send::{Encryption, Options, Report, State, Way};
use email2_store::QueueEntry;
use email2_testbed::ordinary::OrdinaryServer;

use super::{Scene, letter, of, scene};

const ALICE: &str = "alice@example.com";

impl Scene {
    /// Bob hands a letter for alice to his server.
    async fn hand_over(&self, subject: &str, options: Options) -> Report {
        let options = Options {
            way: Way::Server,
            ..options
        };
        let reports = self.send(letter(&[ALICE], subject), options).await.unwrap();
        let report = of(&reports, ALICE).clone();
        assert_eq!(report.state, State::Delivered, "{reports:?}");
        report
    }

    async fn queue(&self) -> Vec<QueueEntry> {
        let domain = self.testbed.domain("example.org").unwrap();
        self.testbed.store(domain).unwrap().entries().await.unwrap()
    }

    /// What `email2d queue show` says of the only entry once it was tried.
    async fn waits(&self) -> String {
        for _ in 0..300 {
            let entries = self.queue().await;
            let reply = |entry: &QueueEntry| entry.recipients.first()?.reply.clone();
            if let [entry] = entries.as_slice()
                && let Some(reply) = reply(entry)
            {
                return reply;
            }
            self.pause(100).await;
        }
        panic!("it says no reason: {:?}", self.queue().await);
    }

    /// Its administrator drops what waits.
    async fn drop_all(&self) {
        let domain = self.testbed.domain("example.org").unwrap();
        let store = self.testbed.store(domain).unwrap();
        let now = self.testbed.world.now();
        let ids: Vec<_> = self.queue().await.iter().map(|entry| entry.id).collect();
        store.hold(&ids, true, now).await.unwrap();
        store.drop_entries(&ids, now).await.unwrap();
        assert_eq!(self.queue().await, [], "dropped");
    }

    /// Everything in the queue is tried until nothing is left.
    pub(super) async fn drained(&self) {
        for _ in 0..100 {
            let entries = self.queue().await;
            if entries.is_empty() {
                return;
            }
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            let domain = self.testbed.domain("example.org").unwrap();
            let store = self.testbed.store(domain).unwrap();
            let now = self.testbed.world.now();
            store.retry_now(&ids, now).await.unwrap();
            self.pause(300).await;
        }
        panic!("it does not end: {:?}", self.queue().await);
    }

    pub(super) async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(milliseconds);
        self.testbed.world.clock.sleep(pause).await;
    }

    /// Alice's server is gone; her domain's records say nothing of Email 2.0 any more, and an
    /// ordinary server takes her mail.
    async fn turns_ordinary(&mut self) -> OrdinaryServer {
        let server = OrdinaryServer::start(&mut self.testbed, "example.com").await;
        // Answers are kept for a second (the zone's TTL).
        self.pause(1_500).await;
        server.unwrap()
    }

    async fn alices_server_stops(&mut self) {
        let domain = self.testbed.domains.remove("example.com");
        domain.unwrap().stop().await;
    }

    /// What the newest letter in bob's inbox tells him.
    async fn told(&self) -> String {
        let shown = self.bob.read_newest().await.unwrap();
        let text = shown.sections.iter().map(|section| section.text.as_str());
        text.collect()
    }
}

fn demanded(encryption: Encryption) -> Options {
    Options {
        encryption,
        email2_only: true,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_demanded_arrives_with_the_demand_outside_and_says_so() {
    let scene = scene().await.unwrap();
    for encryption in [Encryption::Demand, Encryption::Refuse] {
        let report = scene.hand_over("Noon?\n", demanded(encryption)).await;
        assert!(report.manner.unwrap().email2_only, "{report:?}");
        scene.drained().await;
        let came = String::from_utf8(scene.alice.newest().await.unwrap()).unwrap();
        let (header, _) = came.split_once("\r\n\r\n").unwrap();
        let (_, below) = header.split_once("Email2-Seal:").unwrap();
        let demand = format!("\r\n{REQUIRED_FIELD}: yes\r\n");
        assert_eq!(below.matches(&demand).count(), 1, "{header}");
        let shown = scene.alice.read_newest().await.unwrap();
        assert_eq!(shown.protection.standing, "verified", "{shown:?}");
    }
    scene.testbed.stop().await;
}

/// Bob's program knows her domain as one of Email 2.0, and his server has never heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_for_email2_waits_rather_than_leave_as_ordinary_mail() {
    let mut scene = scene().await.unwrap();
    let reports = scene.send(letter(&[ALICE], "before"), Options::default());
    assert_eq!(of(&reports.await.unwrap(), ALICE).state, State::Delivered);
    scene.alices_server_stops().await;
    let ordinary = scene.turns_ordinary().await;
    for encryption in [Encryption::Default, Encryption::Refuse] {
        let options = Options {
            encryption,
            ..Options::default()
        };
        scene.hand_over("Noon?\n", options).await;
        let why = scene.waits().await;
        assert_eq!(ordinary.take(), [], "nothing may leave");
        let sentence = "made for example.com as a domain that speaks Email 2.0";
        assert!(why.contains(sentence), "{why}");
        scene.drop_all().await;
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_demanded_waits_then_comes_back_and_never_leaves_as_ordinary_mail() {
    let mut scene = scene().await.unwrap();
    // Bob's program knows alice's key and her domain from here on; his server does not.
    let reports = scene.send(letter(&[ALICE], "before"), Options::default());
    assert_eq!(of(&reports.await.unwrap(), ALICE).state, State::Delivered);
    scene.alices_server_stops().await;
    scene
        .hand_over("Noon?\n", demanded(Encryption::Refuse))
        .await;
    let why = scene.waits().await;
    assert!(why.contains("example.com"), "{why}");

    let ordinary = scene.turns_ordinary().await;
    scene.drained().await;
    assert_eq!(ordinary.take(), [], "nothing may leave");
    let told = scene.told().await;
    let sentence =
        "550 5.6.7 The author demands Email 2.0 all the way and example.com does not speak it";
    assert!(told.contains("alice@example.com: failed (5.6.7)"), "{told}");
    assert!(
        told.contains(sentence.trim_start_matches("550 5.6.7 ")),
        "{told}"
    );
    scene.testbed.stop().await;
}

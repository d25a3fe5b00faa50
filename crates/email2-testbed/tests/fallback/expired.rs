//! What waits in a person's outbox longer than its seal holds is sealed again (spec §4.9.3).

use email2::seal::Seal;
use email2::seal::reported::reported;
use email2_client::send::queue::{self, Decision};
use email2_client::send::report::Unwatched;
use email2_client::send::{Author, Options, Report, State, Way};
use email2_io::World;
use email2_testbed::domain::Domain;

use super::{Scene, letter, of, scene};

const ALICE: &str = "alice@example.com";
/// Longer than a seal holds, seconds.
const LATER: i64 = 11 * 24 * 60 * 60;

impl Scene {
    /// The seal of what waits in bob's outbox.
    async fn waiting_seal(&self, id: i64) -> Seal {
        let store = self.bob.client.store();
        let reader = store.entry_body(email2_store::QueueId(id)).await.unwrap();
        let octets = reader.read(0, usize::MAX).await.unwrap();
        reported(&octets).remove(0)
    }

    async fn try_again(&self, id: i64) -> Report {
        let author = Author {
            key: self.bob.key(),
            address: &self.bob.address,
        };
        let client = &self.bob.client;
        let nothing = Decision::default();
        let reports = queue::retry(client, &author, id, &nothing, &Unwatched);
        of(&reports.await.unwrap(), ALICE).clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_ended_in_the_outbox_is_made_again_with_another_time_and_number() {
    let mut scene = scene().await.unwrap();
    let clock = scene.bob.take_clock().unwrap();
    let direct = Options {
        way: Way::Direct,
        ..Options::default()
    };
    let reports = scene.send(letter(&[ALICE], "before"), direct);
    assert_eq!(of(&reports.await.unwrap(), ALICE).state, State::Delivered);
    let domain = scene.testbed.domains.remove("example.com").unwrap();
    let place = domain.place.clone();
    domain.stop().await;
    let reports = scene
        .send(letter(&[ALICE], "Noon?\n"), direct)
        .await
        .unwrap();
    let waiting = of(&reports, ALICE);
    assert_eq!(waiting.state, State::Waiting, "{reports:?}");
    let id = waiting.outbox.unwrap();
    let first = scene.waiting_seal(id).await;

    clock.shift(LATER);
    let real = scene.testbed.world.clone();
    let later = email2_io::clock::ShiftedClock::new(real.clock.clone());
    later.shift(LATER);
    let world = World {
        clock: std::sync::Arc::new(later),
        ..real
    };
    let domain = Domain::start(place, &scene.testbed.network, &world).await;
    scene.testbed.domains.insert("example.com", domain.unwrap());
    let sent = scene.try_again(id).await;
    assert_eq!(sent.state, State::Delivered, "{sent:?}");
    let came = scene.alice.newest().await.unwrap();
    let second = &reported(&came)[0];
    assert_eq!(second.digest, first.digest, "the content is the same");
    assert_ne!(second.nonce, first.nonce);
    assert!(second.created.abs_diff(world.now()) < 120, "{second:?}");
    assert!(second.expires > first.expires);
    scene.testbed.stop().await;
}

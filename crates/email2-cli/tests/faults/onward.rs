//! The server that carries mail on, killed while it takes and while it delivers (spec §12.5):
//! what it acknowledged to its user arrives once.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use email2::Address;
use email2_testbed::domain::{Place, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Exchanger, Session, deliver};
use email2_testbed::kept::kept;
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::testbed::Testbed;

use crate::letters::Letters;
use crate::server::{self, Server};
use crate::{KILLS, LATEST, MANY_KILLS, PATIENCE};

/// Sessions that submit at the same time.
const SESSIONS: usize = 8;
/// Letters that wait when the server is started.
const WAITING: usize = 100;
/// How often the queue is looked at in the end.
const LOOKS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(200);

/// A sending server of its own process, and a recipient's in this one.
struct Scene {
    testbed: Arc<Testbed>,
    /// The sending server's.
    place: Place,
    at: Exchanger,
    from: Address,
    token: String,
    to: Address,
    letters: Letters,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        testbed.add_domain(&Plan::new("example.org")).await?;
        testbed.add_domain(&Plan::new("example.com")).await?;
        let from = Address::parse("bob@example.com").step("address")?;
        let to = Address::parse("alice@example.org").step("address")?;
        testbed.add_account(&to).await?;
        let device = testbed.add_device(&from).await?;
        let token = device.token.clone();
        let sender = testbed.domains.remove("example.com").step("domain")?;
        let place = sender.place.clone();
        sender.stop().await;
        let at = testbed.door_at(&place, SUBMISSIONS_PORT)?;
        let testbed = Arc::new(testbed);
        Ok(Scene {
            letters: Letters::new(&testbed, device, &to),
            testbed,
            place,
            at,
            from,
            token,
            to,
            _folder: folder,
        })
    }

    fn start(&self) -> Outcome<Server> {
        Server::start(&self.place, self.at.address)
    }

    /// Submits what waits until the connection is lost.
    async fn submit(&self) -> Outcome<()> {
        let world = &self.testbed.world;
        let mut session = Session::log_in(world, &self.at, &self.from, &self.token).await?;
        while let Some(number) = self.letters.next() {
            let letter = self.letters.letter(number);
            match deliver(&mut session, &letter).await {
                Ok(reply) => self.letters.answered(number, &reply),
                Err(error) => {
                    self.letters.again(number);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Makes everything due until nothing waits, as an administrator would.
    async fn drained(&self) -> Outcome<()> {
        for _ in 0..LOOKS {
            if server::waiting(&self.place)? == 0 {
                return Ok(());
            }
            // The server may have the store for itself for a moment: then the next time.
            let _ = server::retry(&self.place);
            self.testbed.world.clock.sleep(PAUSE).await;
        }
        None.step("the queue is empty")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_carries_mail_on_everything_arrives_once() {
    let scene = Arc::new(Scene::set().await.unwrap());
    let long = std::env::var_os("EMAIL2_LONG").is_some();
    let kills = if long { MANY_KILLS } else { KILLS };
    for _ in 0..kills {
        scene.letters.top_up(WAITING).unwrap();
        let server = scene.start().unwrap();
        let before = scene.letters.acknowledged();
        let work = (0..SESSIONS).map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.submit().await })
        });
        let work: Vec<_> = work.collect();
        server::until(PATIENCE, || scene.letters.acknowledged() > before);
        let wait = RandomState::new().hash_one(kills) % LATEST;
        std::thread::sleep(Duration::from_millis(wait));
        server.kill().unwrap();
        for session in work {
            // That the connection was lost is what is tested here.
            drop(session.await.unwrap());
        }
    }
    let server = scene.start().unwrap();
    scene.drained().await.unwrap();
    server.stop().unwrap();
    let there = scene.testbed.domain("example.org").unwrap().place.clone();
    let kept = kept(&scene.testbed.world, &there, &scene.to).await.unwrap();
    let tally = scene.letters.tally(&kept).unwrap();
    println!(
        "{kills} kills of a server that carries on, {} acknowledged, {} lost, {} duplicated",
        tally.acknowledged, tally.lost, tally.duplicated
    );
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:?}");
    assert_eq!(scene.letters.refusals(), Vec::<String>::new());
    assert!(tally.acknowledged > kills as usize, "{tally:?}");
}

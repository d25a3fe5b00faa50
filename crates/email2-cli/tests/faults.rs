//! The real server under the worst: killed at any point, without room on its disk, without
//! handles. What it acknowledged is there exactly once, what it could not take is told to come
//! again, and it goes on by itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

#[path = "faults/letters.rs"]
mod letters;
#[path = "faults/onward.rs"]
mod onward;
#[path = "faults/server.rs"]
mod server;
#[path = "faults/upgrade.rs"]
mod upgrade;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use email2::Address;
use email2_testbed::domain::{Place, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Exchanger, Session, deliver};
use email2_testbed::kept::kept;
use email2_testbed::loopback::MX_PORT;
use email2_testbed::testbed::Testbed;
use letters::{Letters, Pen, Tally};
use server::{Full, Server};

/// Sessions that deliver at the same time.
const SESSIONS: usize = 20;
/// Letters that wait when the server is started.
const WAITING: usize = 500;
/// How often it is killed.
const KILLS: u32 = 20;
/// How often in a long run.
const MANY_KILLS: u32 = 200;
/// Within this time after the first 250 of a start it is killed, milliseconds.
const LATEST: u64 = 400;
/// How long a first 250 may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room on the small disk, in octets.
const ROOM: usize = 8 * 1024 * 1024;

/// A sender's domain in this process, and a receiving server of its own process.
struct Scene {
    testbed: Arc<Testbed>,
    place: Place,
    at: Exchanger,
    to: Address,
    letters: Arc<Letters>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        testbed.add_domain(&Plan::new("example.org")).await?;
        let place = testbed.prepare(&Plan::new("example.com"))?;
        let from = Address::parse("bob@example.org").step("address")?;
        let to = Address::parse("alice@example.com").step("address")?;
        let pen = Pen::Device(Arc::new(testbed.add_device(&from).await?));
        let at = testbed.door_at(&place, MX_PORT)?;
        let testbed = Arc::new(testbed);
        Ok(Scene {
            letters: Arc::new(Letters::new(&testbed, "letters", pen, &to)),
            place,
            at,
            to,
            testbed,
            _folder: folder,
        })
    }

    fn start(&self) -> Outcome<Server> {
        Server::start(&self.place, self.at.address)
    }

    async fn session(&self) -> Outcome<Session> {
        Session::open(&self.testbed.world, &self.at, "mx.example.org").await
    }

    /// What is kept, each message by the number of its letter.
    async fn tally(&self) -> Outcome<Tally> {
        let kept = kept(&self.testbed.world, &self.place, &self.to).await?;
        self.letters.tally(&kept)
    }
}

/// Delivers what waits until the connection is lost.
async fn work(scene: Arc<Scene>) {
    let Ok(mut session) = scene.session().await else {
        return;
    };
    while let Some(number) = scene.letters.next() {
        let letter = scene.letters.letter(number);
        match deliver(&mut session, &letter).await {
            Ok(reply) => scene.letters.answered(number, &reply),
            // Whoever does not know delivers the same octets again.
            Err(_) => return scene.letters.again(number),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_it_has_what_it_acknowledged_exactly_once() {
    let scene = Arc::new(Scene::set().await.unwrap());
    server::add_account(&scene.place, &scene.to).unwrap();
    let long = std::env::var_os("EMAIL2_LONG").is_some();
    let kills = if long { MANY_KILLS } else { KILLS };
    for _ in 0..kills {
        scene.letters.top_up(WAITING).unwrap();
        let server = scene.start().unwrap();
        let before = scene.letters.acknowledged();
        let work = (0..SESSIONS).map(|_| tokio::spawn(work(Arc::clone(&scene))));
        let work: Vec<_> = work.collect();
        server::until(PATIENCE, || scene.letters.acknowledged() > before);
        let wait = RandomState::new().hash_one(kills) % LATEST;
        std::thread::sleep(Duration::from_millis(wait));
        server.kill().unwrap();
        for session in work {
            session.await.unwrap();
        }
    }
    let server = scene.start().unwrap();
    let tally = scene.tally().await.unwrap();
    server.stop().unwrap();
    println!(
        "{kills} kills, {} acknowledged, {} lost, {} duplicated",
        tally.acknowledged, tally.lost, tally.duplicated
    );
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:?}");
    assert_eq!(scene.letters.refusals(), Vec::<String>::new());
    assert!(tally.acknowledged > kills as usize, "{tally:?}");
}

/// Delivers until the answer is not 250; that answer.
async fn until_refused(scene: &Scene, session: &mut Session) -> Outcome<String> {
    for _ in 0..WAITING {
        let number = scene.letters.next().step("letter")?;
        let reply = deliver(session, &scene.letters.letter(number)).await?;
        scene.letters.answered(number, &reply);
        if reply.code != 250 {
            scene.letters.again(number);
            return Ok(reply.to_string());
        }
    }
    Ok("250 for all".to_owned())
}

/// Case S11.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_says_come_again_and_is_got_over_without_a_restart() {
    let scene = Scene::set().await.unwrap();
    let data = scene.place.folder.join("data");
    let Some(full) = Full::mount(&data, ROOM) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    server::add_account(&scene.place, &scene.to).unwrap();
    let server = scene.start().unwrap();
    scene.letters.top_up(WAITING).unwrap();
    let mut session = scene.session().await.unwrap();
    let first = scene.letters.next().unwrap();
    let reply = deliver(&mut session, &scene.letters.letter(first))
        .await
        .unwrap();
    scene.letters.answered(first, &reply);
    full.fill().unwrap();
    let said = "452 4.3.1 The server has no space left, try again later";
    for _ in 0..3 {
        assert_eq!(until_refused(&scene, &mut session).await.unwrap(), said);
    }
    let before = scene.letters.acknowledged();
    full.free().unwrap();
    for _ in 0..20 {
        let number = scene.letters.next().unwrap();
        let reply = deliver(&mut session, &scene.letters.letter(number))
            .await
            .unwrap();
        assert_eq!(reply.code, 250, "{reply}");
        scene.letters.answered(number, &reply);
    }
    assert_eq!(scene.letters.acknowledged(), before + 20);
    let tally = scene.tally().await.unwrap();
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:?}");
    assert_eq!(tally.acknowledged, before + 20);
    server.stop().unwrap();
    let log = server::log(&scene.place);
    assert!(log.contains("no space is left for the store"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_handles_it_says_come_again_and_goes_on_by_itself() {
    let scene = Scene::set().await.unwrap();
    server::add_account(&scene.place, &scene.to).unwrap();
    let server = scene.start().unwrap();
    scene.letters.top_up(WAITING).unwrap();
    let mut session = scene.session().await.unwrap();
    let (small, large) = (scene.letters.small(), scene.letters.large());
    let reply = deliver(&mut session, &scene.letters.letter(small))
        .await
        .unwrap();
    scene.letters.answered(small, &reply);
    assert_eq!(scene.letters.acknowledged(), 1, "{reply}");
    server.leave_handles(2).unwrap();
    let crowd: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(scene.at.address))
        .collect();
    server::until(PATIENCE, || {
        server::log(&scene.place).contains("accept failed")
    });
    let reply = deliver(&mut session, &scene.letters.letter(large))
        .await
        .unwrap();
    let said = "451 4.3.0 An error on this server; nothing was accepted, try again later";
    assert_eq!(reply.to_string(), said);
    drop(crowd);
    server::until(PATIENCE, || server.has_free_handles());
    let mut later = scene.session().await.unwrap();
    for session in [&mut session, &mut later] {
        let number = scene.letters.large();
        let reply = deliver(session, &scene.letters.letter(number))
            .await
            .unwrap();
        assert_eq!(reply.code, 250, "{reply}");
        scene.letters.answered(number, &reply);
    }
    let tally = scene.tally().await.unwrap();
    assert_eq!(
        (tally.lost, tally.duplicated, tally.acknowledged),
        (0, 0, 3),
        "{tally:?}"
    );
    server.stop().unwrap();
    let log = server::log(&scene.place);
    assert!(log.contains("Too many open files"), "{log}");
}

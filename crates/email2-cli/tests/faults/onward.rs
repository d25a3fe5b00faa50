//! The server that carries mail on, killed while it takes and while it delivers (spec §12.5):
//! what it acknowledged to its users arrives once, by whatever way it goes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use email2::Address;
use email2_testbed::device::Device;
use email2_testbed::domain::{Place, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Exchanger, Session, deliver};
use email2_testbed::kept::kept;
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::ordinary::OrdinaryServer;
use email2_testbed::testbed::Testbed;

use crate::letters::{Letters, Pen, Tally};
use crate::server::{self, Server};
use crate::{KILLS, LATEST, MANY_KILLS, PATIENCE};

/// Members of the list, its author among them.
const MEMBERS: usize = 50;

/// Letters of one kind, on one way.
struct Flow {
    name: &'static str,
    letters: Letters,
    /// Who submits them, and their password.
    by: Address,
    token: String,
    /// In whose inboxes they must lie; none of Email 2.0 for ordinary mail.
    inboxes: Vec<Address>,
    /// Letters that wait when the server is started.
    waiting: usize,
}

/// A sending server of its own process, and the recipients' in this one.
struct Scene {
    testbed: Arc<Testbed>,
    /// The sending server's.
    place: Place,
    at: Exchanger,
    flows: Vec<Flow>,
    ordinary: OrdinaryServer,
    /// Letters that were on their way in when the server was killed.
    cut: AtomicUsize,
    _folder: tempfile::TempDir,
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

/// Bob seals himself; carol's key is held by the server. They write to alice, to a list that
/// hides its members, to erin, whose mail is passed on to frank, and to dave, who has ordinary
/// mail.
struct Cast {
    bob: Address,
    carol: Address,
    alice: Address,
    dave: Address,
    erin: Address,
    frank: Address,
    list: Address,
    members: Vec<Address>,
}

impl Cast {
    fn new() -> Outcome<Cast> {
        let bob = address("bob@example.com")?;
        let others = (1..MEMBERS).map(|number| address(&format!("member{number}@example.org")));
        let members = std::iter::once(Ok(bob.clone())).chain(others);
        Ok(Cast {
            members: members.collect::<Outcome<_>>()?,
            bob,
            carol: address("carol@example.com")?,
            alice: address("alice@example.org")?,
            dave: address("dave@example.net")?,
            erin: address("erin@example.com")?,
            frank: address("frank@example.org")?,
            list: address("team@example.com")?,
        })
    }

    /// Makes their accounts, bob's excepted, who has a device; and says whom they take mail from.
    async fn settle(&self, testbed: &Testbed) -> Outcome<()> {
        let others = [&self.carol, &self.alice, &self.frank, &self.erin];
        for other in others.into_iter().chain(self.members.iter().skip(1)) {
            testbed.add_account(other).await?;
        }
        for member in &self.members {
            let list = self.list.to_string();
            testbed.set(member, "forwarders", &list).await?;
        }
        let erin = self.erin.to_string();
        testbed.set(&self.frank, "forwarders", &erin).await
    }

    /// What an administrator does while no server runs; the password of carol's program.
    fn administer(&self, place: &Place) -> Outcome<String> {
        let [erin, frank] = [&self.erin, &self.frank].map(ToString::to_string);
        server::make_list(place, &self.list, &self.members)?;
        server::command(place, &["forward", "set", &erin, &frank])?;
        server::hold_key(place, &self.carol)
    }

    fn flows(&self, testbed: &Arc<Testbed>, device: &Arc<Device>, program: &str) -> Vec<Flow> {
        let sealed = |name, to: &Address, inboxes: &[Address], waiting| Flow {
            name,
            letters: Letters::new(testbed, name, Pen::Device(Arc::clone(device)), to),
            by: self.bob.clone(),
            token: device.token.clone(),
            inboxes: inboxes.to_vec(),
            waiting,
        };
        let written = |name, to: &Address, inboxes: &[Address]| Flow {
            name,
            letters: Letters::new(testbed, name, Pen::Program(self.carol.clone()), to),
            by: self.carol.clone(),
            token: program.to_owned(),
            inboxes: inboxes.to_vec(),
            waiting: 15,
        };
        let [alice, frank] = [&self.alice, &self.frank].map(std::slice::from_ref);
        vec![
            sealed("sealed", &self.alice, alice, 40),
            sealed("listed", &self.list, &self.members, 1),
            sealed("forwarded", &self.erin, frank, 15),
            written("held", &self.alice, alice),
            written("ordinary", &self.dave, &[]),
        ]
    }
}

impl Scene {
    async fn set() -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        testbed.add_domain(&Plan::new("example.org")).await?;
        testbed.add_domain(&Plan::new("example.com")).await?;
        let ordinary = OrdinaryServer::start(&mut testbed, "example.net").await?;
        let cast = Cast::new()?;
        let device = Arc::new(testbed.add_device(&cast.bob).await?);
        cast.settle(&testbed).await?;
        let sender = testbed.domains.remove("example.com").step("domain")?;
        let place = sender.place.clone();
        sender.stop().await;
        let program = cast.administer(&place)?;
        let at = testbed.door_at(&place, SUBMISSIONS_PORT)?;
        let testbed = Arc::new(testbed);
        Ok(Scene {
            flows: cast.flows(&testbed, &device, &program),
            testbed,
            place,
            at,
            ordinary,
            cut: AtomicUsize::new(0),
            _folder: folder,
        })
    }

    fn start(&self) -> Outcome<Server> {
        Server::start(&self.place, self.at.address)
    }

    fn acknowledged(&self) -> usize {
        self.flows
            .iter()
            .map(|flow| flow.letters.acknowledged())
            .sum()
    }

    /// Submits what waits of a flow until the connection is lost.
    async fn submit(&self, flow: usize) -> Outcome<()> {
        let (world, flow) = (&self.testbed.world, &self.flows[flow]);
        let mut session = Session::log_in(world, &self.at, &flow.by, &flow.token).await?;
        while let Some(number) = flow.letters.next() {
            let letter = flow.letters.letter(number);
            match deliver(&mut session, &letter).await {
                Ok(reply) => flow.letters.answered(number, &reply),
                Err(error) => {
                    self.cut.fetch_add(1, Ordering::Relaxed);
                    flow.letters.again(number);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// One start, one kill at some moment.
    async fn live_and_die(self: &Arc<Self>) -> Outcome<()> {
        for flow in &self.flows {
            flow.letters.top_up(flow.waiting)?;
        }
        let server = self.start()?;
        let before = self.acknowledged();
        // Two sessions each.
        let flows = (0..self.flows.len()).chain(0..self.flows.len());
        let work = flows.map(|flow| {
            let scene = Arc::clone(self);
            tokio::spawn(async move { scene.submit(flow).await })
        });
        let work: Vec<_> = work.collect();
        server::until(PATIENCE, || self.acknowledged() > before);
        let wait = RandomState::new().hash_one(before) % LATEST;
        std::thread::sleep(Duration::from_millis(wait));
        server.kill()?;
        for session in work {
            // That the connection was lost is what is tested here.
            drop(session.await.step("session")?);
        }
        Ok(())
    }

    /// What lies in an inbox, wherever that is.
    async fn inbox(&self, of: &Address) -> Outcome<Vec<Vec<u8>>> {
        let place = match self.testbed.domain(of.domain().as_str()) {
            Ok(domain) => &domain.place,
            Err(_) => &self.place,
        };
        kept(&self.testbed.world, place, of).await
    }

    /// Says of every flow what became of it; all but the ordinary one together.
    async fn tally(&self) -> Outcome<Tally> {
        let mut all = Tally::default();
        for flow in self.flows.iter().filter(|flow| !flow.inboxes.is_empty()) {
            let mut tally = Tally::default();
            for inbox in &flow.inboxes {
                tally += flow.letters.tally(&self.inbox(inbox).await?)?;
            }
            println!("  {}: {tally:?}", flow.name);
            all += tally;
        }
        Ok(all)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_carries_mail_on_everything_arrives_once() {
    let scene = Arc::new(Scene::set().await.unwrap());
    let long = std::env::var_os("EMAIL2_LONG").is_some();
    let kills = if long { MANY_KILLS } else { KILLS };
    let mut taking = 0;
    for _ in 0..kills {
        let before = scene.cut.load(Ordering::Relaxed);
        scene.live_and_die().await.unwrap();
        taking += u32::from(scene.cut.load(Ordering::Relaxed) > before);
    }
    let server = scene.start().unwrap();
    let log = server::log(&scene.place);
    let delivering = log.matches("deliveries that were cut off").count();
    server::drained(&scene.place, &scene.testbed).await.unwrap();
    server.stop().unwrap();
    println!(
        "{kills} kills of a server that carries on, {taking} while it took mail, {delivering} \
         while it delivered; {} letters acknowledged",
        scene.acknowledged()
    );
    let tally = scene.tally().await.unwrap();
    let flow = scene.flows.last().unwrap();
    let ordinary: Vec<_> = scene.ordinary.take();
    let ordinary = ordinary.into_iter().map(|mail| mail.content.into_bytes());
    let ordinary = flow.letters.tally(&ordinary.collect::<Vec<_>>()).unwrap();
    println!("  {}: {ordinary:?}", flow.name);
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:?}");
    assert_eq!(ordinary.lost, 0, "{ordinary:?}");
    for flow in &scene.flows {
        assert_eq!(flow.letters.refusals(), Vec::<String>::new());
        assert!(flow.letters.acknowledged() > 0, "{}", flow.name);
    }
    assert!(taking > 0 && delivering > 0, "{taking} and {delivering}");
}

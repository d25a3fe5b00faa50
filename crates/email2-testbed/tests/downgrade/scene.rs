//! bob@example.org, whose server carries his mail on, alice@example.com, and who stands between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::evidence::Announced;
use email2::seal::Role;
use email2_client::home;
use email2_client::send::compose::{Letter, Source};
use email2_client::send::{Encryption, State, Way};
use email2_remote::{DeliveryRequest, Outcome as Delivered};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_testbed::certification::HostFiles;
use email2_testbed::domain::{Domain, Place, Plan};
use email2_testbed::forger::{Claim, seal_for};
use email2_testbed::loopback::MX_PORT;
use email2_testbed::person::Person;
use email2_testbed::rogue::{self, Rogue, Script};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use hickory_proto::rr::Name;

use crate::program::{Program, Shown};

/// The host of somebody who would like to have the mail, in the world's network.
const THIEF: u8 = 200;
/// Its name.
pub(crate) const THIEF_NAME: &str = "mx.thief.net";
/// bob@example.org, whose server carries his mail on, and alice@example.com.
pub(crate) struct Scene {
    pub(crate) testbed: Testbed,
    pub(crate) bob: Person,
    pub(crate) alice: Person,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Both are set up, and her key is known to him and his server, and her domain.
    pub(crate) async fn set(alice: Plan) -> Scene {
        let scene = Scene::people(alice).await;
        scene.begins().await;
        scene
    }

    /// Both are set up and know nothing of each other.
    pub(crate) async fn people(alice: Plan) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let testbed = Testbed::start(folder.path()).unwrap();
        Scene::within(testbed, folder, alice).await
    }

    /// The same in a world that was made.
    pub(crate) async fn within(
        mut testbed: Testbed,
        folder: tempfile::TempDir,
        alice: Plan,
    ) -> Scene {
        testbed.add_domain(&alice).await.unwrap();
        testbed.add_domain(&Plan::new("example.org")).await.unwrap();
        let person = async |who: &str| {
            let address = Address::parse(who).unwrap();
            Person::set_up(&testbed, &address).await.unwrap()
        };
        let (bob, alice) = (
            person("bob@example.org").await,
            person("alice@example.com").await,
        );
        Scene {
            testbed,
            bob,
            alice,
            _folder: folder,
        }
    }

    /// The first letter: her key is known from here on, and her domain.
    pub(crate) async fn begins(&self) {
        self.submit("before").await;
        self.goes_out(1).await;
    }

    /// Bob's program hands a letter for alice to his server.
    pub(crate) async fn submit(&self, subject: &str) {
        let letter = Letter {
            to: vec![self.alice.address.to_string()],
            subject: subject.to_owned(),
            body: "At noon?\n".to_owned(),
            ..Letter::default()
        };
        let source = Source::Letter(letter);
        let given = self.bob.give_by(Way::Server, source, Encryption::Default);
        let reports = given.await.unwrap();
        assert_eq!(reports[0].state, State::Delivered, "{reports:?}");
    }

    /// Bob hands a message for somebody at an ordinary domain to his server, sealed.
    pub(crate) async fn submit_to(&self, to: &str) {
        let to = Address::parse(to).unwrap();
        let (address, key) = (&self.bob.address, self.bob.key());
        let from = address.to_string();
        let claim = Claim::now(address, &from, key);
        let letter = seal_for(&self.testbed.world, &to, &claim).unwrap();
        let mut mail = Mail::new(ReversePath::Address(address.clone()));
        mail.announced = Some(Announced {
            role: Role::Author,
            signer: Identity::Address(address.clone()),
        });
        let request = DeliveryRequest {
            domain: to.domain().clone(),
            envelope: Envelope {
                mail,
                recipients: vec![Recipient::new(to)],
            },
            content: Arc::new(letter.content),
            assured: true,
        };
        let outcomes = home::submit(&self.bob.client, &request).await;
        assert!(
            matches!(outcomes.as_slice(), [(_, Delivered::Accepted(_))]),
            "{outcomes:?}"
        );
    }

    /// What the administrator of his server sees and does.
    fn program(&self) -> Program {
        let domain = self.testbed.domain("example.org").unwrap();
        Program::of(&domain.place)
    }

    /// What `email2d queue show` says of the one entry after an attempt: it waits, and why.
    pub(crate) async fn waits(&self) -> Shown {
        let program = self.program();
        for _ in 0..300 {
            if let Some(shown) = program.show().await {
                eprintln!("{}", shown.text);
                return shown;
            }
            self.pause(100).await;
        }
        panic!("it says no reason: {:?}", program.list().await);
    }

    /// What is said of so many entries, by their domains.
    pub(crate) async fn reasons(&self, entries: usize) -> BTreeMap<String, String> {
        let program = self.program();
        for _ in 0..300 {
            let reasons = program.reasons().await;
            if reasons.len() == entries {
                eprintln!("{reasons:#?}");
                return reasons;
            }
            self.pause(200).await;
        }
        panic!("not all say why: {:?}", program.list().await);
    }

    /// `email2d queue retry`, until the queue is empty.
    pub(crate) async fn drained(&self) {
        let program = self.program();
        for _ in 0..100 {
            if program.list().await.is_empty() {
                return;
            }
            program.retry().await;
            self.pause(300).await;
        }
        panic!("it does not go out: {:?}", program.list().await);
    }

    /// It goes out, and so many letters are in alice's inbox.
    pub(crate) async fn goes_out(&self, letters: usize) {
        self.drained().await;
        let listed = email2_client::inbox::list(&self.alice.client, "INBOX", 50).await;
        let listed = listed.unwrap();
        assert_eq!(listed.len(), letters, "{listed:?}");
        assert!(listed.iter().all(|entry| entry.verified), "{listed:?}");
    }

    pub(crate) async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(milliseconds);
        self.testbed.world.clock.sleep(pause).await;
    }

    /// Alice's server is gone, and somebody answers in its place.
    pub(crate) async fn replaced(
        &mut self,
        files: Option<&HostFiles>,
        script: Script,
    ) -> (Place, Rogue) {
        let domain = self.testbed.domains.remove("example.com").unwrap();
        let place = domain.place.clone();
        domain.stop().await;
        let at = self.testbed.network.port(place.number, MX_PORT);
        let files = files.unwrap_or(&place.files);
        let rogue = Rogue::start(&self.testbed.world, at, files, script).await;
        (place, rogue.unwrap())
    }

    /// The fault ends: her server is there again.
    pub(crate) async fn restored(&mut self, place: Place, rogue: Rogue) {
        rogue.stop().await;
        let testbed = &mut self.testbed;
        let name = place.plan.name;
        let domain = Domain::start(place, &testbed.network, &testbed.world).await;
        testbed.domains.insert(name, domain.unwrap());
    }

    /// A host with a valid certificate of its own that would take sealed mail for anybody.
    pub(crate) async fn thief(&mut self) -> Rogue {
        let testbed = &mut self.testbed;
        let address = testbed.network.host(THIEF);
        let zone = Zone::new("thief.net").address(THIEF_NAME, address);
        testbed.authority.publish(zone).unwrap();
        let files = testbed.certification.issue(THIEF_NAME, &[THIEF_NAME]);
        let at = testbed.network.port(THIEF, MX_PORT);
        let started = Rogue::start(&testbed.world, at, &files.unwrap(), speaks_email2()).await;
        started.unwrap()
    }
}

pub(crate) fn thief_name() -> Name {
    Name::from_ascii(format!("{THIEF_NAME}.")).unwrap()
}

/// Has STARTTLS and nothing of Email 2.0.
pub(crate) fn says_nothing_of_email2() -> Script {
    Arc::new(|said| rogue::polite(said, &["STARTTLS"]))
}

pub(crate) fn speaks_email2() -> Script {
    Arc::new(|said| match said.secured {
        true => rogue::polite(said, &["EMAIL2 1", "PIPELINING"]),
        false => rogue::polite(said, &["STARTTLS"]),
    })
}

/// Did anybody hand mail over?
pub(crate) fn took_mail(rogue: &Rogue) -> bool {
    rogue.heard().iter().any(|line| line.starts_with("MAIL"))
}

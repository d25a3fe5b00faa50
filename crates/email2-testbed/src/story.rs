//! The story that `email2-demo` plays: bob@example.org writes to alice@example.com, and
//! mallory wants to be taken for bob.

pub mod exchange;
pub mod fallback;
pub mod forged_mx;
pub mod forgeries;
pub mod keep;
pub mod narrator;
pub mod reading;

use std::path::Path;

use email2::address::Address;

use crate::device::Device;
use crate::domain::{Domain, Plan};
use crate::failure::{Outcome, Step};
use crate::forger::Forger;
use crate::forger::session::{Letter, Reply, Session, deliver};
use crate::ordinary::OrdinaryServer;
use crate::person::Person;
use crate::testbed::Testbed;
use narrator::Narrator;

/// The domain that is written to: its zone is signed.
pub const TO: &str = "example.com";
/// The domain that writes: its zone is not signed, its host has a certificate for
/// `email2.example.org`.
pub const FROM: &str = "example.org";

/// The people of the story.
pub struct Cast {
    /// Who is written to.
    pub alice: Person,
    /// Somebody else at her server.
    pub carol: Device,
    /// Who writes.
    pub bob: Person,
    /// Whose device is stolen.
    pub robbed: Device,
}

/// The world after the story.
pub struct Scene {
    /// Everything that runs.
    pub testbed: Testbed,
    /// The people in it.
    pub cast: Cast,
    impostor: Domain,
    _ordinary: OrdinaryServer,
}

impl Scene {
    /// The accounts of the story, for `world.json`; alice first.
    ///
    /// # Errors
    /// A home cannot be read.
    pub fn accounts(&self) -> Outcome<Vec<keep::Account>> {
        let people = [&self.cast.alice, &self.cast.bob];
        let mut accounts = Vec::new();
        for person in people {
            accounts.push(keep::Account {
                address: person.address.to_string(),
                password: person.token()?,
                home: Some(person.home.clone()),
                passphrase_file: Some(person.home.join("passphrase")),
            });
        }
        accounts.push(keep::Account {
            address: self.cast.carol.address.to_string(),
            password: self.cast.carol.token.clone(),
            home: None,
            passphrase_file: None,
        });
        Ok(accounts)
    }

    /// Stops everything.
    pub async fn stop(self) {
        self.impostor.stop().await;
        self.testbed.stop().await;
    }
}

/// Plays the whole story in a world in `folder`, and leaves the world running.
///
/// # Errors
/// The world could not be set up; a verdict that is not the expected one is no error, the
/// narrator counts it.
pub async fn play(folder: &Path, narrator: &mut Narrator<'_>) -> Outcome<Scene> {
    narrator
        .part("Two mail domains: the zone of example.com is signed, example.org has a certificate");
    let mut testbed = world(folder).await?;
    let (cast, mallory) = people(&testbed, narrator).await?;
    narrator.part("bob@example.org writes to alice@example.com");
    let captured = exchange::play(&testbed, &cast.bob, &cast.alice, narrator).await?;
    reading::play(&cast.alice, &cast.bob, narrator).await?;
    narrator.part("bob writes to people of today, and mallory would make alice one of them");
    let ordinary = fallback::play(&mut testbed, &cast, narrator).await?;
    narrator.part("mallory wants to be taken for bob");
    let forger = forger(&testbed, &cast, mallory, captured)?;
    forgeries::play(&testbed, &forger, narrator).await?;
    forgeries::replay(&testbed, &forger, narrator).await?;
    forgeries::backdate(&testbed, &cast, &forger, narrator).await?;
    let impostor = forged_mx::play(&mut testbed, &forger, narrator).await?;
    Ok(Scene {
        testbed,
        cast,
        impostor,
        _ordinary: ordinary,
    })
}

async fn world(folder: &Path) -> Outcome<Testbed> {
    let mut testbed = Testbed::start(folder)?;
    let to = Plan {
        signed: true,
        certified: false,
        tapped: true,
        ..Plan::new(TO)
    };
    let from = Plan {
        direct: true,
        ..Plan::new(FROM)
    };
    testbed.add_domain(&to).await?;
    testbed.add_domain(&from).await?;
    Ok(testbed)
}

async fn people(testbed: &Testbed, narrator: &mut Narrator<'_>) -> Outcome<(Cast, Device)> {
    let (alice, bob) = (address("alice", TO)?, address("bob", FROM)?);
    let cast = Cast {
        alice: exchange::set_up(testbed, &alice, "dnssec", narrator).await?,
        bob: exchange::set_up(testbed, &bob, "domain-certificate", narrator).await?,
        carol: testbed.add_device(&address("carol", TO)?).await?,
        robbed: testbed.add_device(&address("dave", FROM)?).await?,
    };
    Ok((cast, testbed.add_device(&address("mallory", FROM)?).await?))
}

fn forger(testbed: &Testbed, cast: &Cast, own: Device, captured: Letter) -> Outcome<Forger> {
    let mut forger = Forger::new(&testbed.world, &cast.bob.address, own)?;
    forger.victim = cast.alice.address.clone();
    forger.bystander = cast.carol.address.clone();
    forger.stolen = Some(cast.robbed.steal()?);
    forger.captured = captured;
    Ok(forger)
}

fn address(local: &str, domain: &str) -> Outcome<Address> {
    Address::parse(&format!("{local}@{domain}")).step("address")
}

/// Connects to alice's exchanger and tries the letter.
///
/// # Errors
/// The connection is lost.
pub async fn attempt(testbed: &Testbed, letter: &Letter) -> Outcome<Reply> {
    let exchanger = testbed.exchanger(TO)?;
    let mut session = Session::open(&testbed.world, &exchanger, "mallory.example").await?;
    deliver(&mut session, letter).await
}

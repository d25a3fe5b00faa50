//! The story that `email2-demo` plays: bob@example.org writes to alice@example.com, and
//! mallory wants to be taken for bob.

pub mod exchange;
pub mod forged_mx;
pub mod forgeries;
pub mod keep;
pub mod narrator;

use std::path::Path;

use email2::address::Address;

use crate::device::Device;
use crate::domain::{Domain, Plan};
use crate::failure::{Outcome, Step};
use crate::forger::Forger;
use crate::forger::session::{Letter, Reply, Session, deliver};
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
    pub alice: Device,
    /// Somebody else at her server.
    pub carol: Device,
    /// Who writes.
    pub bob: Device,
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
}

impl Scene {
    /// The accounts of the story, for `world.json`; alice first.
    #[must_use]
    pub fn accounts(&self) -> Vec<keep::Account> {
        let devices = [&self.cast.alice, &self.cast.bob, &self.cast.carol];
        let account = |device: &&Device| keep::Account {
            address: device.address.to_string(),
            password: device.token.clone(),
            home: None,
            passphrase_file: None,
        };
        devices.iter().map(account).collect()
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
    narrator.part("The world");
    let mut testbed = world(folder).await?;
    let (cast, mallory) = people(&testbed).await?;
    narrator.part("bob@example.org writes to alice@example.com");
    let captured = exchange::play(&testbed, &cast, narrator).await?;
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
    })
}

async fn world(folder: &Path) -> Outcome<Testbed> {
    let mut testbed = Testbed::start(folder)?;
    let to = Plan {
        signed: true,
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

async fn people(testbed: &Testbed) -> Outcome<(Cast, Device)> {
    let cast = Cast {
        alice: testbed.add_device(&address("alice", TO)?).await?,
        carol: testbed.add_device(&address("carol", TO)?).await?,
        bob: testbed.add_device(&address("bob", FROM)?).await?,
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

//! First light: two servers, a sealed message accepted, and forgeries refused, spoken by
//! hand, so that no client stands between the server and what it is told.

use email2::address::Address;
use email2::rejection::Rejection;
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Reply, Session, deliver};
use email2_testbed::forger::way::{BACKDATED, WAYS, Way};
use email2_testbed::forger::{Claim, Forger};
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::testbed::Testbed;

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

/// Two domains, and a forger with a captured message that was delivered.
struct Scene {
    testbed: Testbed,
    forger: Forger,
    stolen: email2_testbed::device::Device,
    delivered: Reply,
    _folder: tempfile::TempDir,
}

async fn scene() -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    let signed = Plan {
        signed: true,
        tapped: true,
        ..Plan::new("example.com")
    };
    testbed.add_domain(&signed).await?;
    testbed.add_domain(&Plan::new("example.org")).await?;
    testbed.add_device(&address("alice@example.com")?).await?;
    testbed.add_device(&address("carol@example.com")?).await?;
    let bob = testbed.add_device(&address("bob@example.org")?).await?;
    let mallory = testbed.add_device(&address("mallory@example.org")?).await?;
    let stolen = testbed.add_device(&address("dave@example.org")?).await?;
    let mut forger = Forger::new(&testbed.world, &bob.address, mallory)?;
    forger.stolen = Some(stolen.steal()?);
    forger.victim = address("alice@example.com")?;
    forger.bystander = address("carol@example.com")?;
    let from = bob.address.to_string();
    forger.captured = forger.sealed(&Claim::now(&bob.address, &from, &bob.secret))?;
    let delivered = try_letter(&testbed, &forger.captured).await?;
    Ok(Scene {
        testbed,
        forger,
        stolen,
        delivered,
        _folder: folder,
    })
}

async fn try_letter(testbed: &Testbed, letter: &Letter) -> Outcome<Reply> {
    let exchanger = testbed.exchanger("example.com")?;
    let mut session = Session::open(&testbed.world, &exchanger, "client.example").await?;
    deliver(&mut session, letter).await
}

async fn try_way(scene: &Scene, way: &Way) -> Outcome<(Reply, Rejection)> {
    let letter = (way.letter)(&scene.forger)?;
    let reply = try_letter(&scene.testbed, &letter).await?;
    Ok((reply, (way.refusal)(&scene.forger)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_message_is_accepted_and_every_forgery_refused() {
    let scene = scene().await.unwrap();
    assert!(scene.delivered.is_granted(), "{}", scene.delivered);
    let crossed = scene.testbed.domain("example.com").unwrap();
    let crossed = crossed.tap.as_ref().unwrap().take();
    assert!(crossed.iter().any(|c| c.line.starts_with("Email2-Seal:")));
    for way in WAYS {
        let (reply, refusal) = try_way(&scene, way).await.unwrap();
        assert!(way.matches(&reply, &refusal), "{}: {reply}", way.step);
    }
    let door = scene.testbed.door("example.org", SUBMISSIONS_PORT).unwrap();
    scene
        .stolen
        .revoke(&scene.testbed.world, &door)
        .await
        .unwrap();
    let (reply, refusal) = try_way(&scene, &BACKDATED).await.unwrap();
    assert!(BACKDATED.matches(&reply, &refusal), "backdated: {reply}");
    scene.testbed.stop().await;
}

//! Signed zones of Debian's Knot: what lies below a strict domain is not spoofed, however the zone
//! proves that a name is absent, and a signature that does not hold defers.

use std::time::Duration;

use email2::address::Address;
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::{Claim, seal_for};
use email2_testbed::knot::{self, Denial};
use email2_testbed::testbed::Testbed;

use crate::scene::{Scene, letter};
use crate::strict::{SPOOFED, strict, strict_org};

/// `None` where Knot is not installed.
async fn scene(denial: Denial) -> Outcome<Option<Scene>> {
    if !knot::is_available() {
        eprintln!("skipped: Debian's knot is not installed");
        return Ok(None);
    }
    let folder = tempfile::tempdir().step("folder")?;
    let testbed = Testbed::by_knot(folder.path(), denial)?;
    Ok(Some(Scene::within(testbed, folder).await?))
}

/// spec §2.3.5, §11.2.3
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_below_a_strict_domain_of_knot_is_not_spoofed() -> Outcome<()> {
    for denial in [Denial::Nsec, Denial::Nsec3] {
        let Some(mut scene) = scene(denial).await? else {
            return Ok(());
        };
        strict_org(&mut scene, true).await?;
        for from in SPOOFED {
            let reply = scene.offer(from, &letter(from, "hi")).await?;
            assert_eq!(reply, strict(from), "{denial:?}");
        }
        let open = letter("bob@below.plain.net", "hi");
        let kept = scene.taken("bob@below.plain.net", &open, "INBOX").await?;
        assert_eq!(kept.verdict(), "unverified; reason=unsealed");
        scene.stop().await;
    }
    Ok(())
}

/// spec §2.2.4, §2.3.3: bogus is never insecure, nor absent.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_dns_that_does_not_hold_defers() -> Outcome<()> {
    let Some(mut scene) = scene(Denial::Nsec).await? else {
        return Ok(());
    };
    strict_org(&mut scene, true).await?;
    let knot = scene.testbed.knot.as_mut().step("Knot")?;
    knot.spoil("example.org", "v=EMAIL2; p=strict", "v=EMAIL2; p=open")?;
    let from = "bob@example.org";
    let later = "451 4.7.5 The policy of example.org cannot be asked for now, try again later";
    assert_eq!(scene.offer(from, &letter(from, "hi")).await?, later);
    let below = "bob@news.example.org";
    let later = later.replace("example.org", "news.example.org");
    assert_eq!(scene.offer(below, &letter(below, "hi")).await?, later);
    scene.stop().await;
    Ok(())
}

/// The same for sealed mail: the signer's domain cannot be found now (spec §7.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_seal_waits_while_the_dns_of_its_signer_is_bogus() -> Outcome<()> {
    let Some(mut scene) = scene(Denial::Nsec).await? else {
        return Ok(());
    };
    let plan = Plan {
        signed: true,
        certified: false,
        ..Plan::new("example.org")
    };
    scene.testbed.add_domain(&plan).await?;
    let bob = Address::parse("bob@example.org").step("bob")?;
    let device = scene.testbed.add_device(&bob).await?;
    let (world, alice) = (scene.testbed.world.clone(), scene.alice.address.clone());
    let from = bob.to_string();
    let sealed = || seal_for(&world, &alice, &Claim::now(&bob, &from, &device.secret));
    let knot = scene.testbed.knot.as_mut().step("Knot")?;
    knot.spoil("example.org", "10 mx.example.org.", "9 mx.example.org.")?;
    let reply = scene.offer_letter(&sealed()?).await?;
    let later = "451 4.4.3 The DNS of example.org does not answer, try again later";
    assert_eq!(reply, later);
    let zone = scene.testbed.zone("example.org").cloned();
    scene.testbed.publish(zone.step("zone")?)?;
    // A failure is kept for some seconds.
    world.clock.sleep(Duration::from_secs(6)).await;
    let reply = scene.offer_letter(&sealed()?).await?;
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.org"),
        "{reply}"
    );
    scene.stop().await;
    Ok(())
}

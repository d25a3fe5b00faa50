//! Who always seals is not believed without a seal (spec §11.2): domain, subdomain, address,
//! whatever else passes.

use email2::address::Address;
use email2_store::{Purpose, Secret};
use email2_testbed::authority::Fault;
use email2_testbed::device::Device;
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::zone::Zone;

use crate::scene::{Scene, account, letter, start};

/// What its domain publishes for ordinary mail besides: everything would pass.
fn passing(zone: Zone) -> Zone {
    let name = zone.origin().to_owned();
    zone.text(&name, "v=spf1 ip4:127.0.0.0/8 -all")
        .text(&format!("_dmarc.{name}"), "v=DMARC1; p=none")
}

pub(crate) fn strict(who: &str) -> String {
    format!("550 5.7.1 {who} always seals and this message has no seal")
}

/// Of a strict domain: it, a host's name, names that do not exist.
pub(crate) const SPOOFED: [&str; 5] = [
    "bob@example.org",
    "Bob+x@example.org",
    "bob@mx.example.org",
    "bob@news.example.org",
    "bob@far.below.news.example.org",
];

pub(crate) async fn strict_org(scene: &mut Scene, signed: bool) -> Outcome<()> {
    let plan = Plan {
        policy: "strict",
        signed,
        ..Plan::new("example.org")
    };
    let change = (
        "policy = \"strict\"",
        "policy = \"strict\"\nsubdomains = \"strict\"",
    );
    start(&mut scene.testbed, &plan, change).await?;
    let zone = scene.testbed.zone("example.org").cloned();
    scene.testbed.publish(passing(zone.step("zone")?))
}

/// The domain confirms what DNS says without proof, or DNS proves it.
#[tokio::test(flavor = "multi_thread")]
async fn a_strict_domain_and_what_lies_below_it_are_not_spoofed() -> Outcome<()> {
    for signed in [false, true] {
        let mut scene = Scene::open().await?;
        strict_org(&mut scene, signed).await?;
        // The testbed's own signed zones do not prove that a name below an absent one is absent;
        // Knot's do.
        let spoofed = SPOOFED
            .iter()
            .filter(|from| !(signed && from.contains("news")));
        for from in spoofed.copied() {
            let reply = scene.offer(from, &letter(from, "hi")).await?;
            assert_eq!(reply, strict(from), "DNSSEC: {signed}");
        }
        let several = letter("eve@plain.net, bob@example.org", "hi");
        let reply = scene.offer("eve@plain.net", &several).await?;
        assert_eq!(reply, strict("bob@example.org"));
        scene.set("legacy", "junk").await?;
        let reply = scene.offer("eve@plain.net", &several).await?;
        assert_eq!(reply, strict("bob@example.org"));
        scene.stop().await;
    }
    Ok(())
}

/// A domain that was asked once is known: no spoiled DNS makes it ordinary (spec §2.4.1).
#[tokio::test(flavor = "multi_thread")]
async fn a_strict_domain_stays_strict_when_its_dns_is_forged() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    strict_org(&mut scene, false).await?;
    let forged = letter("bob@example.org", "hi");
    let reply = scene.offer("bob@example.org", &forged).await?;
    assert_eq!(reply, strict("bob@example.org"));
    scene.testbed.authority.publish(Zone::new("example.org"))?;
    let reply = scene.offer("bob@example.org", &forged).await?;
    assert_eq!(reply, strict("bob@example.org"));
    scene.stop().await;
    Ok(())
}

/// An open domain, and an address there that always seals.
pub(crate) async fn strict_account(
    scene: &mut Scene,
    domain: &'static str,
    address: &str,
) -> Outcome<()> {
    scene.testbed.add_domain(&Plan::new(domain)).await?;
    let store = scene.testbed.store(scene.testbed.domain(domain)?)?;
    let account = account(&scene.testbed, &store, address, true).await?;
    let code = Secret::code(&mut scene.testbed.world.rng());
    let now = scene.testbed.world.now();
    let issued = store.issue_code(account.id, Purpose::Add, &code, now).await;
    issued.step("code")?;
    let at = scene.testbed.door(domain, SUBMISSIONS_PORT)?;
    let who: Address = account.address.clone();
    Device::enrol(&scene.testbed.world, &at, &who, code.reveal()).await?;
    Ok(())
}

/// The flag of one address in an open domain, in any spelling (spec §11.2.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_strict_address_is_not_spoofed() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    strict_account(&mut scene, "example.org", "bob@example.org").await?;
    for from in ["bob@example.org", "Bob+news@example.org"] {
        let reply = scene.offer("eve@plain.net", &letter(from, "hi")).await?;
        assert_eq!(reply, strict(from));
    }
    let other = letter("carol@example.org", "hi");
    let kept = scene.taken("carol@example.org", &other, "INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    scene.stop().await;
    Ok(())
}

/// spec §11.2.3, §11.2.4: what DNS alone says never yields a 5xx reply.
#[tokio::test(flavor = "multi_thread")]
async fn what_dns_says_without_proof_is_asked_for_and_never_refused() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let record = |zone: Zone| {
        let owner = format!("_email2.{}", zone.origin());
        zone.text(&owner, "v=EMAIL2; p=strict")
    };
    // Its host is not there: perhaps it will be.
    let down = record(Zone::new("down.net")).mx("down.net", 10, "mx.down.net")?;
    scene.testbed.authority.publish(down)?;
    let reply = scene
        .offer("a@down.net", &letter("a@down.net", "hi"))
        .await?;
    assert_eq!(
        reply,
        "451 4.7.5 The policy of down.net cannot be asked for now, try again later"
    );
    // It takes no mail: nobody can ever be asked.
    let never = record(Zone::new("never.net")).mx("never.net", 0, ".")?;
    scene.testbed.authority.publish(never)?;
    let kept = scene
        .taken("a@never.net", &letter("a@never.net", "hi"), "Junk")
        .await?;
    assert_eq!(kept.verdict(), "unverified; reason=policy-unconfirmed");
    scene.stop().await;
    Ok(())
}

/// spec §11.2.5
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_looked_up_defers() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    scene.testbed.authority.publish(Zone::new("spoiled.net"))?;
    let authority = &scene.testbed.authority;
    authority.fault("_email2.spoiled.net", None, Fault::ServFail)?;
    let content = letter("a@spoiled.net", "hi");
    let later = "451 4.7.5 The policy of spoiled.net cannot be asked for now, try again later";
    assert_eq!(scene.offer("a@spoiled.net", &content).await?, later);
    // In another's name nothing changes.
    let both = letter("eve@plain.net, a@spoiled.net", "hi");
    assert_eq!(scene.offer("eve@plain.net", &both).await?, later);
    scene.stop().await;
    Ok(())
}

//! The real thing on the other side: Debian's Postfix, with OpenDKIM as its milter, sends to our
//! server. Needs root and both packages; else the tests say so and return.

use std::os::unix::fs::PermissionsExt as _;

use email2_testbed::failure::{Outcome, Step};
use email2_testbed::loopback::MX_PORT;
use email2_testbed::opendkim::{self, OpenDkim, Task};
use email2_testbed::postfix::{self, Plan, Postfix};
use email2_testbed::zone::Zone;

use crate::results::results;
use crate::scene::{Scene, letter};
use crate::strict::{strict_account, strict_org};

/// Where Postfix and its milter are in the world's network.
const HOST: u8 = 220;
/// The milter's port.
const MILTER_PORT: u16 = 12_891;
/// How often the outcome of a message is looked for, and the pause in between, milliseconds.
const LOOKS: (usize, u64) = (300, 100);

/// Postfix for signed.net, which gives everything to alice's server.
struct Sender {
    postfix: Postfix,
    _milter: OpenDkim,
}

/// `None` where it cannot be run.
fn sender(scene: &mut Scene) -> Outcome<Option<Sender>> {
    if !postfix::is_available() || !opendkim::is_available() {
        eprintln!("skipped: needs root, postfix and opendkim (scripts/test installs them)");
        return Ok(None);
    }
    let testbed = &mut scene.testbed;
    // Postfix gives up root: it must be able to come to its folder.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&testbed.folder, open).step("folder")?;
    let folder = testbed.folder.join("signed.net");
    let task = Task::Sign {
        domain: "signed.net".to_owned(),
        selector: "p".to_owned(),
    };
    let milter = testbed.network.port(HOST, MILTER_PORT);
    let milter = OpenDkim::start(&folder.join("opendkim"), milter, &task)?;
    let record = opendkim::record(&folder.join("opendkim"))?;
    let signed = Zone::new("signed.net")
        .text("signed.net", "v=spf1 ip4:127.0.0.0/8 -all")
        .text("p._domainkey.signed.net", &record)
        .text("_dmarc.signed.net", "v=DMARC1; p=reject");
    testbed.authority.publish(signed)?;
    let elsewhere = Zone::new("elsewhere.net")
        .text("elsewhere.net", "v=spf1 ip4:192.0.2.1 -all")
        .text("_dmarc.elsewhere.net", "v=DMARC1; p=reject");
    testbed.authority.publish(elsewhere)?;
    let number = testbed.domain("example.com")?.place.number;
    let relay = testbed.network.host(number);
    let plan = Plan::new("signed.net", &["ann"], testbed.network.port(HOST, MX_PORT))
        // Where it listens stands in master.cf; these must be addresses of an interface.
        .with("inet_interfaces", "127.0.0.1")
        .with("relayhost", format!("[{relay}]:{MX_PORT}"))
        .with("smtpd_milters", milter.milter())
        .with("milter_default_action", "tempfail");
    let postfix = Postfix::start(&folder.join("postfix"), &plan)?;
    Ok(Some(Sender {
        postfix,
        _milter: milter,
    }))
}

impl Sender {
    /// Sends a message to alice; what became of it, as Postfix notes it.
    async fn sends(&self, scene: &Scene, from: &str, content: &str) -> Outcome<String> {
        let to = "alice@example.com";
        let before = self.postfix.outcomes(to).len();
        let reply = self.postfix.give(from, &[to], content)?;
        assert!(reply.starts_with("250 "), "{reply}");
        let (looks, pause) = LOOKS;
        for _ in 0..looks {
            if let Some(outcome) = self.postfix.outcomes(to).get(before) {
                return Ok(outcome.clone());
            }
            let pause = std::time::Duration::from_millis(pause);
            scene.testbed.world.clock.sleep(pause).await;
        }
        None.step(format!("an outcome: {}", self.postfix.logged()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postfix_sends_has_right_results_and_goes_where_it_is_wanted() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let Some(sender) = sender(&mut scene)? else {
        return Ok(());
    };
    // Pass: by the milter's signature and by the address.
    let from = "news@signed.net";
    let said = sender.sends(&scene, from, &letter(from, "cheap")).await?;
    assert!(said.contains("status=sent"), "{said}");
    let kept = scene.only("INBOX").await?;
    assert_eq!(kept.verdict(), "unverified; reason=unsealed");
    let checked = results(&kept.text);
    for word in [
        "spf=pass",
        "dkim=pass header.d=signed.net",
        "dmarc=pass header.from=signed.net",
    ] {
        assert!(checked.contains(word), "{word}: {checked}");
    }
    // Fail: a domain that does not send from here.
    let from = "boss@elsewhere.net";
    let said = sender.sends(&scene, from, &letter(from, "pay")).await?;
    assert!(said.contains("status=sent"), "{said}");
    let kept = scene.only("Junk").await?;
    let checked = results(&kept.text);
    assert!(checked.contains("spf=fail"), "{checked}");
    assert!(checked.contains("dmarc=fail"), "{checked}");
    // None: a domain that says nothing.
    let from = "bob@plain.net";
    let said = sender.sends(&scene, from, &letter(from, "hi")).await?;
    assert!(said.contains("status=sent"), "{said}");
    let checked = results(&scene.only("INBOX").await?.text);
    assert!(checked.contains("spf=none"), "{checked}");
    assert!(checked.contains("dmarc=none"), "{checked}");

    scene.set("legacy", "junk").await?;
    let said = sender.sends(&scene, from, &letter(from, "hi")).await?;
    assert!(said.contains("status=sent"), "{said}");
    scene.only("Junk").await?;
    scene.set("legacy", "reject").await?;
    let said = sender.sends(&scene, from, &letter(from, "hi")).await?;
    assert!(said.contains("status=bounced"), "{said}");
    assert!(said.contains("550 5.7.1"), "{said}");
    scene.stop().await;
    Ok(())
}

/// Everything passes, and nothing of it is taken: who always seals is not believed without.
#[tokio::test(flavor = "multi_thread")]
async fn a_postfix_that_spoofs_who_always_seals_is_refused() -> Outcome<()> {
    let mut scene = Scene::open().await?;
    let Some(sender) = sender(&mut scene)? else {
        return Ok(());
    };
    strict_org(&mut scene, false).await?;
    strict_account(&mut scene, "example.net", "dora@example.net").await?;
    for author in [
        "bob@example.org",
        "bob@news.example.org",
        "dora@example.net",
    ] {
        for from in [author, "news@signed.net"] {
            let said = sender.sends(&scene, from, &letter(author, "pay")).await?;
            assert!(said.contains("status=bounced"), "{author}: {said}");
            assert!(said.contains("always seals"), "{author}: {said}");
        }
    }
    scene.stop().await;
    Ok(())
}

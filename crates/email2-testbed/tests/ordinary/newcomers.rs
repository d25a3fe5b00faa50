//! First contact by ordinary mail (spec §10.6.3 to §10.6.5): what a new domain, and what nobody
//! vouches for, may have of a server in an hour.

use email2_store::{Account, Scope, Store};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};

use crate::scene::{Scene, account, letter, start};

/// Messages an hour of domains never seen, and as many that nothing vouches for.
const SERVER: usize = 32;
/// A domain's share, and a network's.
const DOMAIN: usize = SERVER / 2;
const NETWORK: usize = SERVER / 16;
const WAITS: &str =
    "450 4.7.1 Too much mail from senders who are not known here yet, try again later";

/// dora@example.net, whose server takes little; she takes ordinary mail into her Inbox.
struct Small {
    scene: Scene,
    store: Store,
    dora: Account,
}

impl Small {
    async fn open() -> Outcome<Small> {
        let mut scene = Scene::open().await?;
        let few = format!("[limits]\nfirst_contacts = {SERVER}\n\n[listen]");
        let plan = Plan::new("example.net");
        start(&mut scene.testbed, &plan, ("[listen]", few.as_str())).await?;
        let store = scene.testbed.store(scene.testbed.domain("example.net")?)?;
        let dora = account(&scene.testbed, &store, "dora@example.net", false).await?;
        let small = Small { scene, store, dora };
        small.set("legacy", "accept").await?;
        Ok(small)
    }

    async fn set(&self, name: &str, value: &str) -> Outcome<()> {
        let values = vec![(name.to_owned(), Some(value.as_bytes().to_vec()))];
        let set = self.store.set(Scope::Account(self.dora.id), values).await;
        set.step(name)
    }

    async fn offer(&self, from: &str, content: &str) -> Outcome<String> {
        let testbed = &self.scene.testbed;
        let at = testbed.exchanger("example.net")?;
        let mut session = Session::open(&testbed.world, &at, "mta.shop.net").await?;
        let letter = Letter {
            from: from.to_owned(),
            announced: None,
            recipients: vec!["dora@example.net".to_owned()],
            content: content.as_bytes().to_vec(),
        };
        Ok(deliver(&mut session, &letter).await?.to_string())
    }

    async fn stored(&self) -> Outcome<usize> {
        let mut stored = 0;
        for name in ["INBOX", "Junk"] {
            let mailbox = self.store.mailbox(self.dora.id, name).await.step(name)?;
            if let Some(mailbox) = mailbox {
                stored += self.store.messages(mailbox.id).await.step(name)?.len();
            }
        }
        Ok(stored)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_vouches_for_has_a_share_by_its_network_and_takes_nothing_from_others()
-> Outcome<()> {
    let small = Small::open().await?;
    let unproved = letter("eve@plain.net", "buy");
    for _ in 0..NETWORK {
        let reply = small.offer("eve@plain.net", &unproved).await?;
        assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    }
    // Whoever it names, and a contact of hers above all: nothing proves that they wrote it.
    small.set("contacts", "friend@plain.net\n").await?;
    for from in ["eve@plain.net", "mallory@plain.net", "friend@plain.net"] {
        assert_eq!(small.offer(from, &letter(from, "buy")).await?, WAITS);
    }
    let forged = letter("news@shop.net", "buy");
    assert_eq!(small.offer("eve@plain.net", &forged).await?, WAITS);
    let signed = small.scene.signed(&forged)?;
    let reply = small.offer("eve@plain.net", &signed).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    // What was put off is stored nowhere, and cost nobody.
    assert_eq!(small.stored().await?, NETWORK + 1);
    small.scene.stop().await;
    Ok(())
}

/// spec §10.6.4
#[tokio::test(flavor = "multi_thread")]
async fn a_new_domain_pays_for_its_mail_until_it_is_known() -> Outcome<()> {
    let small = Small::open().await?;
    let signed = |from: &str| small.scene.signed(&letter(from, "news"));
    for number in 0..DOMAIN {
        let from = format!("news{number}@shop.net");
        let reply = small.offer(&from, &signed(&from)?).await?;
        assert!(
            reply.starts_with("250 2.0.0 stored as "),
            "{number}: {reply}"
        );
    }
    let more = signed("news@shop.net")?;
    assert_eq!(small.offer("news@shop.net", &more).await?, WAITS);
    // Who is a contact, with a proof of the domain, is nobody's first contact.
    small.set("contacts", "friend@shop.net\n").await?;
    let friend = signed("friend@shop.net")?;
    let reply = small.offer("friend@shop.net", &friend).await?;
    assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    // A domain that she had mail of more than a day ago is none that pays.
    let now = small.scene.testbed.world.now();
    let days = |days: u64| now - days * 86_400;
    let domain = email2::Domain::parse("shop.net").step("domain")?;
    let forgotten = small.store.forget_met_domains(now + 1).await;
    assert_eq!(forgotten.step("forgetting")?, 1);
    let met = small.store.meet_domain(small.dora.id, &domain, days(2));
    met.await.step("meeting")?;
    for _ in 0..3 {
        let reply = small.offer("news@shop.net", &more).await?;
        assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    }
    assert_eq!(small.stored().await?, DOMAIN + 4);
    small.scene.stop().await;
    Ok(())
}

/// What goes on from here counts as what stays (spec §10.6.3).
#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_vouches_for_is_passed_on_within_the_share_of_its_network() -> Outcome<()> {
    let small = Small::open().await?;
    for name in ["forward", "forward-confirmed"] {
        small.set(name, "dora@plain.net\n").await?;
    }
    let unproved = letter("eve@plain.net", "buy");
    for _ in 0..NETWORK {
        let reply = small.offer("eve@plain.net", &unproved).await?;
        assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
    }
    assert_eq!(small.offer("eve@plain.net", &unproved).await?, WAITS);
    assert_eq!(small.stored().await?, 0);
    small.scene.stop().await;
    Ok(())
}

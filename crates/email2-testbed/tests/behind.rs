//! The mail system behind refuses what was answered 250 (spec §15.1.5): who sent it is told, by a
//! report that nobody could have forged, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use email2::address::Address;
use email2_io::net::Connection;
use email2_store::Origin;
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::ordinary::OrdinaryServer;
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const LMTP: u16 = 12_024;
/// What it says to the content, for whoever is over quota.
const FULL: &str = "552 5.2.2 carol is over quota at inner.example";

/// example.com in front of a system that knows everybody and has no room for anything; Bob at
/// example.org; shop.net, which says by SPF who sends for it, and plain.net, which does not.
struct Scene {
    testbed: Testbed,
    bob: Person,
    shop: OrdinaryServer,
    plain: OrdinaryServer,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        testbed.add_domain(&Plan::new("example.org")).await?;
        let shop = published(&mut testbed, "shop.net", "v=spf1 ip4:127.0.0.0/8 -all").await?;
        let plain = published(&mut testbed, "plain.net", "no policy").await?;
        front(&mut testbed).await?;
        let bob = Address::parse("bob@example.org").step("bob")?;
        Ok(Scene {
            bob: Person::set_up(&testbed, &bob).await?,
            testbed,
            shop,
            plain,
            _folder: folder,
        })
    }

    /// Bob's messages as soon as there are some, with the verdict of his server.
    async fn bobs(&self) -> Outcome<Vec<(String, Origin)>> {
        let store = self.testbed.store(self.testbed.domain("example.org")?)?;
        let account = store.account(&self.bob.address).await.step("bob")?;
        let account = account.step("bob")?.id;
        for _ in 0..300 {
            let inbox = store.mailbox(account, "INBOX").await.step("INBOX")?;
            let messages = store
                .messages(inbox.step("INBOX")?.id)
                .await
                .step("INBOX")?;
            let mut found = Vec::new();
            for message in messages {
                let body = store.message_body(message.id).await.step("body")?;
                let octets = body.read(0, usize::MAX).await.step("octets")?;
                let text = String::from_utf8_lossy(&octets).into_owned();
                found.push((text, message.origin));
            }
            if !found.is_empty() {
                return Ok(found);
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step("a report")
    }

    /// Gives ordinary mail to the front, and waits until the system behind has answered.
    async fn ordinary(&self, from: &str) -> Outcome<()> {
        let content =
            format!("From: {from}\r\nTo: carol@example.com\r\nSubject: offer\r\n\r\ncheap\r\n");
        let letter = Letter {
            from: from.to_owned(),
            announced: None,
            recipients: vec!["carol@example.com".to_owned()],
            content: content.into_bytes(),
        };
        let at = self.testbed.exchanger("example.com")?;
        let mut session = Session::open(&self.testbed.world, &at, "mta.shop.net").await?;
        let reply = deliver(&mut session, &letter).await?;
        assert!(reply.to_string().starts_with("250"), "{reply}");
        let store = self.testbed.store(self.testbed.domain("example.com")?)?;
        for _ in 0..200 {
            let entries = store.entries().await.step("queue")?;
            if entries.is_empty() {
                return Ok(());
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(50)).await;
        }
        None.step("an empty queue")
    }
}

/// A domain of today that says this of who sends for it.
async fn published(
    testbed: &mut Testbed,
    name: &'static str,
    text: &str,
) -> Outcome<OrdinaryServer> {
    let server = OrdinaryServer::start(testbed, name).await?;
    let zone = testbed.authority.zone(name).cloned().step("zone")?;
    let zone = zone.without(name).mx(name, 10, &format!("mail.{name}"))?;
    testbed.authority.publish(zone.text(name, text))?;
    Ok(server)
}

/// Our server, and what it stands in front of.
async fn front(testbed: &mut Testbed) -> Outcome<()> {
    let plan = Plan::new("example.com");
    let place = testbed.prepare(&plan)?;
    let at = testbed.network.port(place.number, LMTP);
    let listener = testbed.world.net.listen(at).await.step("LMTP")?;
    let listener = Arc::new(listener);
    tokio::spawn(async move {
        while let Ok(client) = listener.accept().await {
            tokio::spawn(refuse(client));
        }
    });
    let file = place.configuration();
    let text = std::fs::read_to_string(&file).step("configuration")?;
    let lines = format!("local = true\ninner = \"lmtp://{at}\"\nlegacy = \"accept\"");
    std::fs::write(&file, text.replace("local = true", &lines)).step("configuration")?;
    let domain = Domain::start(place, &testbed.network, &testbed.world).await?;
    testbed.domains.insert(plan.name, domain);
    Ok(())
}

/// Takes every recipient and no content (RFC 2033).
async fn refuse(client: Connection) -> std::io::Result<()> {
    let mut stream = BufReader::new(client.stream);
    let mut said = "220 inner LMTP".to_owned();
    loop {
        stream.write_all(format!("{said}\r\n").as_bytes()).await?;
        stream.flush().await?;
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        said = match line.get(..4).unwrap_or_default() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                stream.flush().await?;
                while line != ".\r\n" {
                    line.clear();
                    if stream.read_line(&mut line).await? == 0 {
                        return Ok(());
                    }
                }
                FULL.to_owned()
            }
            "LHLO" => "250-inner\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES".to_owned(),
            _ => "250 2.0.0 ok".to_owned(),
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_sealed_mail_is_refused_behind_is_told_under_a_seal() {
    let scene = Scene::open().await.unwrap();
    let carol = Address::parse("carol@example.com").unwrap();
    scene.bob.send(&carol, "lunch", "At noon?\n").await.unwrap();
    let told = scene.bobs().await.unwrap();
    let [(report, Origin::Accepted(provenance))] = told.as_slice() else {
        panic!("{told:?}");
    };
    let shown = provenance.to_string();
    assert!(shown.starts_with("service; domain=example.com;"), "{shown}");
    for part in [
        "From: mailer-daemon@example.com\r\n",
        "Final-Recipient: rfc822; carol@example.com\r\n",
        "Status: 5.2.2\r\n",
        "Email2-Seal: v=1; f=author;",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let read = scene.bob.read_newest().await.unwrap();
    assert!(read.sections[0].text.contains("over quota"), "{read:?}");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_ordinary_mail_is_refused_behind_is_told_if_spf_proved_them() {
    let scene = Scene::open().await.unwrap();
    scene.ordinary("victim@plain.net").await.unwrap();
    assert_eq!(scene.plain.take(), [], "no backscatter");
    scene.ordinary("news@shop.net").await.unwrap();
    let told = scene.shop.next().await.unwrap();
    assert!(told.from.starts_with("<>"), "{}", told.from);
    assert!(told.to[0].starts_with("<news@shop.net>"), "{:?}", told.to);
    let report = told.content;
    for part in [
        "From: mailer-daemon@example.com\r\nTo: news@shop.net\r\n",
        "Final-Recipient: rfc822; carol@example.com\r\n",
        "Status: 5.2.2\r\n",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(!report.contains("Email2-Seal"), "{report}");
    scene.testbed.stop().await;
}

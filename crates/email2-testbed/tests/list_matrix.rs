//! Case D04: a list of ours with members whose domains speak Email 2.0, refuse what DMARC does not
//! pass as the great providers do, or ask for nothing at all (spec §14.5).

use std::time::Duration;

use email2::address::{Address, Domain};
use email2_store::{Alias, AliasTarget, List, Member, Scope, Standing, Store};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::ordinary::{OrdinaryServer, Received};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use email2d::dkim_key;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{AuthenticatedMessage, DkimResult, DmarcResult, MessageAuthenticator};

const CLUB: &str = "club@example.com";

/// The list is at example.com, Bob at example.org, Carol at example.net; strict.net refuses what
/// DMARC does not pass, plain.net takes everything.
struct Scene {
    testbed: Testbed,
    bob: Person,
    carol: Person,
    strict: OrdinaryServer,
    plain: OrdinaryServer,
    home: Store,
    _folder: tempfile::TempDir,
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

impl Scene {
    /// `demand` is the `p` that example.org publishes.
    async fn open(demand: &str) -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        for name in ["example.com", "example.org", "example.net"] {
            testbed.add_domain(&Plan::new(name)).await?;
        }
        publish(&mut testbed, "example.org", demand)?;
        publish(&mut testbed, "example.com", "reject")?;
        let strict = OrdinaryServer::start(&mut testbed, "strict.net").await?;
        let plain = OrdinaryServer::start(&mut testbed, "plain.net").await?;
        Ok(Scene {
            bob: Person::set_up(&testbed, &address("bob@example.org")?).await?,
            carol: Person::set_up(&testbed, &address("carol@example.net")?).await?,
            home: testbed.store(testbed.domain("example.com")?)?,
            testbed,
            strict,
            plain,
            _folder: folder,
        })
    }

    /// A list with Bob, Carol, and somebody at each ordinary domain.
    async fn list(&self) -> Outcome<()> {
        let owner = address("owner@example.com")?;
        self.testbed.add_account(&owner).await?;
        let list = List {
            address: address(CLUB)?,
            announcement: false,
            moderated: false,
            open: false,
            hidden: false,
            one_click: true,
            owner,
            created: self.testbed.world.now(),
        };
        self.home.add_list(&list).await.step("list")?;
        for member in [
            "bob@example.org",
            "carol@example.net",
            "gina@strict.net",
            "pat@plain.net",
        ] {
            let member = Member {
                address: address(member)?,
                standing: Standing::Member,
                since: list.created,
            };
            let set = self.home.set_member(&list.address, &member).await;
            set.step("member")?;
        }
        let net = self.testbed.store(self.testbed.domain("example.net")?)?;
        let carol = net.account(&self.carol.address).await.step("carol")?;
        let registered = vec![("forwarders".to_owned(), Some(CLUB.as_bytes().to_vec()))];
        let scope = Scope::Account(carol.step("carol")?.id);
        net.set(scope, registered).await.step("forwarders")
    }

    /// Carol's message as soon as there is one.
    async fn carols(&self) -> Outcome<String> {
        for _ in 0..200 {
            if let Ok(newest) = self.carol.newest().await {
                return String::from_utf8(newest).step("text");
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step("mail")
    }

    /// What a receiver that checks finds: may it be taken, and whose signatures hold.
    async fn judged(&self, came: &Received) -> Outcome<(DmarcResult, Policy, Vec<String>)> {
        let resolver = self.testbed.world.dns.resolver().step("resolver")?;
        let authenticator = MessageAuthenticator(resolver);
        let from = came.from.trim_start_matches('<').split('>').next();
        let from = from.step("MAIL FROM")?;
        let (_, domain) = from.split_once('@').step("MAIL FROM")?;
        let client = self.testbed.domain("example.com")?.place.number;
        let client = self.testbed.network.host(client);
        let spf = SpfParameters::verify_mail_from(client, "mx.example.com", "strict.net", from);
        let spf = authenticator.verify_spf(spf).await;
        let message = AuthenticatedMessage::parse(came.content.as_bytes()).step("message")?;
        let dkim = authenticator.verify_dkim(&message).await;
        let dmarc = authenticator.verify_dmarc(DmarcParameters {
            message: &message,
            dkim_output: &dkim,
            dkim2_output: None,
            rfc5321_mail_from_domain: domain,
            spf_output: &spf,
        });
        let dmarc = dmarc.await;
        let good = dkim.iter().filter(|it| *it.result() == DkimResult::Pass);
        let signers = good.filter_map(|it| Some(it.signature()?.d.clone()));
        Ok((dmarc.result(), dmarc.policy(), signers.collect()))
    }
}

/// As `email2d dkim` and `quickstart` print the records; the server may send, and nobody else.
fn publish(testbed: &mut Testbed, name: &str, demand: &str) -> Outcome<()> {
    let place = &testbed.domain(name)?.place;
    let (data, number) = (place.folder.join("data"), place.number);
    let domain = Domain::parse(name).step(name)?;
    let records = dkim_key::ensure(&data, &domain, &mut testbed.world.rng()).step("keys")?;
    let zone = testbed.authority.zone(name).cloned().step("zone")?;
    let zone = records.iter().fold(zone, |zone, record| {
        zone.text(record.name.trim_end_matches('.'), &record.text)
    });
    let spf = format!("v=spf1 ip4:{} -all", testbed.network.host(number));
    let dmarc = format!("v=DMARC1; p={demand}");
    let zone = zone
        .text(name, &spf)
        .text(&format!("_dmarc.{name}"), &dmarc);
    testbed.authority.publish(zone)
}

fn header(came: &Received) -> &str {
    came.content.split("\r\n\r\n").next().unwrap_or_default()
}

/// The body below the header section, which nobody may change.
fn body(octets: &str) -> &str {
    octets.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_a_list_reaches_email2_strict_and_plain_members() {
    let scene = Scene::open("reject").await.unwrap();
    scene.list().await.unwrap();
    let club = address(CLUB).unwrap();
    scene
        .bob
        .send(&club, "news", "All is well.\n")
        .await
        .unwrap();
    let (strict, plain) = (scene.strict.next().await, scene.plain.next().await);
    let (strict, plain) = (strict.unwrap(), plain.unwrap());
    for came in [&strict, &plain] {
        let found = scene.judged(came).await.unwrap();
        assert_eq!(found.0, DmarcResult::Pass, "{}", came.content);
        assert!(
            found.2.iter().all(|signer| signer == "example.com"),
            "{found:?}"
        );
        assert!(!found.2.is_empty(), "{}", came.content);
        let header = header(came);
        for field in [
            "From: \"bob at example.org via club\"\r\n <club@example.com>",
            "Author: <bob@example.org>",
            "Reply-To: bob@example.org",
            "To: <club@example.com>",
            "Subject: news",
            "List-Id: <club.example.com>",
        ] {
            assert!(header.contains(field), "{field}: {header}");
        }
        assert!(!header.contains("\r\nEmail2-"), "{header}");
        assert_eq!(header.matches("\r\nFrom: ").count(), 1, "{header}");
        assert!(came.from.starts_with("<club@example.com>"), "{}", came.from);
    }
    // No footer, no prefix: what Bob signed is what they got, and Carol sees him checked.
    let carols = scene.carols().await.unwrap();
    assert!(carols.contains("Email2-Seal: v=1; f=author;"), "{carols}");
    assert_eq!(body(&strict.content), body(&carols));
    assert!(
        body(&strict.content).contains("multipart/signed")
            || header(&strict).contains("multipart/signed")
    );
    let read = scene.carol.read_newest().await.unwrap();
    assert_eq!(read.verdict.checked.unwrap().author, "bob@example.org");
    assert_eq!(read.protection.standing, "verified", "{carols}");
    scene.testbed.stop().await;
}

/// Whose domain asks for nothing keeps their name and their seals: who passes it on to an
/// Email 2.0 mailbox is not in its way (spec §14.5.2).
#[tokio::test(flavor = "multi_thread")]
async fn d04_an_author_whose_domain_asks_for_nothing_stays_in_from() {
    let scene = Scene::open("none").await.unwrap();
    scene.list().await.unwrap();
    let club = address(CLUB).unwrap();
    scene
        .bob
        .send(&club, "news", "All is well.\n")
        .await
        .unwrap();
    let came = scene.plain.next().await.unwrap();
    let header = header(&came);
    assert!(header.contains("\r\nFrom: <bob@example.org>"), "{header}");
    assert_eq!(header.matches("\r\nEmail2-Seal: ").count(), 2, "{header}");
    let found = scene.judged(&came).await.unwrap();
    assert_eq!(
        found.2,
        ["example.com", "example.com"],
        "the list's own word"
    );
    assert_eq!(found.1, Policy::None);
    scene.testbed.stop().await;
}

/// So does what an alias passes on to a strict domain.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_for_a_strict_domain_gets_there() {
    let scene = Scene::open("quarantine").await.unwrap();
    let team = address("team@example.com").unwrap();
    let alias = Alias {
        address: team.clone(),
        target: AliasTarget::Elsewhere(vec![address("gina@strict.net").unwrap()]),
        created: scene.testbed.world.now(),
    };
    scene.home.add_alias(&alias).await.unwrap();
    scene.bob.send(&team, "lunch", "At noon?\n").await.unwrap();
    let came = scene.strict.next().await.unwrap();
    let (dmarc, _, _) = scene.judged(&came).await.unwrap();
    assert_eq!(dmarc, DmarcResult::Pass, "{}", came.content);
    let from = "\r\nFrom: \"bob at example.org via team\"\r\n <team@example.com>\r\n";
    assert!(came.content.contains(from), "{}", came.content);
    scene.testbed.stop().await;
}

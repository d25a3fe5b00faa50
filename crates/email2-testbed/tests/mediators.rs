//! Mail that somebody passes on between domains (spec §14): a person's forwarding, a list of 50
//! members over 3 domains, and what comes back when the far end refuses.

use std::time::Duration;

use email2::address::Address;
use email2_client::send::State;
use email2_client::send::protect::Protection;
use email2_store::{Alias, AliasTarget, List, Member, NewAccount, Origin, Standing, Store};
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;

const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];
const MEMBERS: usize = 50;

struct Scene {
    testbed: Testbed,
    /// One in each domain.
    alice: Person,
    bob: Person,
    carol: Person,
    _folder: tempfile::TempDir,
}

async fn scene() -> Outcome<Scene> {
    scene_where("").await
}

/// With this line in what example.com's server is configured with for its domain.
async fn scene_where(line: &str) -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    for name in DOMAINS {
        let place = testbed.prepare(&Plan::new(name))?;
        if name == "example.com" {
            let file = place.configuration();
            let text = std::fs::read_to_string(&file).step("configuration")?;
            let text = text.replace("local = true\n", &format!("local = true\n{line}\n"));
            std::fs::write(&file, text).step("configuration")?;
        }
        let domain = Domain::start(place, &testbed.network, &testbed.world).await?;
        testbed.domains.insert(name, domain);
    }
    Ok(Scene {
        alice: Person::set_up(&testbed, &address("alice@example.com")?).await?,
        bob: Person::set_up(&testbed, &address("bob@example.org")?).await?,
        carol: Person::set_up(&testbed, &address("carol@example.net")?).await?,
        testbed,
        _folder: folder,
    })
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

/// The verdict, as it is shown.
fn shown(origin: &Origin) -> String {
    match origin {
        Origin::Accepted(provenance) => provenance.to_string(),
        other => format!("{other:?}"),
    }
}

impl Scene {
    fn store(&self, domain: &str) -> Outcome<Store> {
        self.testbed.store(self.testbed.domain(domain)?)
    }

    /// What lies in an account's inbox, with the verdict of its server.
    async fn inbox(&self, who: &Address) -> Outcome<Vec<(String, Origin)>> {
        let store = self.store(who.domain().as_str())?;
        let account = store.account(who).await.step("account")?;
        let account = account.step("account")?.id;
        let inbox = store.mailbox(account, "INBOX").await.step("INBOX")?;
        let messages = store.messages(inbox.step("INBOX")?.id).await;
        let mut found = Vec::new();
        for message in messages.step("messages")? {
            let body = store.message_body(message.id).await.step("body")?;
            let octets = body.read(0, usize::MAX).await.step("octets")?;
            let text = String::from_utf8_lossy(&octets).into_owned();
            found.push((text, message.origin));
        }
        Ok(found)
    }

    /// Waits until every queue is empty.
    async fn settled(&self) -> Outcome<()> {
        for _ in 0..400 {
            let mut waiting = 0;
            for name in DOMAINS {
                waiting += self.store(name)?.entries().await.step("queue")?.len();
            }
            if waiting == 0 {
                return Ok(());
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step("the queues are empty")
    }

    async fn forward(&self, from: &Address, to: &Address) -> Outcome<()> {
        let rule = format!("{to}\n");
        self.testbed.set(from, "forward", &rule).await?;
        self.testbed.set(from, "forward-confirmed", &rule).await
    }
}

/// Alice passes her mail on to Carol at another domain: Carol's program shows Bob as the author,
/// checked by Alice's domain, for nobody asked Bob's.
#[tokio::test(flavor = "multi_thread")]
async fn alice_forwards_and_carol_sees_who_wrote_and_who_checked() {
    let scene = scene().await.unwrap();
    let (alice, carol) = (&scene.alice.address, &scene.carol.address);
    scene.forward(alice, carol).await.unwrap();
    scene
        .testbed
        .set(carol, "forwarders", "alice@example.com\n")
        .await
        .unwrap();
    scene.bob.send(alice, "lunch", "At noon?\n").await.unwrap();
    scene.settled().await.unwrap();
    let inbox = scene.inbox(carol).await.unwrap();
    assert_eq!(inbox.len(), 1);
    let shown = shown(&inbox[0].1);
    assert!(
        shown.contains("checked; author=bob@example.org; by=example.com"),
        "{shown}"
    );
    let listed = email2_client::inbox::list(&scene.carol.client, "INBOX", 1).await;
    let listed = listed.unwrap();
    assert!(
        listed[0]
            .verdict
            .contains("checked; author=bob@example.org; by=example.com")
    );
    assert!(scene.inbox(alice).await.unwrap().is_empty());
    scene.testbed.stop().await;
}

/// Who knows Bob's key already sees him verified, and the way that the mail took.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_author_sees_him_verified_and_the_way() {
    let scene = scene().await.unwrap();
    let (alice, carol) = (&scene.alice.address, &scene.carol.address);
    scene.forward(alice, carol).await.unwrap();
    scene
        .testbed
        .set(carol, "forwarders", "alice@example.com\n")
        .await
        .unwrap();
    scene.bob.send(carol, "first", "Hello.\n").await.unwrap();
    scene.bob.send(alice, "lunch", "At noon?\n").await.unwrap();
    scene.settled().await.unwrap();
    let inbox = scene.inbox(carol).await.unwrap();
    assert_eq!(inbox.len(), 2);
    let shown = shown(&inbox[1].1);
    assert!(
        shown.contains("verified; author=bob@example.org;"),
        "{shown}"
    );
    assert!(
        shown.ends_with("via=@example.com/alice@example.com"),
        "{shown}"
    );
    scene.testbed.stop().await;
}

/// The far end refuses: Bob is told by Alice's domain, about Alice, and learns nothing of Carol's.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_from_the_far_end_finds_the_author_and_hides_the_target() {
    let scene = scene().await.unwrap();
    let alice = &scene.alice.address;
    let hidden = address("nobody-knows@example.net").unwrap();
    scene.forward(alice, &hidden).await.unwrap();
    scene.bob.send(alice, "lunch", "At noon?\n").await.unwrap();
    scene.settled().await.unwrap();
    let inbox = scene.inbox(&scene.bob.address).await.unwrap();
    assert_eq!(inbox.len(), 1);
    let (report, origin) = &inbox[0];
    let shown = shown(origin);
    assert!(shown.contains("service; domain=example.com;"), "{shown}");
    assert!(
        report.contains("Final-Recipient: rfc822; alice@example.com"),
        "{report}"
    );
    assert!(!report.contains("example.net"), "{report}");
    assert!(scene.inbox(alice).await.unwrap().is_empty());
    scene.testbed.stop().await;
}

/// An alias chain over three domains: one seal for each, the author untouched below.
#[tokio::test(flavor = "multi_thread")]
async fn two_mediators_stack_their_seals() {
    let scene = scene().await.unwrap();
    let (first, second) = ("team@example.com", "desk@example.org");
    scene.alias(first, second).await.unwrap();
    scene.alias(second, "carol@example.net").await.unwrap();
    let carol = &scene.carol.address;
    let registered = format!("{first}\n{second}\n");
    scene
        .testbed
        .set(carol, "forwarders", &registered)
        .await
        .unwrap();
    let to = address(first).unwrap();
    scene.bob.send(&to, "lunch", "At noon?\n").await.unwrap();
    scene.settled().await.unwrap();
    let inbox = scene.inbox(carol).await.unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].0.matches("Email2-Seal:").count(), 3);
    let shown = shown(&inbox[0].1);
    assert!(shown.contains("author=bob@example.org"), "{shown}");
    scene.testbed.stop().await;
}

/// The far end of a chain reports to the mediator before it, which reports to the one before it:
/// Bob is told of the address that he wrote to, and of none behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_goes_back_through_every_mediator_and_each_hides_its_target() {
    let scene = scene().await.unwrap();
    let (first, second) = ("team@example.com", "desk@example.org");
    scene.alias(first, second).await.unwrap();
    scene.alias(second, "gone@example.net").await.unwrap();
    let to = address(first).unwrap();
    scene.bob.send(&to, "lunch", "At noon?\n").await.unwrap();
    let inbox = scene.some_mail(&scene.bob.address).await.unwrap();
    let [(report, origin)] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    let shown = shown(origin);
    assert!(shown.contains("service; domain=example.com;"), "{shown}");
    assert!(
        report.contains("Final-Recipient: rfc822; team@example.com"),
        "{report}"
    );
    for hidden in ["desk@", "gone@", "example.net"] {
        assert!(!report.contains(hidden), "{hidden}: {report}");
    }
    assert!(report.contains("Email2-Seal: v=1; f=author;"), "{report}");
    let read = scene.bob.read_newest().await.unwrap();
    assert!(read.sections[0].text.contains("team@example.com"));
    scene.testbed.stop().await;
}

/// 50 members over 3 domains: one transaction a domain, every copy shows its author, and no
/// domain learns who of another is a member.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_50_members_over_3_domains_shows_its_author_to_all() {
    let scene = scene().await.unwrap();
    let list = List {
        address: address("club@example.com").unwrap(),
        announcement: false,
        moderated: false,
        open: false,
        hidden: false,
        one_click: false,
        owner: scene.alice.address.clone(),
        created: scene.testbed.world.now(),
    };
    let home = scene.store("example.com").unwrap();
    home.add_list(&list).await.unwrap();
    let members = scene.members(&list).await.unwrap();
    assert_eq!(members.len(), MEMBERS);
    let sent = scene
        .bob
        .send(&list.address, "news", "All is well.\n")
        .await;
    sent.unwrap();
    scene.settled().await.unwrap();
    for member in &members {
        let inbox = scene.inbox(member).await.unwrap();
        assert_eq!(inbox.len(), 1, "{member}");
        let (text, origin) = &inbox[0];
        let shown = shown(origin);
        assert!(
            shown.contains("author=bob@example.org"),
            "{member}: {shown}"
        );
        assert!(
            shown.contains("via=@example.com/club@example.com") || shown.contains("by=example.com"),
            "{member}: {shown}"
        );
        assert!(text.contains("List-Id: <club.example.com>\r\n"));
        for other in DOMAINS
            .iter()
            .filter(|name| **name != member.domain().as_str())
        {
            let stranger = members.iter().find(|m| m.domain().as_str() == *other);
            let stranger = stranger.unwrap().to_string();
            let named = email2::seal::reported::reported(text.as_bytes());
            let mut named = named.iter().flat_map(|seal| &seal.recipients);
            assert!(named.all(|to| to.to_string() != stranger), "{member}");
        }
    }
    let listed = email2_client::inbox::list(&scene.carol.client, "INBOX", 1).await;
    let verdict = listed.unwrap()[0].verdict.clone();
    assert!(verdict.contains("author=bob@example.org"), "{verdict}");
    scene.testbed.stop().await;
}

/// A hidden list: no copy names another member, not even one of the same domain; that one of them is
/// gone is told to the list's owner alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_list_names_no_member_to_others_nor_to_its_author() {
    let scene = scene().await.unwrap();
    let list = List {
        address: address("circle@example.com").unwrap(),
        announcement: false,
        moderated: false,
        open: false,
        hidden: true,
        one_click: false,
        owner: scene.alice.address.clone(),
        created: scene.testbed.world.now(),
    };
    let home = scene.store("example.com").unwrap();
    home.add_list(&list).await.unwrap();
    scene.account("dan@example.net").await.unwrap();
    let readers = ["carol@example.net", "dan@example.net", "bob@example.org"];
    let gone = "gone@example.net";
    for who in readers.iter().chain([&gone]) {
        scene.join(&list, &address(who).unwrap()).await.unwrap();
    }
    for who in readers {
        let to = address(who).unwrap();
        let registered = scene
            .testbed
            .set(&to, "forwarders", "circle@example.com\n")
            .await;
        registered.unwrap();
    }
    let sent = scene.bob.send(&list.address, "news", "All is well.\n");
    sent.await.unwrap();
    scene.settled().await.unwrap();
    for who in readers {
        let inbox = scene.inbox(&address(who).unwrap()).await.unwrap();
        assert_eq!(inbox.len(), 1, "{who}");
        let (text, origin) = &inbox[0];
        let shown = shown(origin);
        assert!(shown.contains("author=bob@example.org"), "{who}: {shown}");
        let seals = email2::seal::reported::reported(text.as_bytes());
        let to: Vec<String> = seals[0]
            .recipients
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(to, [who], "the seal of the list is for one");
        for other in ["carol@example.net", "dan@example.net", gone] {
            assert!(
                other == who || !text.contains(other),
                "{who} reads of {other}"
            );
        }
    }
    let owner = scene.inbox(&scene.alice.address).await.unwrap();
    assert!(
        owner.iter().any(|(text, _)| text.contains(gone)),
        "{owner:?}"
    );
    scene.testbed.stop().await;
}

/// Mail for an address that nobody has is the catch-all's; it shows who wrote, and nobody can tell
/// such an address from others.
#[tokio::test(flavor = "multi_thread")]
async fn a_catch_all_gets_what_nobody_has_and_tells_nobody() {
    let line = "catch_all = \"alice@example.com\"";
    let scene = scene_where(line).await.unwrap();
    let nobody = address("whoever@example.com").unwrap();
    let reports = scene
        .bob
        .send(&nobody, "lunch", "At noon?\n")
        .await
        .unwrap();
    let report = reports.first().unwrap();
    assert_eq!(report.state, State::Delivered, "{reports:?}");
    // It has no key: that of the one behind would tell who that is.
    assert_eq!(report.protection(), Some(Protection::Signed), "{reports:?}");
    assert!(!report.words.contains("alice"), "{reports:?}");
    let inbox = scene.inbox(&scene.alice.address).await.unwrap();
    assert_eq!(inbox.len(), 1);
    let shown = shown(&inbox[0].1);
    assert!(
        shown.contains("verified; author=bob@example.org"),
        "{shown}"
    );
    let read = scene.alice.read_newest().await.unwrap();
    assert_eq!(read.verdict.author.as_deref(), Some("bob@example.org"));
    let listed = email2_client::inbox::list(&scene.alice.client, "INBOX", 1).await;
    assert!(listed.unwrap()[0].verified);
    // Another domain has none, and says so in the session.
    let unknown = address("whoever@example.net").unwrap();
    let reports = scene
        .bob
        .send(&unknown, "lunch", "At noon?\n")
        .await
        .unwrap();
    let report = reports.first().unwrap();
    assert_eq!(report.state, State::Refused, "{reports:?}");
    scene.testbed.stop().await;
}

impl Scene {
    async fn account(&self, who: &str) -> Outcome<()> {
        let account = NewAccount {
            address: address(who)?,
            quota: None,
            strict: false,
            unlisted: false,
        };
        let store = self.store(account.address.domain().as_str())?;
        let now = self.testbed.world.now();
        store.add_account(&account, now).await.step("account")?;
        Ok(())
    }

    async fn alias(&self, alias: &str, to: &str) -> Outcome<()> {
        let alias = Alias {
            address: address(alias)?,
            target: AliasTarget::Elsewhere(vec![address(to)?]),
            created: self.testbed.world.now(),
        };
        let store = self.store(alias.address.domain().as_str())?;
        store.add_alias(&alias).await.step("alias")
    }

    /// An inbox as soon as something lies in it.
    async fn some_mail(&self, who: &Address) -> Outcome<Vec<(String, Origin)>> {
        for _ in 0..400 {
            let inbox = self.inbox(who).await?;
            if !inbox.is_empty() {
                return Ok(inbox);
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step("mail")
    }

    async fn join(&self, list: &List, member: &Address) -> Outcome<()> {
        let row = Member {
            address: member.clone(),
            standing: Standing::Member,
            since: list.created,
        };
        let home = self.store(list.address.domain().as_str())?;
        home.set_member(&list.address, &row).await.step("member")
    }

    /// Bob, Carol, Alice and as many accounts as are wanted, spread over the domains.
    async fn members(&self, list: &List) -> Outcome<Vec<Address>> {
        let people = [&self.alice, &self.bob, &self.carol];
        let mut members: Vec<Address> = people.iter().map(|who| who.address.clone()).collect();
        for (number, domain) in (members.len()..MEMBERS).zip(DOMAINS.iter().cycle()) {
            let member = format!("member{number}@{domain}");
            self.account(&member).await?;
            members.push(address(&member)?);
        }
        for member in &members {
            self.join(list, member).await?;
            self.testbed
                .set(member, "forwarders", &list.address.to_string())
                .await?;
        }
        Ok(members)
    }
}

//! alice@example.com, whose server speaks Email 2.0, and the ordinary domains of shop.net (which
//! signs, and asks to refuse what fails) and plain.net (which publishes nothing).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::Address;
use email2_store::{Account, NewAccount, Origin, Scope, Store};
use email2_testbed::domain::{Domain, Plan};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;

pub(crate) struct Scene {
    pub(crate) testbed: Testbed,
    pub(crate) store: Store,
    pub(crate) alice: Account,
    key: Vec<u8>,
    _folder: tempfile::TempDir,
}

/// One message that was stored.
pub(crate) struct Kept {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

impl Kept {
    /// The verdict in words, without its time.
    pub(crate) fn verdict(&self) -> String {
        let words = self.origin.provenance().map(ToString::to_string);
        let words = words.unwrap_or_default();
        let parts = words.split("; ").filter(|part| !part.starts_with("at="));
        parts.collect::<Vec<_>>().join("; ")
    }
}

impl Scene {
    /// Alice takes ordinary mail into her Inbox.
    pub(crate) async fn open() -> Outcome<Scene> {
        let folder = tempfile::tempdir().step("folder")?;
        Scene::within(Testbed::start(folder.path())?, folder).await
    }

    /// The same in a world that was made.
    pub(crate) async fn within(mut testbed: Testbed, folder: tempfile::TempDir) -> Outcome<Scene> {
        let key = Ed25519Key::generate_pkcs8().step("key")?;
        testbed.publish(shop(&key)?)?;
        testbed.publish(Zone::new("plain.net"))?;
        testbed.add_domain(&Plan::new("example.com")).await?;
        let store = testbed.store(testbed.domain("example.com")?)?;
        let alice = account(&testbed, &store, "alice@example.com", false).await?;
        let scene = Scene {
            testbed,
            store,
            alice,
            key,
            _folder: folder,
        };
        scene.set("legacy", "accept").await?;
        Ok(scene)
    }

    /// What alice writes into a setting.
    pub(crate) async fn set(&self, name: &str, value: &str) -> Outcome<()> {
        let values = vec![(name.to_owned(), Some(value.as_bytes().to_vec()))];
        let set = self.store.set(Scope::Account(self.alice.id), values).await;
        set.step(name)
    }

    /// The reply to a message for alice from an ordinary server.
    pub(crate) async fn offer(&self, from: &str, content: &str) -> Outcome<String> {
        self.offer_octets(from, content.as_bytes()).await
    }

    pub(crate) async fn offer_octets(&self, from: &str, content: &[u8]) -> Outcome<String> {
        self.offer_to("alice@example.com", from, content).await
    }

    pub(crate) async fn offer_to(&self, to: &str, from: &str, content: &[u8]) -> Outcome<String> {
        let letter = Letter {
            from: from.to_owned(),
            announced: None,
            recipients: vec![to.to_owned()],
            content: content.to_vec(),
        };
        self.offer_letter(&letter).await
    }

    /// The reply to any letter.
    pub(crate) async fn offer_letter(&self, letter: &Letter) -> Outcome<String> {
        let at = self.testbed.exchanger("example.com")?;
        let mut session = Session::open(&self.testbed.world, &at, "mta.shop.net").await?;
        Ok(deliver(&mut session, letter).await?.to_string())
    }

    /// Taken, and the one message that then lies there, which is removed.
    pub(crate) async fn taken(&self, from: &str, content: &str, place: &str) -> Outcome<Kept> {
        let reply = self.offer(from, content).await?;
        assert!(reply.starts_with("250 2.0.0 stored as "), "{reply}");
        self.only(place).await
    }

    /// The one message that lies in a mailbox, alone in all of them; it is removed.
    pub(crate) async fn only(&self, place: &str) -> Outcome<Kept> {
        let mut found = Vec::new();
        for name in ["INBOX", "Junk", "Requests"] {
            for kept in self.emptied(name).await? {
                found.push((name, kept));
            }
        }
        let places: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(places, [place]);
        Ok(found.remove(0).1)
    }

    async fn emptied(&self, name: &str) -> Outcome<Vec<Kept>> {
        let found = self.store.mailbox(self.alice.id, name).await;
        let Some(mailbox) = found.step(name)? else {
            return Ok(Vec::new());
        };
        let messages = self.store.messages(mailbox.id).await.step(name)?;
        let mut kept = Vec::new();
        let mut uids = Vec::new();
        for message in messages {
            let body = self.store.message_body(message.id).await.step("body")?;
            let octets = body.read(0, usize::MAX).await.step("octets")?;
            kept.push(Kept {
                text: String::from_utf8_lossy(&octets).into_owned(),
                origin: message.origin,
            });
            uids.push(message.uid);
        }
        let change = email2_store::FlagChange {
            uids,
            action: email2_store::message::FlagAction::Add,
            flags: email2_store::Flags {
                deleted: true,
                ..email2_store::Flags::default()
            },
            unchanged_since: None,
        };
        let changed = self.store.change_flags(mailbox.id, change).await;
        changed.step("flags")?;
        self.store.expunge(mailbox.id, None).await.step("expunge")?;
        Ok(kept)
    }

    /// Signed by shop.net, whoever is named in From.
    pub(crate) fn signed(&self, content: &str) -> Outcome<String> {
        self.signed_by("shop.net", content)
    }

    pub(crate) fn signed_by(&self, domain: &str, content: &str) -> Outcome<String> {
        let key = Ed25519Key::from_pkcs8_der(&self.key).step("key")?;
        let signer = DkimSigner::from_key(key).domain(domain).selector("s");
        let signer = signer.headers(["From", "To", "Subject"]);
        let signature = signer.sign(content.as_bytes()).step("signature")?;
        Ok(signature.to_header() + content)
    }

    pub(crate) async fn stop(self) {
        self.testbed.stop().await;
    }
}

/// An account of this world.
pub(crate) async fn account(
    testbed: &Testbed,
    store: &Store,
    address: &str,
    strict: bool,
) -> Outcome<Account> {
    let new = NewAccount {
        address: Address::parse(address).step(address)?,
        quota: None,
        strict,
        unlisted: false,
    };
    let added = store.add_account(&new, testbed.world.now()).await;
    added.step(address)
}

/// A server that was prepared, with a line changed in its configuration.
pub(crate) async fn start(testbed: &mut Testbed, plan: &Plan, change: (&str, &str)) -> Outcome<()> {
    let place = testbed.prepare(plan)?;
    let file = place.configuration();
    let text = std::fs::read_to_string(&file).step("configuration")?;
    std::fs::write(&file, text.replace(change.0, change.1)).step("configuration")?;
    let domain = Domain::start(place, &testbed.network, &testbed.world).await?;
    testbed.domains.insert(plan.name, domain);
    Ok(())
}

/// A letter to alice.
pub(crate) fn letter(from: &str, body: &str) -> String {
    format!("From: {from}\r\nTo: alice@example.com\r\nSubject: offer\r\n\r\n{body}\r\n")
}

fn shop(key: &[u8]) -> Outcome<Zone> {
    let key = Ed25519Key::from_pkcs8_der(key).step("key")?;
    let public = STANDARD.encode(key.public_key());
    Ok(Zone::new("shop.net")
        .text("shop.net", "v=spf1 ip4:127.0.0.0/8 -all")
        .text(
            "s._domainkey.shop.net",
            &format!("v=DKIM1; k=ed25519; p={public}"),
        )
        .text("_dmarc.shop.net", "v=DMARC1; p=reject"))
}

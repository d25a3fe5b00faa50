//! Keys for life, between real servers: a second device, expiry, revocation, replacement, reset,
//! and home servers that lie.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use email2::address::Address;
use email2::certificate::generate::generate;
use email2::certificate::{Certificate, RevocationReason};
use email2::content::{Container, Mode, OuterTo, Protect, protect};
use email2::known::{KnownCertificate, KnownKey};
use email2::secret::SecretKey;
use email2::{Assurance, Identity, KeyFlags};
use email2_client::config::Config;
use email2_client::enrol::{self, EnrolError, Enrolled, Origin};
use email2_client::pin::{self, PinError};
use email2_client::place::Place;
use email2_client::read::{self, Shown};
use email2_client::send::compose::{Letter, Source};
use email2_client::send::{Encryption, State};
use email2_client::{Client, backup, home, keyring, own_key, verified, watch_own};
use email2_store::{Purpose, Replaces, Secret, Version};
use email2_testbed::domain::Plan;
use email2_testbed::person::{PASSPHRASE, Person};
use email2_testbed::testbed::Testbed;

const DAY: u64 = 86_400;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn identity(text: &str) -> Identity {
    Identity::Address(address(text))
}

/// Two domains on loopback; the folder lives as long as they do.
struct Scene {
    testbed: Testbed,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        testbed.add_domain(&Plan::new("example.com")).await.unwrap();
        testbed.add_domain(&Plan::new("example.org")).await.unwrap();
        Scene {
            testbed,
            _folder: folder,
        }
    }

    async fn person(&self, who: &str) -> Person {
        Person::set_up(&self.testbed, &address(who)).await.unwrap()
    }

    fn now(&self) -> u64 {
        self.testbed.world.now()
    }

    /// As `email2d user invite` or `user reset` issue it.
    async fn code(&self, who: &Address, purpose: Purpose) -> String {
        let domain = self.testbed.domain(who.domain().as_str()).unwrap();
        let store = self.testbed.store(domain).unwrap();
        let account = store.account(who).await.unwrap().unwrap();
        let code = Secret::code(&mut self.testbed.world.rng());
        let issued = store.issue_code(account.id, purpose, &code, self.now());
        issued.await.unwrap();
        code.reveal().to_owned()
    }

    /// A client in a folder of this name, which may be new.
    fn client(&self, folder: &str) -> Client {
        let home = self.testbed.folder.join("homes").join(folder);
        std::fs::create_dir_all(&home).unwrap();
        let place = Place::at(&home);
        std::fs::write(place.config_file(), self.testbed.network_section()).unwrap();
        let config = Config::read(&place.config_file(), true).unwrap();
        Client::open(place, &config).unwrap()
    }

    async fn enrol(
        &self,
        folder: &str,
        who: &Address,
        code: &str,
        origin: Origin,
    ) -> Result<Enrolled, EnrolError> {
        let client = self.client(folder);
        enrol::enrol_with(&client, who, code, PASSPHRASE, None, origin).await
    }

    /// What the server of `who` answers from now on, as if its owner had published it.
    async fn lie(&self, who: &str, certificate: &Certificate, replaces: Replaces) {
        let who = address(who);
        let domain = self.testbed.domain(who.domain().as_str()).unwrap();
        let store = self.testbed.store(domain).unwrap();
        let version = Version {
            identity: Identity::Address(who),
            primary: certificate.primary().clone(),
            keys: certificate.signing_keys(),
            etag: certificate.etag(),
            octets: certificate.octets().to_vec(),
        };
        assert!(store.publish(version, replaces, self.now()).await.unwrap());
    }

    fn false_key(&self, who: &str) -> SecretKey {
        let rng = &mut self.testbed.world.rng();
        generate(&identity(who), self.now(), rng).unwrap()
    }
}

/// The key as it lies on the device now.
fn key_of(client: &Client) -> SecretKey {
    keyring::unlock(client.place(), PASSPHRASE).unwrap()
}

async fn read_newest(client: &Client) -> Shown {
    let newest = email2_client::inbox::list(client, "INBOX", 1)
        .await
        .unwrap();
    let whole = email2_client::inbox::fetch(client, "INBOX", &newest[0].id);
    let whole = whole.await.unwrap();
    read::open(client, &whole.octets, Some(&key_of(client)))
        .await
        .unwrap()
}

async fn delivered(from: &Person, to: &Address, subject: &str) {
    let reports = from.send(to, subject, "At noon.\n").await.unwrap();
    assert_eq!(reports[0].state, State::Delivered, "{}", reports[0].words);
}

/// What `who`'s server gives now, settled by `reader`.
async fn asked(
    reader: &Client,
    who: &Address,
    now: u64,
) -> Result<(Certificate, Option<email2::Fingerprint>), PinError> {
    let found = reader.remote().fetch_for_writing(who).await.unwrap();
    pin::settle_told(
        reader.store(),
        who,
        &found.certificate,
        found.assurance,
        now,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_reads_old_mail_and_signs_by_a_subkey_of_its_own() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    delivered(&bob, &alice.address, "before").await;

    let rng = &mut scene.testbed.world.rng();
    let kit = backup::make(alice.key(), &alice.address, "today", rng).unwrap();
    let restored = backup::open(kit.text.as_bytes(), &kit.passphrase).unwrap();
    let code = scene.code(&alice.address, Purpose::Add).await;
    let origin = Origin::Restored(Box::new(restored));
    let second = scene.enrol("second", &alice.address, &code, origin).await;
    let second = Person {
        address: alice.address.clone(),
        home: scene.testbed.folder.join("homes/second"),
        client: scene.client("second"),
        enrolled: second.unwrap(),
    };
    let now = scene.now();
    let (one, other) = (alice.key().signing_key(now), second.key().signing_key(now));
    assert_ne!(one.unwrap(), other.clone().unwrap());
    let old = read_newest(&second.client).await;
    assert_eq!(
        (old.subject.as_str(), old.protection.standing),
        ("before", "verified")
    );

    delivered(&second, &bob.address, "from the second").await;
    let shown = bob.read_newest().await.unwrap();
    assert_eq!(shown.verdict.author.as_deref(), Some("alice@example.com"));
    assert_eq!(shown.protection.standing, "verified");

    // The first device learns of the second, and revokes it alone.
    assert_eq!(
        watch_own::due(&alice.client).await.unwrap(),
        Vec::<String>::new()
    );
    let key = key_of(&alice.client);
    assert_eq!(key.certificate().signing_keys().len(), 2);
    let lost = other.unwrap();
    let reason = RevocationReason::Compromised;
    own_key::revoke(&alice.client, &key, Some(&lost), reason)
        .await
        .unwrap();
    let (served, _) = asked(&bob.client, &alice.address, now).await.unwrap();
    assert!(served.is_revoked_hard(&lost));
    assert_eq!(
        (served.revocation(), served.can_encrypt(now + 1)),
        (None, Ok(()))
    );
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k08_an_expired_copy_is_asked_for_again_and_an_expired_key_is_never_cleartext() {
    let scene = Scene::set().await;
    let bob = scene.person("bob@example.org").await;
    let (who, now) = (address("alice@example.com"), scene.now());
    let rng = &mut scene.testbed.world.rng();
    let key = generate(&identity("alice@example.com"), now - 1000, rng).unwrap();
    let expired = key.expiring(Some(now - 500), now - 600, rng).unwrap();
    let extended = expired.expiring(Some(now + 365 * DAY), now, rng).unwrap();

    // Bob knows the expired copy, by his pin and by his cache.
    let (old, sure) = (expired.certificate(), Some(Assurance::DomainCertificate));
    pin::settle(bob.client.store(), &who, old, sure, now)
        .await
        .unwrap();
    let cached = KnownKey {
        answer: Some(KnownCertificate {
            octets: old.octets().to_vec(),
            etag: old.etag(),
            flags: KeyFlags::default(),
        }),
        assurance: sure,
        fetched: now - 50,
        ttl: 86_400,
    };
    let alice = Identity::Address(who.clone());
    let kept = bob.client.store().keep_peer_key(&alice, None, cached);
    kept.await.unwrap();

    let code = scene.testbed.add_account(&who).await.unwrap();
    let origin = Origin::Given(Box::new(extended.clone()));
    scene.enrol("alice", &who, &code, origin).await.unwrap();
    delivered(&bob, &who, "after the extension").await;
    let shown = read_newest(&scene.client("alice")).await;
    assert!(shown.protection.encrypted && shown.protection.post_quantum);
    let known = pin::known(bob.client.store(), &who).await.unwrap().unwrap();
    assert_eq!(known.expires(), Some(now + 365 * DAY), "merged");

    // Its owner let it expire: an error that says so.
    scene
        .testbed
        .add_account(&address("carol@example.com"))
        .await
        .unwrap();
    let carol = generate(&identity("carol@example.com"), now - 1000, rng).unwrap();
    let carol = carol.expiring(Some(now - 500), now - 600, rng).unwrap();
    scene
        .lie("carol@example.com", carol.certificate(), Replaces::Keep)
        .await;
    let refused = bob
        .send(&address("carol@example.com"), "no", "secret\n")
        .await;
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("expired"), "{words}");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k12_an_older_copy_that_is_put_again_takes_no_revocation_back() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    let (old, now) = (alice.key().certificate().clone(), scene.now());
    asked(&bob.client, &alice.address, now).await.unwrap();
    let reason = RevocationReason::Compromised;
    own_key::revoke(&alice.client, alice.key(), None, reason)
        .await
        .unwrap();

    let token = alice.token().unwrap();
    let mut session = home::sign_in(&alice.client, &alice.address, &token)
        .await
        .unwrap();
    let put = home::publish(&alice.client, &mut session, &alice.address, old.octets()).await;
    put.unwrap();
    let found = bob
        .client
        .remote()
        .fetch_for_writing(&alice.address)
        .await
        .unwrap();
    assert!(found.certificate.revocation().unwrap().hard, "served");
    let (known, _) = asked(&bob.client, &alice.address, now).await.unwrap();
    assert!(known.revocation().unwrap().hard, "known");
    // A lying server hides it again: who knows it, keeps it.
    let sure = Some(Assurance::DomainCertificate);
    let settled = pin::settle(bob.client.store(), &alice.address, &old, sure, now).await;
    assert!(settled.unwrap().revocation().unwrap().hard, "kept for good");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_is_followed_with_its_mark_and_opens_old_mail() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    delivered(&bob, &alice.address, "to the old key").await;
    let old = alice.key().certificate().primary().clone();
    let compared = verified::compare(&bob.client, &alice.address)
        .await
        .unwrap();
    asked(&alice.client, &bob.address, scene.now())
        .await
        .unwrap();
    let theirs = verified::compare(&alice.client, &bob.address)
        .await
        .unwrap();
    assert_eq!(compared.code, theirs.code, "both see the same");
    verified::confirm(bob.client.store(), &alice.address, &old)
        .await
        .unwrap();

    let new = own_key::replace(&alice.client, PASSPHRASE).await.unwrap();
    assert_ne!(*new.primary(), old);
    let shown = read_newest(&alice.client).await;
    assert_eq!(shown.protection.standing, "verified", "{:?}", shown.notes);
    let (followed, before) = asked(&bob.client, &alice.address, scene.now())
        .await
        .unwrap();
    assert_eq!((followed.primary(), before), (new.primary(), Some(old)));
    let marked = verified::compare(&bob.client, &alice.address)
        .await
        .unwrap();
    assert!(marked.verified, "the mark follows the transition");
    assert_eq!(
        watch_own::due(&alice.client).await.unwrap(),
        Vec::<String>::new()
    );
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_the_device_starts_anew_and_correspondents_are_asked() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    delivered(&bob, &alice.address, "to the old key").await;
    let old = alice.key().certificate().primary().clone();
    verified::confirm(bob.client.store(), &alice.address, &old)
        .await
        .unwrap();
    let domain = scene.testbed.domain("example.com").unwrap();
    let store = scene.testbed.store(domain).unwrap();
    store
        .mark_hard(&identity("alice@example.com"), None)
        .await
        .unwrap();
    let code = scene.code(&alice.address, Purpose::Reset).await;

    let folder = "alice@example.com";
    let refused = scene
        .enrol(folder, &alice.address, &code, Origin::Here)
        .await;
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("--new-key"), "{words}");
    let anew = scene
        .enrol(folder, &alice.address, &code, Origin::New)
        .await
        .unwrap();
    let new = anew.key.certificate().primary().clone();
    assert_ne!(new, old);
    let shown = read_newest(&scene.client(folder)).await;
    assert_eq!(shown.subject, "to the old key");

    let asked = asked(&bob.client, &alice.address, scene.now()).await;
    let words = asked.unwrap_err().to_string();
    assert!(words.contains(&format!("--accept-new {new}")), "{words}");
    let other = pin::accept_held(bob.client.store(), &alice.address, &old).await;
    assert!(matches!(other, Err(PinError::NotThatOne { held, .. }) if held == new));
    let taken = pin::accept_held(bob.client.store(), &alice.address, &new)
        .await
        .unwrap();
    assert_eq!(taken.unwrap().primary(), &new);
    let compared = verified::compare(&bob.client, &alice.address)
        .await
        .unwrap();
    assert!(
        !compared.verified,
        "the mark does not follow without a transition"
    );
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_server_that_gives_others_a_false_key_is_found_out_by_its_user() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    let false_key = scene.false_key("alice@example.com");
    let certificate = false_key.certificate();
    scene
        .lie("alice@example.com", certificate, Replaces::Transition)
        .await;
    let told = watch_own::due(&alice.client).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    let words = &told[0];
    assert!(words.starts_with("ALARM: your mail server gives others another key for you"));
    assert!(
        words.contains(&certificate.primary().to_string()),
        "{words}"
    );
    let again = watch_own::due(&alice.client).await.unwrap();
    assert_eq!(again, told, "said until it is no longer so");

    // What bob writes meanwhile is for the false key: alice is told that it is not for hers.
    delivered(&bob, &alice.address, "for somebody else").await;
    let raw = alice.newest().await.unwrap();
    let unread = read::open(&alice.client, &raw, Some(alice.key())).await;
    let words = unread.map(drop).unwrap_err().to_string();
    assert!(words.contains("none of your keys opens it"), "{words}");
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_key_of_a_third_person_is_found_out_by_those_who_know_the_true_one() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let carol = scene.person("carol@example.com").await;
    let bob = scene.person("bob@example.org").await;
    asked(&alice.client, &carol.address, scene.now())
        .await
        .unwrap();
    let false_key = scene.false_key("carol@example.com");
    let certificate = false_key.certificate();
    scene
        .lie("carol@example.com", certificate, Replaces::Transition)
        .await;

    let letter = Letter {
        to: vec![alice.address.to_string(), carol.address.to_string()],
        subject: "both of you".to_owned(),
        body: "At noon.\n".to_owned(),
        ..Letter::default()
    };
    bob.give(Source::Letter(letter), Encryption::Default)
        .await
        .unwrap();
    let shown = alice.read_newest().await.unwrap();
    assert_eq!(shown.protection.standing, "verified");
    let note = "bob@example.org knows carol@example.com by another key";
    assert!(
        shown.notes.iter().any(|words| words.starts_with(note)),
        "{:?}",
        shown.notes
    );
    scene.testbed.stop().await;
}

/// spec §5.3.4
#[tokio::test(flavor = "multi_thread")]
async fn a_false_key_for_oneself_is_said_by_the_first_message() {
    let scene = Scene::set().await;
    let alice = scene.person("alice@example.com").await;
    let bob = scene.person("bob@example.org").await;
    let false_key = scene.false_key("alice@example.com");
    let say = |primary: &email2::Fingerprint| {
        let fields = "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: hello";
        let field = email2::capability::KNOWN_KEY_FIELD;
        format!("{fields}\r\n{field}: alice@example.com; {primary}\r\n\r\nHello.\r\n")
    };
    let to = [alice.key().certificate().clone()];
    let note = "bob@example.org was given a false key for you";
    for (primary, told) in [
        (false_key.certificate().primary(), true),
        (alice.key().certificate().primary(), false),
    ] {
        let message = say(primary);
        let request = Protect {
            message: message.as_bytes(),
            author: bob.key(),
            from: &bob.address,
            mode: Mode::Encrypt {
                to: &to,
                also_self: false,
                container: Container::V2,
            },
            outer_to: OuterTo::Visible(vec![alice.address.clone()]),
            outside: &[],
            now: scene.now(),
        };
        let raw = protect(&request, &mut scene.testbed.world.rng()).unwrap();
        let shown = read::open(&alice.client, &raw, Some(alice.key()))
            .await
            .unwrap();
        assert_eq!(shown.protection.standing, "verified");
        let said = shown.notes.iter().any(|words| words.starts_with(note));
        assert_eq!(said, told, "{:?}", shown.notes);
    }
    scene.testbed.stop().await;
}

/// The binary form of a case's armored certificate, as whoever made it wrote it.
fn octets_of(armored: &str) -> Vec<u8> {
    let lines = armored.lines().skip_while(|line| !line.is_empty());
    let base64: String = lines
        .take_while(|line| !line.starts_with(['=', '-']))
        .collect();
    STANDARD.decode(base64).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn k02_keyput_says_which_user_id_is_not_bound_and_why() {
    let scene = Scene::set().await;
    let octets = octets_of(include_str!("../cases/K02-critical-subpacket.txt"));
    let client = scene.client("carol");
    for (who, bound) in [
        ("carol.two@example.com", false),
        ("carol@example.com", true),
    ] {
        let who = address(who);
        let code = scene.testbed.add_account(&who).await.unwrap();
        let mut session = home::sign_in(&client, &who, &code).await.unwrap();
        let put = home::publish(&client, &mut session, &who, &octets).await;
        let refused = put.err().map(|error| error.to_string());
        assert_eq!(refused.is_none(), bound, "{refused:?}");
        if let Some(words) = refused {
            assert!(
                words.contains("carol.two") && words.contains("critical"),
                "{words}"
            );
        }
    }
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k07_a_flooded_certificate_is_stripped_before_it_is_served() {
    let scene = Scene::set().await;
    let octets = octets_of(include_str!("../cases/K07-flooded.txt"));
    assert!(octets.len() > 32 * 1024, "{}", octets.len());
    // Who strips it first, as every program of ours does, publishes what is small and good.
    let stripped = Certificate::parse(&octets).unwrap();
    let (who, client) = (address("frank@example.org"), scene.client("frank"));
    let code = scene.testbed.add_account(&who).await.unwrap();
    let mut session = home::sign_in(&client, &who, &code).await.unwrap();
    let put = home::publish(&client, &mut session, &who, stripped.octets()).await;
    put.unwrap();
    // As it is, it passes the bound of a KEYPUT: nothing of it is read.
    let refused = home::publish(&client, &mut session, &who, &octets).await;
    assert!(refused.is_err(), "{} octets were taken", octets.len());
    let found = client.remote().fetch_for_writing(&who).await.unwrap();
    assert!(found.certificate.octets().len() < 1_000);
    scene.testbed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_authenticates_is_never_pinned() {
    let scene = Scene::set().await;
    let bob = scene.person("bob@example.org").await;
    let who = address("eve@example.net");
    let key = scene.false_key("eve@example.net");
    let settled = pin::settle(
        bob.client.store(),
        &who,
        key.certificate(),
        None,
        scene.now(),
    );
    assert!(matches!(settled.await, Err(PinError::Unauthenticated(_))));
    assert_eq!(pin::known(bob.client.store(), &who).await.unwrap(), None);
    let all = pin::all(bob.client.store()).await.unwrap();
    assert!(all.iter().all(|(known, _, _)| *known != who), "{all:?}");
    scene.testbed.stop().await;
}

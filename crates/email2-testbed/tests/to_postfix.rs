//! The real thing on the other side: Debian's Postfix takes what our client and our server send,
//! its OpenDKIM verifies the domain, and GnuPG the author. Needs root and the packages; else the
//! tests say so and return.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use email2::address::Address;
use email2::certificate::Certificate;
use email2_client::send::report::State;
use email2_store::{NewAccount, Secret};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::loopback::{MX_PORT, SUBMISSIONS_PORT};
use email2_testbed::opendkim::{self, OpenDkim, Task};
use email2_testbed::person::Person;
use email2_testbed::postfix::{self, Postfix};
use email2_testbed::testbed::Testbed;
use email2_testbed::zone::Zone;
use email2d::{dkim_key, held_key};

/// Where Postfix and its milter are in the world's network.
const HOST: u8 = 220;
/// The milter's port.
const MILTER_PORT: u16 = 12_891;
/// Where resolvers are asked by programs that cannot be told a port.
const DNS_PORT: u16 = 53;

/// example.org, which signs by DKIM, and pat@inside.net behind Postfix.
struct Scene {
    testbed: Testbed,
    postfix: Postfix,
    _milter: OpenDkim,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// `None` where it cannot be run.
    async fn set() -> Outcome<Option<Scene>> {
        let gpg = Command::new("gpg").arg("--version").output().is_ok();
        if !postfix::is_available() || !opendkim::is_available() || !gpg {
            eprintln!("skipped: needs root, postfix, opendkim and gpg (scripts/test has them)");
            return Ok(None);
        }
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        testbed.authority.answer_at_port(DNS_PORT)?;
        testbed.add_domain(&Plan::new("example.org")).await?;
        publish_keys(&mut testbed)?;
        let host = testbed.network.host(HOST);
        let inside = Zone::new("inside.net").mx("inside.net", 10, "mx.inside.net")?;
        testbed
            .authority
            .publish(inside.address("mx.inside.net", host))?;
        let folders = testbed.folder.join("inside.net");
        let task = Task::Verify {
            host: "mx.inside.net".to_owned(),
            resolver: testbed.authority.address().ip(),
        };
        let at = testbed.network.port(HOST, MILTER_PORT);
        let milter = OpenDkim::start(&folders.join("opendkim"), at, &task)?;
        let at = testbed.network.port(HOST, MX_PORT);
        let plan = postfix::Plan::new("inside.net", &["pat"], at)
            .with("inet_interfaces", "127.0.0.1")
            .with("smtpd_milters", milter.milter())
            .with("milter_default_action", "tempfail");
        open_to_all(folder.path());
        Ok(Some(Scene {
            postfix: Postfix::start(&folders.join("postfix"), &plan)?,
            _milter: milter,
            testbed,
            _folder: folder,
        }))
    }

    /// The message that pat gets.
    async fn delivered(&self) -> Outcome<String> {
        for _ in 0..300 {
            if let Some(message) = self.postfix.delivered("pat").pop() {
                return Ok(message);
            }
            let clock = &self.testbed.world.clock;
            clock.sleep(Duration::from_millis(100)).await;
        }
        None.step(format!("mail for pat: {}", self.postfix.logged()))
    }
}

/// Postfix and its milter give up root: they must be able to come to their folders.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, open).unwrap();
}

/// As `email2d dkim` makes keys and prints records.
fn publish_keys(testbed: &mut Testbed) -> Outcome<()> {
    let domain = testbed.domain("example.org")?;
    let data = domain.place.folder.join("data");
    let name = email2::Domain::parse("example.org").step("domain")?;
    let records = dkim_key::ensure(&data, &name, &mut testbed.world.rng()).step("keys")?;
    let zone = testbed.authority.zone("example.org").cloned();
    let zone = records.iter().fold(zone.step("zone")?, |zone, record| {
        zone.text(record.name.trim_end_matches('.'), &record.text)
    });
    testbed.authority.publish(zone)
}

/// What stands in front of everything that our server sent.
fn dkim_passes(message: &str) {
    let begin = message.find("Authentication-Results: mx.inside.net;");
    let results = message.get(begin.unwrap()..).unwrap();
    let results = results.split("\nDKIM-Signature:").next().unwrap();
    let passes = results.contains("dkim=pass") && results.contains("header.d=example.org");
    assert!(passes, "{results}");
    assert!(!results.contains("dkim=fail"), "{results}");
}

/// The signed part and its signature, line ends as they were sent.
fn signed_parts(message: &str) -> (String, String) {
    let message = &message.replace('\n', "\r\n");
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    assert!(header.contains("multipart/signed"), "{header}");
    let at = header.find("boundary=\"").unwrap() + "boundary=\"".len();
    let boundary = header.get(at..).unwrap().split('"').next().unwrap();
    let boundary = format!("--{boundary}");
    let mut parts = body.split(&boundary);
    let part = parts.nth(1).unwrap();
    let part = part.strip_prefix("\r\n").unwrap();
    let part = part.strip_suffix("\r\n").unwrap();
    let signature = parts.next().unwrap();
    let begin = signature.find("-----BEGIN PGP SIGNATURE-----").unwrap();
    (part.to_owned(), signature.get(begin..).unwrap().to_owned())
}

/// GnuPG knows the author's certificate, and says that the signature is good.
fn gpg_verifies(message: &str, certificate: &Certificate) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    };
    let (part, signature) = signed_parts(message);
    let (part, signature) = (
        file("part", part.as_bytes()),
        file("sig", signature.as_bytes()),
    );
    let key = file("key", certificate.octets());
    let gpg = |arguments: &[&std::ffi::OsStr]| {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(folder.path()).arg("--batch");
        gpg.args(arguments).output().unwrap()
    };
    let imported = gpg(&["--import".as_ref(), key.as_os_str()]);
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(said.contains("imported: 1"), "{said}");
    let verified = gpg(&["--verify".as_ref(), signature.as_os_str(), part.as_os_str()]);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success(), "{said}\n{message}");
    assert!(said.contains("Good signature"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_writes_is_verified_by_gnupg_and_opendkim() -> Outcome<()> {
    let Some(scene) = Scene::set().await? else {
        return Ok(());
    };
    let address = Address::parse("bob@example.org").step("address")?;
    let bob = Person::set_up(&scene.testbed, &address).await?;
    let pat = Address::parse("pat@inside.net").step("address")?;
    let reports = bob
        .send(&pat, "lunch", "At noon, behind the mill?\n")
        .await?;
    let report = reports.first().step("report")?;
    assert_eq!(report.state, State::Delivered, "{}", report.words);
    let message = scene.delivered().await?;
    dkim_passes(&message);
    assert!(message.contains("At noon, behind the mill?"), "{message}");
    gpg_verifies(&message, bob.key().certificate());
    scene.testbed.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ordinary_program_writes_is_too() -> Outcome<()> {
    let Some(scene) = Scene::set().await? else {
        return Ok(());
    };
    let testbed = &scene.testbed;
    let domain = testbed.domain("example.org")?;
    let (store, now) = (testbed.store(domain)?, testbed.world.now());
    let new = NewAccount {
        address: Address::parse("carol@example.org").step("address")?,
        quota: None,
        strict: false,
        unlisted: false,
    };
    let account = store.add_account(&new, now).await.step("account")?;
    let mut rng = testbed.world.rng();
    let data = domain.place.folder.join("data");
    let held = held_key::hold(&data, &store, &account, now, &mut rng).await;
    held.step("held key")?;
    let token = Secret::token(&mut rng);
    let added = store.add_token(account.id, "program", &token, now).await;
    added.step("token")?;
    let at = testbed.door("example.org", SUBMISSIONS_PORT)?;
    let mut session = Session::log_in(&testbed.world, &at, &new.address, token.reveal()).await?;
    let letter = Letter {
        from: "carol@example.org".to_owned(),
        announced: None,
        recipients: vec!["pat@inside.net".to_owned()],
        content: b"From: Carol <carol@example.org>\r\nTo: pat@inside.net\r\n\
            Subject: lunch\r\n\r\nAt noon, behind the mill?\r\n"
            .to_vec(),
    };
    let reply = deliver(&mut session, &letter).await?;
    assert_eq!(reply.code, 250, "{reply}");
    let message = scene.delivered().await?;
    dkim_passes(&message);
    let identity = email2::Identity::Address(new.address.clone());
    let served = store.served(&identity).await.step("certificate")?;
    let certificate = Certificate::parse(&served.step("certificate")?.octets);
    gpg_verifies(&message, &certificate.step("certificate")?);
    scene.testbed.stop().await;
    Ok(())
}

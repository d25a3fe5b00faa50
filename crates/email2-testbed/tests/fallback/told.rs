//! An ordinary letter, signed by a key that it tells itself: what its reader is told, and what their
//! answer is encrypted to (spec §12.6.7, §12.6.9).

use email2::autocrypt::Autocrypt;
use email2::content::{Mode, OuterTo, Protect, protect};
use email2::secret::SecretKey;
use email2_client::learnt::Teller;
use email2_client::read::Shown;
use email2_client::send::Options;
use email2_client::send::protect::Protection;
use email2_client::settings::{self, Setting};
use email2_testbed::forger::session::{Letter, Session, deliver};

use super::{DORA, Scene, address, classic, letter, of, scene};

impl Scene {
    /// Dora writes to bob by her ordinary server; what he reads.
    async fn hears(&self, key: &SecretKey, subject: &str) -> Shown {
        let dora = address(DORA).unwrap();
        let field = Autocrypt::of(&dora, key.certificate()).unwrap().to_string();
        let message = format!(
            "From: Dora <{DORA}>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n\
             Date: Fri, 27 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject}@example.net>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nGood.\r\n"
        );
        let world = &self.testbed.world;
        let request = Protect {
            message: message.as_bytes(),
            author: key,
            from: &dora,
            mode: Mode::SignOnly,
            outer_to: OuterTo::Hidden,
            outside: field.as_bytes(),
            now: world.now(),
        };
        let content = protect(&request, &mut world.rng()).unwrap();
        let exchanger = self.testbed.exchanger("example.org").unwrap();
        let session = Session::open(world, &exchanger, "mail.example.net").await;
        let letter = Letter {
            from: DORA.to_owned(),
            announced: None,
            recipients: vec!["bob@example.org".to_owned()],
            content,
        };
        let reply = deliver(&mut session.unwrap(), &letter).await.unwrap();
        assert!(reply.is_granted(), "{reply}");
        self.bob.read_newest().await.unwrap()
    }
}

fn notes(shown: &Shown) -> String {
    shown.notes.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_mail_tells_is_answered_to_and_proves_nothing() {
    let scene = scene().await.unwrap();
    let accept = ["accept".to_owned()];
    let set = settings::set(&scene.bob.client, Setting::Legacy, &accept).await;
    set.unwrap();
    let dora = address(DORA).unwrap();
    let (key, other) = (classic(&scene, &dora), classic(&scene, &dora));

    let first = scene.hears(&key, "first").await;
    assert_eq!(first.verdict.author, None, "{first:?}");
    let advice = first.verdict.advice.as_deref();
    assert_eq!(advice, Some("ordinary mail: anybody can have written it"));
    let checks = "SPF fail; DKIM none; DMARC none: \
        nothing proves even the domain that it names";
    assert_eq!(first.checks.as_deref(), Some(checks));
    assert_eq!(first.protection.standing, "unknown-key", "{first:?}");
    assert!(
        notes(&first).contains("nothing vouches for it"),
        "{}",
        notes(&first)
    );

    let second = scene.hears(&key, "second").await;
    assert_eq!(second.verdict.author, None, "{second:?}");
    assert_eq!(second.protection.standing, "unknown-key", "{second:?}");
    let told = "the signature is by the key that earlier mail from dora@example.net told; \
        nothing vouches for that key";
    assert!(notes(&second).contains(told), "{}", notes(&second));

    // Whoever writes in her name with another key changes nothing.
    let forged = scene.hears(&other, "third").await;
    let told = "this mail tells another key of its author";
    assert!(notes(&forged).contains(told), "{}", notes(&forged));
    let reports = scene.send(letter(&[DORA], "Noon?\n"), Options::default());
    let manner = of(&reports.await.unwrap(), DORA).manner.unwrap();
    assert_eq!(manner.key, Some(Teller::Autocrypt), "{manner:?}");
    assert_eq!(manner.protection, Protection::Encrypted);
    let came = scene.came().await;
    let nobody = |_: &email2::Address| None;
    let reader = email2::content::Reader {
        keys: &[&key],
        known: &nobody,
        now: scene.testbed.world.now(),
    };
    let reading = email2::content::unprotect(came.content.as_bytes(), &reader).unwrap();
    assert!(String::from_utf8_lossy(&reading.body).contains("Noon?"));
    scene.testbed.stop().await;
}

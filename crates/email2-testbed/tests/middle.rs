//! A home server in the middle, from end to end: it gives others a key of its own for its user,
//! opens what they write, and passes it on encrypted anew, the author's signature inside
//! untouched. Everything then verifies but one thing: the author wrote to another key.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use email2::Identity;
use email2::address::Address;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::secret::SecretKey;
use email2_client::send::State;
use email2_store::message::{Append, Flags};
use email2_store::{Appended, Replaces, Version};
use email2_testbed::domain::Plan;
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use pgp::composed::{
    Deserializable as _, PlainSessionKey, RawSessionKey, SignedPublicKey, SignedSecretKey,
};
use pgp::packet::{PacketHeader, PublicKeyEncryptedSessionKey};
use pgp::ser::Serialize as _;
use pgp::types::{DecryptionKey as _, EskType, Password, Tag};
use rand_core::{CryptoRng, RngCore};

const BEGIN: &str = "-----BEGIN PGP MESSAGE-----\r\n";
const END: &str = "-----END PGP MESSAGE-----";

/// A packet: its type id, its body, and all of it.
type Cut<'a> = (u8, &'a [u8], &'a [u8]);

/// The packets in front, and what stands behind them: those of the new format and a whole length.
fn packets(octets: &[u8]) -> Vec<Cut<'_>> {
    let mut found = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let (start, length) = match rest[1] {
            short @ 0..192 => (2, usize::from(short)),
            long @ 192..224 => (
                3,
                ((usize::from(long) - 192) << 8) + usize::from(rest[2]) + 192,
            ),
            _ => (
                6,
                u32::from_be_bytes(rest[2..6].try_into().unwrap()) as usize,
            ),
        };
        let (whole, behind) = rest.split_at(start + length);
        found.push((rest[0] & 0x3f, &whole[start..], whole));
        rest = behind;
    }
    found
}

/// The session key of a message, by a key that it is encrypted to.
fn session_key(packets: &[Cut<'_>], key: &SecretKey) -> RawSessionKey {
    let key = SignedSecretKey::from_bytes(&key.to_octets()[..]).unwrap();
    let opened = packets.iter().filter(|(tag, ..)| *tag == 1);
    let mut opened = opened.filter_map(|(_, body, _)| {
        let length = u32::try_from(body.len()).unwrap();
        let header = PacketHeader::new_fixed(Tag::PublicKeyEncryptedSessionKey, length);
        let packet = PublicKeyEncryptedSessionKey::try_from_reader(header, *body).unwrap();
        let mut mine = key.secret_subkeys.iter().map(|subkey| &subkey.key);
        let mine = mine.find(|subkey| packet.match_identity(*subkey))?;
        let values = packet.values().ok()?;
        let opened = mine.decrypt(&Password::empty(), values, EskType::V6);
        match &opened.ok()?.ok()? {
            PlainSessionKey::V6 { key } => Some(key.clone()),
            _ => None,
        }
    });
    opened.next().unwrap()
}

/// The same message for another key: only who can open it is changed.
fn encrypted_anew(
    message: &str,
    opener: &SecretKey,
    to: &Certificate,
    mut rng: impl RngCore + CryptoRng,
) -> String {
    let (before, rest) = message.split_once(BEGIN).unwrap();
    let (armored, behind) = rest.split_once(END).unwrap();
    let base64: String = armored
        .lines()
        .filter(|line| !line.contains(':') && !line.starts_with('='))
        .collect();
    let octets = STANDARD.decode(base64).unwrap();
    let packets = packets(&octets);
    let session_key = session_key(&packets, opener);
    let mut anew = Vec::new();
    let certificate = SignedPublicKey::from_bytes(to.octets()).unwrap();
    for subkey in &certificate.public_subkeys {
        let made =
            PublicKeyEncryptedSessionKey::from_session_key_v6(&mut rng, &session_key, &subkey.key);
        // Those that sign cannot be encrypted to.
        let Ok(body) = made.and_then(|packet| packet.to_bytes()) else {
            continue;
        };
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        anew.extend([&[0xc1, 0xff][..], &length, &body].concat());
    }
    assert!(!anew.is_empty());
    let data = packets.iter().filter(|(tag, ..)| *tag != 1);
    data.for_each(|(_, _, whole)| anew.extend_from_slice(whole));
    let base64 = STANDARD.encode(anew);
    let lines = base64.as_bytes().chunks(64).map(str::from_utf8);
    let lines: Vec<&str> = lines.map(Result::unwrap).collect();
    format!("{before}{BEGIN}\r\n{}\r\n{END}{behind}", lines.join("\r\n"))
}

async fn person(testbed: &Testbed, address: &str) -> Person {
    let address = Address::parse(address).unwrap();
    Person::set_up(testbed, &address).await.unwrap()
}

/// A home server answers with a key of its own making for alice from now on.
async fn lie(testbed: &Testbed, alice: &Person) -> SecretKey {
    let who = Identity::Address(alice.address.clone());
    let now = testbed.world.now();
    let made = generate(&who, now, &mut testbed.world.rng()).unwrap();
    let certificate = made.certificate();
    let version = Version {
        identity: who,
        primary: certificate.primary().clone(),
        keys: certificate.signing_keys(),
        etag: certificate.etag(),
        octets: certificate.octets().to_vec(),
    };
    let store = testbed.store(testbed.domain("example.com").unwrap());
    let store = store.unwrap();
    let published = store.publish(version, Replaces::Transition, now).await;
    assert!(published.unwrap());
    made
}

/// Puts a message into alice's inbox, as only her server can.
async fn put(testbed: &Testbed, alice: &Person, message: &str) {
    let store = testbed.store(testbed.domain("example.com").unwrap());
    let store = store.unwrap();
    let account = store.account(&alice.address).await.unwrap().unwrap().id;
    let inbox = store.mailbox(account, "INBOX").await.unwrap().unwrap();
    let mut body = store.write_body().await.unwrap();
    body.push(message.as_bytes()).await.unwrap();
    let append = Append {
        door: Appended::by(account),
        mailbox: inbox.id,
        flags: Flags::default(),
        body: body.finish().await.unwrap(),
        received: testbed.world.now(),
    };
    store.append(vec![append]).await.unwrap();
}

/// spec §5.3.2
#[tokio::test(flavor = "multi_thread")]
async fn a_home_server_that_encrypts_anew_is_found_out_by_the_first_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = Testbed::start(folder.path()).unwrap();
    for name in ["example.com", "example.org"] {
        testbed.add_domain(&Plan::new(name)).await.unwrap();
    }
    let alice = person(&testbed, "alice@example.com").await;
    let bob = person(&testbed, "bob@example.org").await;
    let made = lie(&testbed, &alice).await;
    let reports = bob.send(&alice.address, "noon", "At noon.\n").await;
    assert_eq!(reports.unwrap()[0].state, State::Delivered);

    // The server opens it, as bob encrypted it to the server's key ...
    let raw = String::from_utf8(alice.newest().await.unwrap()).unwrap();
    let (_, message) = raw.split_once("Email2-Seal:").unwrap();
    let hers = alice.key().certificate();
    let anew = encrypted_anew(message, &made, hers, testbed.world.rng());
    // ... and gives it to alice as it should have been.
    put(&testbed, &alice, &format!("Email2-Seal:{anew}")).await;
    let shown = alice.read_newest().await.unwrap();
    assert!(shown.protection.encrypted);
    assert_ne!(shown.protection.standing, "verified");
    let warning = "this was not written to your key: someone may have given the author a false key";
    assert!(
        shown.notes.iter().any(|note| note.starts_with(warning)),
        "{:?}",
        shown.notes
    );
    let words: String = shown
        .sections
        .iter()
        .map(|section| &*section.text)
        .collect();
    assert!(words.contains("At noon."), "{words}");
    testbed.stop().await;
}

//! Unsealed submission: what ordinary programs send is protected and sealed with a key that the
//! server holds (spec §13.2, §13.3, §13.4; cases F13, D03, S01, C17).

use std::path::PathBuf;

use email2::certificate::Certificate;
use email2::content::{Reader, Standing, unprotect};
use email2::secret::SecretKey;
use email2::{Address, Identity};

use crate::house::{House, Person};
use crate::wire::Wire;

/// As an ordinary program writes it: no Date, no Message-ID.
const LETTER: &str = "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nBcc: eve@example.com\r\n\
    User-Agent: Mail 1.0 (de)\r\nSubject: lunch\r\n\r\nAt noon, behind the mill?\r\n";

/// The reply to an unsealed message.
async fn submit(house: &House, who: &Person, to: &[&str], message: &str) -> String {
    let mut wire = Wire::signed_in(house, who).await;
    let from = format!("MAIL FROM:<{}>", who.address);
    assert_eq!(wire.code(&from).await, "250");
    for to in to {
        assert_eq!(wire.code(&format!("RCPT TO:<{to}>")).await, "250", "{to}");
    }
    wire.data(message).await
}

async fn served(house: &House, address: &Address) -> Certificate {
    let who = Identity::Address(address.clone());
    let version = house.store.served(&who).await.unwrap().unwrap();
    Certificate::parse(&version.octets).unwrap()
}

/// What stands below the seal.
fn below_seal(message: &str) -> String {
    let seal = message.split_once("Email2-Seal:").unwrap().1;
    let lines = seal.split_inclusive("\r\n").skip(1);
    lines.skip_while(|line| line.starts_with(' ')).collect()
}

/// What the reader finds there: its standing, the whole message inside, and whether it was
/// encrypted.
fn read(
    house: &House,
    message: &str,
    author: &Certificate,
    key: Option<&SecretKey>,
) -> (Standing, String, bool) {
    let known = |_: &Address| Some(author.clone());
    let reader = Reader {
        keys: key.as_slice(),
        known: &known,
        now: house.world.now() + 1,
    };
    let reading = unprotect(below_seal(message).as_bytes(), &reader).unwrap();
    let mut inside = String::new();
    for field in &reading.header {
        let value = String::from_utf8_lossy(&field.value);
        inside += &format!("{}:{value}\r\n", field.name);
    }
    inside += "\r\n";
    inside += &String::from_utf8_lossy(&reading.body);
    (reading.standing, inside, reading.encrypted)
}

#[tokio::test]
async fn a_letter_arrives_sealed_encrypted_and_verified() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let reply = submit(&house, &bob, &["alice@example.com"], LETTER).await;
    assert!(reply.starts_with("250 2.0.0 queued as "), "{reply}");
    assert!(
        reply.contains("to be sealed for bob@example.org"),
        "{reply}"
    );
    let (message, verified) = house.inbox_of(&alice.account, 1).await.remove(0);
    assert!(
        verified && message.contains("\r\nEmail2-Seal: v=1;"),
        "{message}"
    );
    // Nothing of the content, the program or the client shows outside (case C17).
    assert!(message.contains("\r\nSubject: [...]\r\n"), "{message}");
    for hidden in [
        "lunch",
        "noon",
        "Mail 1.0",
        "eve@",
        "client.example.net",
        "127.0.0.1",
    ] {
        assert!(!message.contains(hidden), "{hidden}: {message}");
    }
    let author = served(&house, &bob.address).await;
    assert!(author.is_held_for_signing());
    let (standing, inside, encrypted) = read(&house, &message, &author, Some(&alice.secret));
    assert!(
        matches!(standing, Standing::Verified { .. }),
        "{standing:?}"
    );
    assert!(
        encrypted && inside.contains("At noon, behind the mill?"),
        "{inside}"
    );
    // RFC 6409 §8: what was missing is there, Bcc is not.
    assert!(
        inside.contains("Date: ") && inside.contains("Message-ID: <"),
        "{inside}"
    );
    assert!(
        !inside.contains("Bcc") && !inside.contains("eve@"),
        "{inside}"
    );
}

#[tokio::test]
async fn who_has_no_key_to_encrypt_to_gets_it_signed_only() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    let carol = house.held("carol@example.com").await;
    let reply = submit(&house, &bob, &["carol@example.com"], LETTER).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let (message, verified) = house.inbox_of(&carol.account, 1).await.remove(0);
    assert!(verified, "{message}");
    let author = served(&house, &bob.address).await;
    let (standing, inside, encrypted) = read(&house, &message, &author, None);
    assert!(
        matches!(standing, Standing::Verified { .. }),
        "{standing:?}"
    );
    assert!(
        !encrypted && inside.contains("At noon, behind the mill?"),
        "{inside}"
    );
    assert!(!message.contains("eve@"), "{message}");
}

#[tokio::test]
async fn blind_recipients_have_a_copy_of_their_own_and_all_have_one_message_id() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    let mut people = Vec::new();
    for name in ["alice", "carol", "blind"] {
        people.push(house.held(&format!("{name}@example.com")).await);
    }
    let letter = LETTER.replace(
        "To: alice@example.com",
        "To: alice@example.com, carol@example.com",
    );
    let to = [
        "alice@example.com",
        "blind@example.com",
        "carol@example.com",
    ];
    let reply = submit(&house, &bob, &to, &letter).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let mut below = Vec::new();
    let mut ids = Vec::new();
    for person in &people {
        let (message, verified) = house.inbox_of(&person.account, 1).await.remove(0);
        assert!(verified && !message.contains("eve@"), "{message}");
        let id = message.split("Message-ID: ").nth(1).unwrap();
        ids.push(id.split("\r\n").next().unwrap().to_owned());
        below.push(below_seal(&message));
    }
    assert_eq!(below[0], below[1], "one copy for those who see each other");
    assert_ne!(below[0], below[2]);
    assert_eq!([&ids[0], &ids[0]], [&ids[1], &ids[2]]);
}

#[tokio::test]
async fn without_a_held_key_it_is_refused_with_what_to_do() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let reply = submit(&house, &bob, &["alice@example.com"], LETTER).await;
    assert!(
        reply.starts_with("550 5.7.1 This server holds no key for you: "),
        "{reply}"
    );
    // The same when it was forgotten, and the key is worth nothing from then on.
    let carol = house.held("carol@example.org").await;
    assert!(
        email2d::held_key::release(&house.store, &carol.account)
            .await
            .unwrap()
    );
    let letter = LETTER.replace("bob@", "carol@");
    let reply = submit(&house, &carol, &["alice@example.com"], &letter).await;
    assert!(
        reply.starts_with("550 5.7.1 This server holds no key for you: "),
        "{reply}"
    );
    let who = Identity::Address(carol.address.clone());
    assert!(house.store.served(&who).await.unwrap().is_none());
    assert!(house.store.versions(&who).await.unwrap()[0].hard);
}

#[tokio::test]
async fn f13_nobody_writes_as_somebody_else() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    house.person("ceo@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::signed_in(&house, &bob).await;
    let other = wire.ask("MAIL FROM:<ceo@example.org>").await;
    assert!(other.starts_with("550 5.7.1 "), "{other}");
    let text = "To: alice@example.com\r\nSubject: x\r\n\r\ntext\r\n";
    let froms = [
        "From: Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>\r\nFrom: Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>\r\nSender: Ceo <ceo@example.org>\r\n\
         Resent-From: Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>, Ceo <ceo@example.org>\r\n",
        "From: Bob <bob@example.org>\r\nResent-From: Ceo <ceo@example.org>\r\n",
        "From: bob+x@example.org\r\n",
        "",
    ];
    for from in froms {
        let reply = submit(
            &house,
            &bob,
            &["alice@example.com"],
            &format!("{from}{text}"),
        )
        .await;
        assert!(reply.starts_with("550 5.7.1 "), "{from}: {reply}");
    }
    let own = format!("From: Bob <bob@example.org>\r\nSender: bob@example.org\r\n{text}");
    let reply = submit(&house, &bob, &["alice@example.com"], &own).await;
    assert!(reply.starts_with("250 "), "{reply}");
    house.inbox_of(&alice.account, 1).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 1);
}

#[tokio::test]
async fn d03_long_lines_are_mended_or_refused_before_anything_is_signed() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    let carol = house.held("carol@example.com").await;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases");
    let case = std::fs::read_to_string(folder.join("D03-long-line.eml")).unwrap();
    // A header line over 998 octets is nobody's to fold without knowing its field.
    let reply = submit(&house, &bob, &["carol@example.com"], &case).await;
    assert!(reply.starts_with("550 5.6.0 "), "{reply}");
    let folded = case.replace("> <ref", ">\r\n <ref");
    assert!(folded.lines().any(|line| line.len() > 998));
    let reply = submit(&house, &bob, &["carol@example.com"], &folded).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let (message, verified) = house.inbox_of(&carol.account, 1).await.remove(0);
    assert!(verified && message.lines().all(|line| line.len() <= 998));
    let author = served(&house, &bob.address).await;
    let (standing, ..) = read(&house, &message, &author, None);
    assert!(
        matches!(standing, Standing::Verified { .. }),
        "{standing:?}"
    );
}

#[tokio::test]
async fn s01_a_false_end_is_refused_at_submission() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    house.person("alice@example.com").await;
    for end in ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r", "\n.\r\r\n"] {
        let smuggled = format!("{LETTER}first{end}MAIL FROM:<ceo@example.org>\r\n");
        let mut wire = Wire::signed_in(&house, &bob).await;
        wire.ask("MAIL FROM:<bob@example.org>").await;
        wire.ask("RCPT TO:<alice@example.com>").await;
        assert_eq!(wire.code("DATA").await, "354");
        wire.send(&format!("{smuggled}\r\n.\r\n")).await;
        let reply = wire.hear().await;
        assert!(reply.starts_with("550 5.6.0 "), "{end:?}: {reply}");
        assert_eq!(wire.code("NOOP").await, "250", "nothing more was heard");
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_refused_while_its_author_listens() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    house.person("alice@example.com").await;
    let twice = LETTER.replace("Subject: lunch", "Subject: lunch\r\nSubject: dinner");
    let reply = submit(&house, &bob, &["alice@example.com"], &twice).await;
    assert!(reply.starts_with("550 5.6.0 "), "{reply}");
    let mut wire = Wire::signed_in(&house, &bob).await;
    wire.ask("MAIL FROM:<bob@example.org>").await;
    let nobody = wire.ask("RCPT TO:<nobody@example.com>").await;
    assert!(nobody.starts_with("550 5.1.1 "), "{nobody}");
}

/// A header that no body follows is looked at all the same (RFC 5321 §6.3, RFC 6532 §3.2).
#[tokio::test]
async fn a_header_alone_is_looked_at_too() {
    let house = House::open().await;
    let bob = house.held("bob@example.org").await;
    house.person("alice@example.com").await;
    let header = "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: lunch\r\n";
    let round = "Received: from a by b\r\n".repeat(51) + header;
    let octets = header.replace("lunch", "D\u{e9}jeuner");
    for (message, refusal) in [(round, "554 5.4.6 "), (octets, "550 5.6.")] {
        let reply = submit(&house, &bob, &["alice@example.com"], &message).await;
        assert!(reply.starts_with(refusal), "{reply}");
    }
}

//! Signing in by SCRAM-SHA-256 (spec §13.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2_store::credential::{ITERATIONS, Salted, Verifier};

use crate::house::House;
use crate::imap::say;
use crate::wire::Wire;

/// What a client says, and what it expects to hear at the end.
struct Client {
    last: String,
    server_final: String,
}

/// Answers the server's first message, out of base64, as a client that has `secret`.
fn answer(first: &str, challenge: &str, secret: &str) -> Client {
    let field = |key: &str| {
        let mut parts = challenge.split(',');
        parts.find_map(|part| part.strip_prefix(key)).unwrap()
    };
    assert_eq!(field("i="), ITERATIONS.to_string());
    let salt = STANDARD.decode(field("s=")).unwrap();
    let without_proof = format!("c=biws,r={}", field("r="));
    let bare = first.strip_prefix("n,,").unwrap();
    let signed = format!("{bare},{challenge},{without_proof}");
    let proof = Salted::new(secret.as_bytes(), &salt, ITERATIONS).proof(&signed);
    let verifier = Verifier::new(secret.as_bytes(), &salt);
    let signature = verifier.proves(&signed, &proof).unwrap();
    Client {
        last: format!("{without_proof},p={}", STANDARD.encode(proof)),
        server_final: format!("v={}", STANDARD.encode(signature)),
    }
}

fn text(reply: &str) -> String {
    let encoded = reply.split_once(' ').unwrap().1.trim_end();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

async fn begin(wire: &mut Wire, user: &str) -> (String, String) {
    let first = format!("n,,n={user},r=fyko+d2lbbFgONRv9qkxdawL");
    let encoded = STANDARD.encode(&first);
    let reply = wire.ask(&format!("AUTH SCRAM-SHA-256 {encoded}")).await;
    assert!(reply.starts_with("334 "), "{reply}");
    let challenge = text(&reply);
    (first, challenge)
}

#[tokio::test]
async fn a_token_signs_in_at_submission_without_being_said() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::submission(&house).await;
    let (first, challenge) = begin(&mut wire, "bob@example.org").await;
    let client = answer(&first, &challenge, &bob.token);
    let reply = wire.ask(&STANDARD.encode(&client.last)).await;
    assert_eq!(text(&reply), client.server_final);
    // Only the last step signs in.
    assert_eq!(wire.code("").await, "235");
    assert_eq!(wire.code("MAIL FROM:<bob@example.org>").await, "250");
}

#[tokio::test]
async fn who_has_no_account_is_challenged_like_everybody_and_refused_the_same() {
    let house = House::open().await;
    house.person("bob@example.org").await;
    let mut wire = Wire::submission(&house).await;
    let mut refusals = Vec::new();
    let mut salts = Vec::new();
    for user in [
        "bob@example.org",
        "nobody@example.org",
        "nobody@example.org",
    ] {
        let (first, challenge) = begin(&mut wire, user).await;
        let client = answer(&first, &challenge, "a guess");
        refusals.push(wire.ask(&STANDARD.encode(&client.last)).await);
        let salt = challenge.split(',').nth(1).unwrap().to_owned();
        salts.push(salt);
    }
    assert!(refusals[0].starts_with("535 5.7.8 "), "{refusals:?}");
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(salts[0].len(), salts[1].len());
    assert_eq!(salts[1], salts[2], "the same each time, as a real one is");
}

#[tokio::test]
async fn the_proof_of_one_exchange_is_none_in_another() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::submission(&house).await;
    let (first, challenge) = begin(&mut wire, "bob@example.org").await;
    let heard = answer(&first, &challenge, &bob.token).last;
    wire.ask("*").await;
    begin(&mut wire, "bob@example.org").await;
    let replayed = wire.ask(&STANDARD.encode(&heard)).await;
    assert!(replayed.starts_with("501 5.5.2 "), "{replayed}");
    assert_eq!(wire.code("MAIL FROM:<bob@example.org>").await, "530");
}

#[tokio::test]
async fn a_token_logs_in_at_imap_without_being_said() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let mut wire = Wire::secured(&house, house.running.listening().imaps[0], None).await;
    assert!(wire.hear().await.contains(" AUTH=SCRAM-SHA-256 "));
    let first = "n,,n=bob@example.org,r=fyko+d2lbbFgONRv9qkxdawL";
    let begun = format!("t AUTHENTICATE SCRAM-SHA-256 {}", STANDARD.encode(first));
    let challenge = text(&wire.ask(&begun).await);
    let client = answer(first, &challenge, &bob.token);
    let reply = wire.ask(&STANDARD.encode(&client.last)).await;
    assert_eq!(text(&reply), client.server_final);
    let welcome = wire.ask("").await;
    assert!(welcome.starts_with("t OK [CAPABILITY "), "{welcome}");
    let selected = say(&mut wire, "SELECT INBOX").await;
    assert!(selected.contains("t OK "), "{selected}");
}

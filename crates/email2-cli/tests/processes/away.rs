//! What a person's server answers while they are away, set by the real program (spec §14.3).

use email2_testbed::failure::{Outcome, Step};
use serde_json::json;

use super::program::ServerProcess;
use super::{World, inbox_of, send, set_up, text};

const WORDS: &str = "I am away until Monday.";

/// Until nothing is on its way: an answer is, before its cause is taken.
fn settled(server: &ServerProcess) -> Outcome<()> {
    for _ in 0..300 {
        if server.page(&["queue", "list"])?.is_empty() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    None.step("an empty queue")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sets_what_is_answered_and_says_it() {
    let world = World::start().unwrap();
    let alice = &world.alice;
    let page = || alice.page(&["vacation"]).unwrap();
    let nothing = json!({"text": null, "days": 7});
    assert_eq!(alice.run(&["vacation"]).unwrap(), nothing);
    assert!(page().starts_with("Nobody is answered.\n"), "{}", page());
    let file = alice.file("away", format!("{WORDS}\n").as_bytes());
    let file = file.unwrap();
    let set = ["vacation", "--text-file", &file, "--days", "3"];
    let words = json!({"text": WORDS, "days": 3});
    assert_eq!(alice.run(&set).unwrap(), words);
    assert_eq!(alice.run(&["vacation"]).unwrap(), words);
    let told = format!("Whoever writes to you is answered, once in 3 days:\n\n{WORDS}\n");
    assert!(page().starts_with(&told), "{}", page());
    // What is wrong changes nothing.
    let long = ["vacation", "--text", "x", "--days", "31"];
    assert_eq!(alice.refused(&long).unwrap().0, Some(64));
    let (exit, said) = alice
        .refused(&["vacation", "--text-file", "/no/such/file"])
        .unwrap();
    assert_eq!(exit, Some(66), "{said}");
    assert!(said.contains("/no/such/file: "), "{said}");
    assert_eq!(alice.run(&["vacation"]).unwrap(), words);
    let off = json!({"text": null, "days": 3});
    assert_eq!(alice.run(&["vacation", "--off"]).unwrap(), off);
    assert!(page().starts_with("Nobody is answered.\n"), "{}", page());
    world.stop().unwrap();
}

/// Once each, and nobody any more when she is back. The key is Alice's own, so the answer is not
/// in her name.
#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_somebody_away_is_answered_once() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    let carol = set_up(&world.testbed, &world.org, "carol@example.org").unwrap();
    alice.run(&["vacation", "--text", WORDS]).unwrap();
    for _ in 0..2 {
        let report = send(bob, "alice@example.com").unwrap();
        assert_eq!(report["state"], "delivered", "{report}");
    }
    settled(&world.com).unwrap();
    let inbox = inbox_of(bob, 1).unwrap();
    let answer = &inbox[0];
    assert_eq!(
        (&answer["from"], &answer["verified"]),
        (&"alice+away@example.com".into(), &true.into()),
        "{answer}"
    );
    assert!(text(&answer["subject"]).starts_with("Auto: "), "{answer}");
    let letter = bob.run(&["read", text(&answer["id"])]).unwrap();
    let said = text(&letter["sections"][0]["text"]);
    assert_eq!(said.trim_end(), WORDS, "{letter}");
    let page = bob.page(&["read", text(&answer["id"])]).unwrap();
    assert!(
        page.starts_with("VERIFIED: from alice+away@example.com\n"),
        "{page}"
    );
    assert!(page.contains(&format!("\n| {WORDS}\n")), "{page}");
    // Her own mail was taken as ever.
    inbox_of(alice, 2).unwrap();
    alice.run(&["vacation", "--off"]).unwrap();
    let report = send(&carol, "alice@example.com").unwrap();
    assert_eq!(report["state"], "delivered", "{report}");
    settled(&world.com).unwrap();
    inbox_of(&carol, 0).unwrap();
    world.stop().unwrap();
}

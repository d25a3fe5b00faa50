//! Lists, through the real programs: a moderator decides, and a member leaves (spec §14.4).

use email2_testbed::failure::{Outcome, Step};
use serde_json::{Value, json};

use super::program::{Home, ServerProcess};
use super::{World, inbox_of, text};

const LIST: &str = "club@example.com";
const OFFICE: &str = "club-request@example.com";

/// A list of Alice's with Bob and herself on it; she is as `standing` says.
fn with_list(properties: &[&str], standing: &[&str]) -> Outcome<World> {
    let world = World::start()?;
    let create = ["list", "create", LIST, "--owner", "alice@example.com"];
    world.com.administer(&[&create[..], properties].concat())?;
    let add = |who: &str, standing: &[&str]| {
        let add = ["list", "add", LIST, who];
        world.com.administer(&[&add[..], standing].concat())
    };
    add("bob@example.org", &[])?;
    add("alice@example.com", standing)?;
    for home in [&world.alice, &world.bob] {
        home.run(&["contact", "via", LIST])?;
    }
    Ok(world)
}

fn write(from: &Home, subject: &str) -> Outcome<()> {
    let letter = [
        "send",
        "--to",
        LIST,
        "--subject",
        subject,
        "--body",
        "Hi.\n",
    ];
    let reports = from.run(&letter)?;
    let report = reports.get(0).step("report")?;
    assert_eq!(report["state"], "delivered", "{report}");
    Ok(())
}

/// The number of the only letter that waits.
fn waiting(com: &ServerProcess, subject: &str) -> Outcome<String> {
    let waiting = com.administer(&["list", "waiting", LIST])?;
    for (name, value) in [
        ("list", LIST),
        ("from", "bob@example.org"),
        ("subject", subject),
    ] {
        assert_eq!(waiting.get(name), Some(&value.into()), "{waiting}");
    }
    let number = text(waiting.get("number").step("number")?);
    let page = com.page(&["list", "waiting", LIST])?;
    assert!(page.starts_with(&format!("{number} of ")), "{page}");
    let about = format!("\n  bob@example.org: {subject}\n");
    assert!(page.ends_with(&about), "{page}");
    Ok(number.to_owned())
}

fn subjects(inbox: &Value) -> Vec<&str> {
    let entries = inbox.as_array().into_iter().flatten();
    entries.map(|entry| text(&entry["subject"])).collect()
}

/// What she refuses reaches nobody, and its author is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_waits_until_a_moderator_decides_by_the_program() {
    let world = with_list(&["--moderated"], &["--moderator"]).unwrap();
    let (com, alice, bob) = (&world.com, &world.alice, &world.bob);
    write(bob, "the first").unwrap();
    let number = waiting(com, "the first").unwrap();
    let asked = inbox_of(alice, 1).unwrap();
    assert_eq!(
        (&asked[0]["from"], &asked[0]["verified"]),
        (&OFFICE.into(), &true.into()),
        "{asked}"
    );
    let letter = alice.run(&["read", text(&asked[0]["id"])]).unwrap();
    let words = text(&letter["sections"][0]["text"]);
    assert!(words.contains(&format!("approve {number}")), "{letter}");
    inbox_of(bob, 0).unwrap();
    let approved = com.administer(&["list", "approve", LIST, &number]).unwrap();
    let said = json!({"list": LIST, "number": number, "approved": true});
    assert_eq!(approved, said);
    inbox_of(alice, 2).unwrap();
    let got = inbox_of(bob, 1).unwrap();
    let way = json!([{"by": "@example.com", "address": LIST, "registered": true}]);
    assert_eq!(
        (&got[0]["from"], &got[0]["verified"], &got[0]["way"]),
        (&"bob@example.org".into(), &true.into(), &way),
        "{got}"
    );
    write(bob, "the second").unwrap();
    let number = waiting(com, "the second").unwrap();
    let rejected = com.page(&["list", "reject", LIST, &number]).unwrap();
    assert_eq!(rejected, format!("{number}: it was dropped.\n"));
    assert_eq!(com.page(&["list", "waiting", LIST]).unwrap(), "");
    write(bob, "the third").unwrap();
    let number = waiting(com, "the third").unwrap();
    let approved = com.page(&["list", "approve", LIST, &number]).unwrap();
    assert_eq!(approved, format!("{number}: it was sent to the list.\n"));
    let got = inbox_of(bob, 2).unwrap();
    assert_eq!(subjects(&got), ["the third", "the first"]);
    world.stop().unwrap();
}

/// The letter itself says how it is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_leaves_the_list_that_a_message_came_by() {
    let world = with_list(&[], &[]).unwrap();
    let (com, alice, bob) = (&world.com, &world.alice, &world.bob);
    write(alice, "the first").unwrap();
    let got = inbox_of(bob, 1).unwrap();
    let id = text(&got[0]["id"]);
    let letter = bob.run(&["read", id]).unwrap();
    let leave = json!({"to": OFFICE, "subject": "unsubscribe"});
    let list = json!({"id": "club.example.com", "leave": leave, "one_click": null});
    assert_eq!(letter["list"], list, "{letter}");
    let page = bob.page(&["read", id]).unwrap();
    let line = "\n| List: club.example.com; email2 unsubscribe leaves it\n";
    assert!(page.contains(line), "{page}");
    let left = bob.page(&["unsubscribe", id]).unwrap();
    for part in [
        "club-request@example.com: delivered, ",
        "you are no member of this list any more",
        "email2: club-request@example.com is asked: unsubscribe\n",
    ] {
        assert!(left.contains(part), "{part}: {left}");
    }
    let shown = com.administer(&["list", "show", LIST]).unwrap();
    let alone = json!([{"address": "alice@example.com", "standing": "member"}]);
    assert_eq!(shown["members"], alone);
    // The office confirms it, by a letter of no list.
    let got = inbox_of(bob, 2).unwrap();
    assert_eq!(got[0]["from"], OFFICE, "{got}");
    let again = ["unsubscribe", text(&got[0]["id"])];
    let (exit, said) = bob.refused(&again).unwrap();
    assert_eq!(exit, Some(66), "{said}");
    assert!(said.contains("no list says how to leave it"), "{said}");
    write(alice, "the second").unwrap();
    let hers = inbox_of(alice, 2).unwrap();
    assert_eq!(subjects(&hers), ["the second", "the first"]);
    inbox_of(bob, 2).unwrap();
    let left = alice.run(&["unsubscribe", text(&hers[0]["id"])]).unwrap();
    assert_eq!(
        (&left[0]["recipient"], &left[0]["state"]),
        (&OFFICE.into(), &"delivered".into()),
        "{left}"
    );
    let words = text(&left[0]["words"]);
    assert!(words.contains("you are no member of this list any more"));
    let shown = com.administer(&["list", "show", LIST]).unwrap();
    assert_eq!(shown["members"], json!([]));
    world.stop().unwrap();
}

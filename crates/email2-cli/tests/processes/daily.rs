//! What a person does every day: find, follow a conversation, decide about strangers.

use email2_testbed::failure::{Outcome, Step};
use serde_json::Value;

use super::program::Home;
use super::{World, only, text};

fn write(from: &Home, to: &str, subject: &str, body: &str) -> Outcome<Value> {
    let arguments = ["send", "--to", to, "--subject", subject, "--body", body];
    from.run(&arguments)?.get(0).cloned().step("report")
}

/// The subjects that a search finds, the newest first.
fn found(home: &Home, terms: &[&str]) -> Outcome<Vec<String>> {
    let found = home.run(&[&["search"][..], terms].concat())?;
    let messages = found
        .get("messages")
        .and_then(|them| them.as_array())
        .step("messages")?;
    let subjects = messages.iter().map(|message| text(&message["subject"]));
    Ok(subjects.map(str::to_owned).collect())
}

fn count(home: &Home, arguments: &[&str]) -> Outcome<usize> {
    Ok(home.run(arguments)?.as_array().step("list")?.len())
}

/// Subject and text are encrypted: no server could have found them.
#[tokio::test(flavor = "multi_thread")]
async fn search_finds_what_stands_inside_the_protection() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    write(bob, "alice@example.com", "The bridge", "At noon.\n").unwrap();
    write(bob, "alice@example.com", "Rain", "Take a coat.\n").unwrap();
    assert_eq!(found(alice, &["body:NOON"]).unwrap(), ["The bridge"]);
    assert_eq!(found(alice, &["coat", "is:verified"]).unwrap(), ["Rain"]);
    let both = ["Rain", "The bridge"];
    assert_eq!(found(alice, &["from:bob@example.org"]).unwrap(), both);
    assert_eq!(
        found(alice, &["is:unread", "since:2020-01-01", "a"]).unwrap(),
        both
    );
    for nothing in [["subject:noon"], ["before:2020-01-01"], ["is:answered"]] {
        assert!(found(alice, &nothing).unwrap().is_empty(), "{nothing:?}");
    }
    let bounded = ["search", "bridge", "--look-at", "1"];
    let bounded = alice.run(&bounded).unwrap();
    assert_eq!(bounded["looked_at"], 1, "{bounded}");
    let older = text(&bounded["go_on_before"]);
    let rest = ["bridge", "--older-than", older];
    assert_eq!(found(alice, &rest).unwrap(), ["The bridge"]);
    let page = ["inbox", "--before", older];
    assert_eq!(count(alice, &page).unwrap(), 1);
    world.stop().unwrap();
}

/// An answer stands below what it answers, by references that only the two can read.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_answer_stands_below_what_it_answers() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    write(bob, "alice@example.com", "Lunch", "When?\n").unwrap();
    let entry = only(&alice.run(&["inbox"]).unwrap()).unwrap();
    alice
        .run(&["reply", text(&entry["id"]), "--body", "At noon."])
        .unwrap();
    let entry = only(&bob.run(&["inbox"]).unwrap()).unwrap();
    bob.run(&["reply", text(&entry["id"]), "--body", "Good."])
        .unwrap();
    write(bob, "alice@example.com", "Rain", "Take a coat.\n").unwrap();
    bob.run(&["reply", text(&entry["id"]), "--body", "And bring Carol."])
        .unwrap();
    let threads = alice.run(&["inbox", "--threads"]).unwrap();
    let told: Vec<Vec<&str>> = threads
        .as_array()
        .unwrap()
        .iter()
        .map(|thread| thread["messages"].as_array().unwrap())
        .map(|messages| messages.iter().map(|m| text(&m["subject"])).collect())
        .collect();
    assert_eq!(
        told,
        [vec!["Lunch", "Re: Lunch", "Re: Lunch"], vec!["Rain"]]
    );
    assert_eq!(threads[0]["messages"][1]["depth"], 1, "{threads}");
    world.stop().unwrap();
}

/// spec §10.5, §10.5.1
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_mail_waits_until_it_is_accepted_or_answered() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    for home in [alice, bob] {
        assert_eq!(home.run(&["contact", "strangers"]).unwrap(), "inbox");
        let set = home.run(&["contact", "strangers", "requests"]).unwrap();
        assert_eq!(set, "requests");
    }
    assert_eq!(count(alice, &["inbox", "--requests"]).unwrap(), 0);
    let report = write(bob, "alice@example.com", "Lunch", "When?\n").unwrap();
    assert!(text(&report["words"]).contains("sealed by bob@example.org, stored"));
    assert_eq!(count(alice, &["inbox"]).unwrap(), 0);
    assert_eq!(count(alice, &["inbox", "--requests"]).unwrap(), 1);
    let accepted = alice
        .run(&["contact", "accept", "bob@example.org"])
        .unwrap();
    assert_eq!(
        (&accepted["is_new"], &accepted["moved"]),
        (&true.into(), &1.into())
    );
    assert_eq!(count(alice, &["inbox", "--requests"]).unwrap(), 0);
    let entry = only(&alice.run(&["inbox"]).unwrap()).unwrap();
    assert_eq!(entry["verified"], true, "{entry}");
    // Bob wrote to her first: her answer does not wait.
    alice
        .run(&["reply", text(&entry["id"]), "--body", "At noon."])
        .unwrap();
    assert_eq!(count(bob, &["inbox"]).unwrap(), 1);
    let known = bob.run(&["contact", "list"]).unwrap();
    assert_eq!(known, serde_json::json!(["alice@example.com"]));
    // Taken back, she waits; an answer accepts her again.
    let removed = bob.raw(&["contact", "remove", "alice@example.com"]);
    assert_eq!(removed.unwrap(), b"");
    write(alice, "bob@example.org", "Later", "One o'clock?\n").unwrap();
    let waiting = only(&bob.run(&["inbox", "--requests"]).unwrap()).unwrap();
    let id = text(&waiting["id"]);
    let reply = ["reply", id, "--mailbox", "Requests", "--body", "Yes."];
    bob.run(&reply).unwrap();
    assert_eq!(count(bob, &["inbox"]).unwrap(), 2);
    assert_eq!(count(bob, &["inbox", "--requests"]).unwrap(), 0);
    world.stop().unwrap();
}

/// Case M13, by the real program: nothing that a stranger wrote moves the cursor.
#[tokio::test(flavor = "multi_thread")]
async fn m13_no_page_of_the_program_moves_the_cursor() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    let hostile = "From: bob@example.org\nTo: alice@example.com\n\
        Subject: =?utf-8?B?YRtbMkpiDQp2ZXJpZmllZCDigK54?=\n\
        Content-Type: text/plain; charset=utf-8\n\nx\u{1b}]0;title\u{7}\u{9b}2Jy\u{202e}\n";
    let file = bob.file("hostile.eml", hostile.as_bytes()).unwrap();
    bob.run(&["send", "--eml", &file]).unwrap();
    let entry = only(&alice.run(&["inbox"]).unwrap()).unwrap();
    let id = text(&entry["id"]);
    let pages: [&[&str]; 6] = [
        &["inbox"],
        &["inbox", "--threads"],
        &["search", "from:bob"],
        &["read", id],
        &["read", "--headers", id],
        &["read", "1\u{1b}[2J"],
    ];
    for arguments in pages {
        let page = alice.page(arguments).unwrap();
        let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(
            !page.is_empty() && !page.contains(moves),
            "{arguments:?}: {page:?}"
        );
    }
    world.stop().unwrap();
}

/// What leaves is what the editor left, with the signature.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_written_in_an_editor_and_given_on() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    bob.file("signature.txt", b"Bob, by the bridge\n").unwrap();
    let script = "sed -i 's/^Subject: .*/Subject: From the editor/' \"$1\"\nprintf 'PS: at noon.\\n' >> \"$1\"\n";
    let script = bob.file("editor", script.as_bytes()).unwrap();
    let editor = format!("sh {script}");
    let send = [
        "send",
        "--edit",
        "--to",
        "alice@example.com",
        "--body",
        "Hello.",
    ];
    let reports = bob.run_with_editor(&editor, &send).unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    let entry = only(&alice.run(&["inbox"]).unwrap()).unwrap();
    let message = alice.run(&["read", text(&entry["id"])]).unwrap();
    assert_eq!(message["subject"], "From the editor", "{message}");
    let wanted = "Hello.\n\n-- \nBob, by the bridge\nPS: at noon.";
    let shown = text(&message["sections"][0]["text"]).replace("\r\n", "\n");
    assert_eq!(shown.trim_end(), wanted);
    let forward = [
        "forward",
        text(&entry["id"]),
        "--to",
        "bob@example.org",
        "--body",
        "See?",
    ];
    let reports = alice.run(&forward).unwrap();
    assert_eq!(
        reports[0]["protection"], "encrypted-post-quantum",
        "{reports}"
    );
    let entry = only(&bob.run(&["inbox"]).unwrap()).unwrap();
    let message = bob.run(&["read", text(&entry["id"])]).unwrap();
    assert_eq!(message["subject"], "Fwd: From the editor", "{message}");
    let shown = text(&message["sections"][0]["text"]);
    let told = "my mail server proved that bob@example.org sent it to me";
    assert!(
        shown.contains(told) && shown.contains("> Hello."),
        "{shown}"
    );
    // An editor that changes nothing, or fails, sends nothing.
    for idle in ["true", "false"] {
        assert!(bob.run_with_editor(idle, &send).is_err(), "{idle}");
    }
    assert_eq!(count(alice, &["inbox"]).unwrap(), 1);
    world.stop().unwrap();
}

/// Case S07, by the real programs.
#[tokio::test(flavor = "multi_thread")]
async fn s07_one_refused_recipient_is_named_and_costs_nobody_else_the_message() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    let to = ["--to", "alice@example.com", "--cc", "nobody@example.com"];
    let send = [&["send", "--no-encrypt", "--body", "Hello."][..], &to].concat();
    let page = bob.page(&send).unwrap();
    let line = |who: &str| page.lines().find(|line| line.starts_with(who));
    let delivered = line("alice@example.com: delivered").unwrap();
    assert!(
        delivered.contains("sealed by bob@example.org, stored"),
        "{page}"
    );
    let refused = line("nobody@example.com: refused").unwrap();
    assert!(refused.contains(": 550 5.1.1 "), "{page}");
    assert_eq!(count(alice, &["inbox"]).unwrap(), 1);
    assert_eq!(bob.run(&["outbox", "list"]).unwrap(), serde_json::json!([]));
    let (code, _) = bob.refused(&send).unwrap();
    assert_eq!(code, Some(77));
    world.stop().unwrap();
}

/// A draft is written on, sent with its blind recipient, and gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_waits_unreadable_and_is_sent_as_it_was_left() {
    let world = World::start().unwrap();
    let (alice, bob) = (&world.alice, &world.bob);
    let file = bob.file("plan.txt", b"The plan.\n").unwrap();
    let keep = [
        "send",
        "--draft",
        "--subject",
        "Lunch",
        "--body",
        "At noon?",
        "--attach",
        &file,
    ];
    assert_eq!(bob.raw(&keep).unwrap(), b"");
    let draft = only(&bob.run(&["draft", "list"]).unwrap()).unwrap();
    assert_eq!(
        (&draft["subject"], &draft["to"]),
        (&"Lunch".into(), &serde_json::json!([]))
    );
    let id = text(&draft["id"]);
    let kept = bob
        .raw(&["read", "--raw", "--mailbox", "Drafts", id])
        .unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(
        kept.contains("multipart/encrypted") && !kept.contains("Lunch"),
        "{kept}"
    );
    let script = "sed -i 's/^Bcc: .*/Bcc: alice@example.com/' \"$1\"\n";
    let script = bob.file("editor", script.as_bytes()).unwrap();
    let editor = format!("sh {script}");
    assert!(
        bob.run_with_editor(&editor, &["draft", "edit", id])
            .is_err(),
        "it prints nothing"
    );
    let draft = only(&bob.run(&["draft", "list"]).unwrap()).unwrap();
    assert_ne!(text(&draft["id"]), id);
    let reports = bob.run(&["draft", "send", text(&draft["id"])]).unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    assert_eq!(count(bob, &["draft", "list"]).unwrap(), 0);
    let entry = only(&alice.run(&["inbox"]).unwrap()).unwrap();
    let message = alice.run(&["read", text(&entry["id"])]).unwrap();
    assert_eq!(message["subject"], "Lunch", "{message}");
    assert_eq!(message["attachments"][0]["name"], "plan.txt", "{message}");
    assert!(text(&message["sections"][0]["text"]).starts_with("At noon?"));
    world.stop().unwrap();
}

//! The mission's exchange as separate processes: two `email2d`, two homes with `email2`, a
//! DNS server, and nothing but the configuration's knobs to tell them of each other.

#[path = "processes/away.rs"]
mod away;
#[path = "processes/daily.rs"]
mod daily;
#[path = "processes/keys.rs"]
mod keys;
#[path = "processes/lists.rs"]
mod lists;
#[path = "processes/passed_on.rs"]
mod passed_on;
#[path = "processes/policy.rs"]
mod policy;
#[path = "processes/program.rs"]
mod program;
#[path = "processes/terminal.rs"]
mod terminal;
#[path = "processes/thunderbird.rs"]
mod thunderbird;

use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::testbed::Testbed;
use program::{Home, ServerProcess};
use serde_json::Value;

const MEBIBYTE: usize = 1024 * 1024;
/// An attachment that makes a message of almost 50 MiB when it is only signed.
const ATTACHED: usize = 36 * MEBIBYTE;
/// What the server's memory may be at most, whatever passes through it.
const SERVER_MEMORY: u64 = 96 * 1024 * 1024;

/// A world whose servers are processes, and two people in it.
struct World {
    alice: Home,
    bob: Home,
    com: ServerProcess,
    org: ServerProcess,
    testbed: Testbed,
    _folder: tempfile::TempDir,
}

impl World {
    fn start() -> Outcome<World> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        let signed = Plan {
            signed: true,
            certified: false,
            ..Plan::new("example.com")
        };
        let direct = Plan {
            direct: true,
            ..Plan::new("example.org")
        };
        let com = ServerProcess::start(&mut testbed, &signed)?;
        let org = ServerProcess::start(&mut testbed, &direct)?;
        let alice = set_up(&testbed, &com, "alice@example.com")?;
        let bob = set_up(&testbed, &org, "bob@example.org")?;
        Ok(World {
            alice,
            bob,
            com,
            org,
            testbed,
            _folder: folder,
        })
    }

    /// A home more.
    fn home(&self, name: &str) -> Outcome<Home> {
        Home::make(&self.testbed, name)
    }

    fn stop(self) -> Outcome<()> {
        self.com.stop()?;
        self.org.stop()
    }
}

fn set_up(testbed: &Testbed, server: &ServerProcess, address: &str) -> Outcome<Home> {
    let added = server.administer(&["user", "add", address])?;
    let home = Home::make(testbed, address)?;
    let code = added.get("code").step("code")?;
    let code = home.file("code", text(code).as_bytes())?;
    home.run(&["setup", address, "--code-file", &code, "--no-backup"])?;
    Ok(home)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The only message of an inbox.
fn only(inbox: &Value) -> Outcome<Value> {
    let entries = inbox.as_array().step("inbox")?;
    assert_eq!(entries.len(), 1, "{inbox}");
    entries.first().cloned().step("message")
}

/// An inbox, the newest first, as soon as it has so many messages.
fn inbox_of(home: &Home, messages: usize) -> Outcome<Value> {
    let mut inbox = Value::Null;
    for _ in 0..300 {
        inbox = home.run(&["inbox"])?;
        if inbox.as_array().step("inbox")?.len() >= messages {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(inbox.as_array().map(Vec::len), Some(messages), "{inbox}");
    Ok(inbox)
}

fn send(from: &Home, to: &str) -> Outcome<Value> {
    let (subject, body) = ("The bridge", "At noon.\n");
    let arguments = ["send", "--to", to, "--subject", subject, "--body", body];
    let reports = from.run(&arguments)?;
    reports.get(0).cloned().step("report")
}

#[tokio::test(flavor = "multi_thread")]
async fn bob_writes_to_alice_and_she_answers() {
    let world = World::start().unwrap();
    let report = send(&world.bob, "alice@example.com").unwrap();
    assert_eq!(report["state"], "delivered", "{report}");
    assert!(text(&report["words"]).contains("sealed by bob@example.org, stored"));
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    assert_eq!(entry["verified"], true, "{entry}");
    assert_eq!(entry["from"], "bob@example.org");
    let id = text(&entry["id"]);
    let message = world.alice.run(&["read", id]).unwrap();
    assert_eq!(message["verdict"]["author"], "bob@example.org", "{message}");
    assert_eq!(message["protection"]["standing"], "verified", "{message}");
    assert_eq!(message["subject"], "The bridge", "{message}");
    assert!(text(&message["sections"][0]["text"]).contains("At noon."));
    let back = world
        .alice
        .run(&["reply", id, "--body", "I will."])
        .unwrap();
    assert_eq!(back[0]["state"], "delivered", "{back}");
    let entry = only(&world.bob.run(&["inbox"]).unwrap()).unwrap();
    assert_eq!(entry["from"], "alice@example.com", "{entry}");
    assert_eq!(entry["verified"], true, "{entry}");
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn alice_reads_saves_and_answers_what_bob_attached() {
    let world = World::start().unwrap();
    let file = world.bob.file("plan.txt", b"The plan.\n").unwrap();
    let arguments = ["send", "--to", "alice@example.com", "--subject", "Lunch"];
    let body = ["--body", "At noon?\n", "--attach", &file];
    let reports = world.bob.run(&[&arguments[..], &body].concat()).unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    let id = text(&entry["id"]);
    let message = world.alice.run(&["read", id]).unwrap();
    assert_eq!(message["verdict"]["author"], "bob@example.org", "{message}");
    assert_eq!(message["protection"]["standing"], "verified", "{message}");
    assert_eq!(message["protection"]["post_quantum"], true, "{message}");
    assert_eq!(message["subject"], "Lunch", "{message}");
    assert_eq!(text(&message["sections"][0]["text"]).trim(), "At noon?");
    let folder = world.alice.file("marker", b"").unwrap();
    let folder = folder.trim_end_matches("/marker");
    let saved = world.alice.run(&["save", id, "--dir", folder]).unwrap();
    let path = text(&saved[0]["path"]);
    assert!(path.ends_with("/plan.txt"), "{saved}");
    assert_eq!(std::fs::read(path).unwrap(), b"The plan.\n");
    let reports = world.alice.run(&["reply", id, "--body", "Yes."]).unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    let entry = only(&world.bob.run(&["inbox"]).unwrap()).unwrap();
    let answer = world.bob.run(&["read", text(&entry["id"])]).unwrap();
    assert_eq!(answer["subject"], "Re: Lunch", "{answer}");
    assert_eq!(answer["protection"]["encrypted"], true, "{answer}");
    assert_eq!(answer["references"][0], message["message_id"], "{answer}");
    let quoted = text(&answer["sections"][0]["text"]);
    assert!(
        quoted.contains("Yes.") && quoted.contains("> At noon?"),
        "{quoted}"
    );
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_mebibytes_stream_through() {
    let world = World::start().unwrap();
    let octets: Vec<u8> = (0..ATTACHED).map(|at| (at * 31 % 251) as u8).collect();
    let file = world.bob.file("large", &octets).unwrap();
    let before = world.com.highest_memory().unwrap();
    let arguments = [
        "send",
        "--to",
        "alice@example.com",
        "--subject",
        "large",
        "--body",
        "see attached",
        "--attach",
        &file,
        "--no-encrypt",
    ];
    let (reports, client) = world.bob.run_measured(&arguments).unwrap();
    let after = world.com.highest_memory().unwrap();
    println!("resident memory: server {before} before, {after} at most; client {client} at most");
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
    assert!(after < SERVER_MEMORY, "{after}");
    let entry = only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    assert_eq!(entry["verified"], true, "{entry}");
    assert!(
        entry["size"].as_u64() > Some(48 * MEBIBYTE as u64),
        "{entry}"
    );
    world.stop().unwrap();
}

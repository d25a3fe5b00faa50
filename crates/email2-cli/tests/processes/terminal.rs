//! `email2` at a terminal: its questions are asked and answered on a pseudo-terminal, secrets do
//! not show, and a letter can be taken back.

use std::process::Command;

use email2_testbed::domain::Plan;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::ordinary::OrdinaryServer;

use super::program::{Home, ServerProcess};
use crate::{World, only, text};

/// Types at a program: waits for each text, and writes the answer when the terminal shows what is
/// typed, or hides it where it is a secret. Prints all that was seen.
const TYPIST: &str = r#"
import fcntl, json, os, pty, signal, struct, sys, termios, time
steps, command = json.loads(sys.argv[1]), sys.argv[2:]
signal.alarm(120)
pid, fd = pty.fork()
if pid == 0:
    # Whoever runs the tests in the background may ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
seen, behind = b"", 0
def more():
    global seen
    try:
        octets = os.read(fd, 65536)
    except OSError:
        return False
    seen += octets
    return bool(octets)
for text, answer, secret in steps:
    while text.encode() not in seen[behind:]:
        if not more():
            break
    behind = max(behind, seen.find(text.encode(), behind) + len(text))
    while secret and termios.tcgetattr(fd)[3] & termios.ECHO:
        time.sleep(0.01)
    os.write(fd, answer.encode())
while more():
    pass
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

/// What the program asks for, what is typed, and whether that is a secret.
type Answer<'a> = (&'a str, &'a str, bool);

/// The exit code, and all that stood on the terminal.
fn typed(home: &Home, arguments: &[&str], answers: &[Answer<'_>]) -> Outcome<(i32, String)> {
    let output = Command::new("python3")
        .args(["-c", TYPIST])
        .arg(serde_json::to_string(answers).step("answers")?)
        .arg(env!("CARGO_BIN_EXE_email2"))
        .args(arguments)
        .env("EMAIL2_HOME", home.folder())
        .env_remove("EMAIL2_PASSPHRASE_FILE")
        .env("TERM", "xterm")
        .output()
        .step("python3")?;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(code) if output.stderr.is_empty() => Ok((code, shown)),
        _ => Err(Failure {
            step: "the typist".to_owned(),
            why: shown + &String::from_utf8_lossy(&output.stderr),
        }),
    }
}

const NEW: &str = "A passphrase for your new key: ";
const AGAIN: &str = "The same again: ";
const KIT: &str = "Directory for the recovery kit of your new key (or: none): ";
const CODE: &str = "One-time code from your administrator: ";
const OPEN: &str = "Passphrase of your key: ";

#[tokio::test(flavor = "multi_thread")]
async fn setup_asks_for_what_it_needs_and_shows_no_secret() {
    let world = World::start().unwrap();
    let carol = "carol@example.org";
    let added = world.org.administer(&["user", "add", carol]).unwrap();
    let code = format!("{}\n", text(&added["code"]));
    let home = world.home(carol).unwrap();
    let differing = [
        (KIT, "none\n", false),
        (CODE, code.as_str(), true),
        (NEW, "a rose\n", true),
        (AGAIN, "a nose\n", true),
    ];
    let (exit, shown) = typed(&home, &["setup", carol], &differing).unwrap();
    assert_eq!(exit, 64, "{shown}");
    assert!(
        shown.contains("the two passphrases differ; nothing was changed"),
        "{shown}"
    );
    let same = [
        differing[0],
        differing[1],
        differing[2],
        (AGAIN, "a rose\n", true),
    ];
    let (exit, shown) = typed(&home, &["setup", carol], &same).unwrap();
    assert_eq!(exit, 0, "{shown}");
    assert!(
        shown.contains("carol@example.org is set up on this device."),
        "{shown}"
    );
    assert!(
        !shown.contains("a rose") && !shown.contains(code.trim()),
        "{shown}"
    );
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_taken_back_or_sent_at_once() {
    let world = World::start().unwrap();
    let letter = [
        "--to",
        "alice@example.com",
        "--subject",
        "x",
        "--body",
        "Hi.\n",
    ];
    let send = [&["send"][..], &letter].concat();
    let counting = "takes it back; Enter sends now";
    let open = (OPEN, "a passphrase\n", true);
    let back = [open, (counting, "u\n", false)];
    let (exit, shown) = typed(&world.bob, &send, &back).unwrap();
    assert_eq!(exit, 77, "{shown}");
    assert!(shown.contains("taken back; nothing was sent"), "{shown}");
    let outbox = world.bob.run(&["outbox", "list"]).unwrap();
    assert_eq!(outbox.as_array().unwrap().len(), 0, "{outbox}");

    let wrong = [(OPEN, "another\n", true)];
    let (exit, shown) = typed(&world.bob, &send, &wrong).unwrap();
    assert_ne!(exit, 0, "{shown}");

    let (exit, shown) = typed(&world.bob, &send, &[open, (counting, "\n", false)]).unwrap();
    assert_eq!(exit, 0, "{shown}");
    only(&world.alice.run(&["inbox"]).unwrap()).unwrap();
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_takes_a_letter_back() {
    let world = World::start().unwrap();
    let send = [
        "send",
        "--to",
        "alice@example.com",
        "--subject",
        "x",
        "--body",
        "Hi.\n",
    ];
    let open = (OPEN, "a passphrase\n", true);
    let counting = ("takes it back; Enter sends now", "\u{3}", false);
    let (exit, shown) = typed(&world.bob, &send, &[open, counting]).unwrap();
    assert_ne!(exit, 0, "{shown}");
    let inbox = world.alice.run(&["inbox"]).unwrap();
    assert_eq!(inbox.as_array().unwrap().len(), 0, "{inbox}");
    world.stop().unwrap();
}

const DORA: &str = "dora@example.net";
const COUNTING: (&str, &str, bool) = ("takes it back; Enter sends now", "\n", false);

/// A letter to alice, who has a key, and to somebody else; the answer to the question about them.
fn asked(world: &World, other: &str, answer: &str) -> Outcome<(i32, String)> {
    let to = ["send", "--to", "alice@example.com", "--to", other];
    let letter = [&to[..], &["--subject", "x", "--body", "Noon.\n"]].concat();
    let open = (OPEN, "a passphrase\n", true);
    let question = ("any other line: send nothing", answer, false);
    typed(&world.bob, &letter, &[open, COUNTING, question])
}

/// What arrived at the ordinary server, and what alice was sent.
async fn came(world: &World, ordinary: &OrdinaryServer) -> Outcome<(String, String)> {
    let there = ordinary.next().await?;
    let entry = only(&world.alice.run(&["inbox"])?)?;
    let id = entry.get("id").map(text).step("id")?;
    let raw = world.alice.raw(&["read", id, "--raw"])?;
    Ok((there.content, String::from_utf8(raw).step("message")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_set_is_asked_about_and_cancelled_or_split() {
    let mut world = World::start().unwrap();
    let ordinary = OrdinaryServer::start(&mut world.testbed, "example.net").await;
    let ordinary = ordinary.unwrap();
    let (exit, shown) = asked(&world, DORA, "\n").unwrap();
    assert_eq!(exit, 77, "{shown}");
    assert!(
        shown.contains("There is no key for dora@example.net."),
        "{shown}"
    );
    assert!(shown.contains("taken back; nothing was sent"), "{shown}");
    assert_eq!(ordinary.take(), []);
    let inbox = world.alice.run(&["inbox"]).unwrap();
    assert_eq!(inbox.as_array().unwrap().len(), 0, "{inbox}");

    let (exit, shown) = asked(&world, DORA, "s\n").unwrap();
    assert_eq!(exit, 0, "{shown}");
    let told = [
        "alice@example.com: delivered, sealed, signed and encrypted (post-quantum)",
        "dora@example.net: handed to your server, ordinary mail, signed, not encrypted",
    ];
    assert!(told.iter().all(|told| shown.contains(told)), "{shown}");
    let (there, here) = came(&world, &ordinary).await.unwrap();
    assert!(
        there.contains("multipart/signed") && there.contains("Noon."),
        "{there}"
    );
    assert!(
        here.contains("multipart/encrypted") && !here.contains("Noon."),
        "{here}"
    );
    world.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_set_is_asked_about_and_sent_in_the_clear_to_all() {
    let mut world = World::start().unwrap();
    let ordinary = OrdinaryServer::start(&mut world.testbed, "example.net").await;
    let ordinary = ordinary.unwrap();
    let (exit, shown) = asked(&world, DORA, "c\n").unwrap();
    assert_eq!(exit, 0, "{shown}");
    let told = "alice@example.com: delivered, sealed, signed, not encrypted";
    assert!(shown.contains(told), "{shown}");
    let (there, here) = came(&world, &ordinary).await.unwrap();
    assert!(
        there.contains("multipart/signed") && there.contains("Noon."),
        "{there}"
    );
    assert!(
        here.contains("multipart/signed") && here.contains("Noon."),
        "{here}"
    );
    world.stop().unwrap();
}

/// Her server speaks Email 2.0, and nothing proves that it is her domain's.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nothing_authenticates_is_asked_about() {
    let mut world = World::start().unwrap();
    let bare = Plan {
        certified: false,
        ..Plan::new("example.net")
    };
    let server = ServerProcess::start(&mut world.testbed, &bare).unwrap();
    server.administer(&["user", "add", DORA]).unwrap();
    let without = ["send", "--to", DORA, "--subject", "x", "--body", "Noon.\n"];
    let error = world.bob.run(&without).unwrap_err().to_string();
    for part in [
        "nothing proves that the server that answers for dora@example.net is their domain's",
        "--no-encrypt sends it to all signed only",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let (exit, shown) = asked(&world, DORA, "\n").unwrap();
    assert_eq!(exit, 77, "{shown}");
    let (exit, shown) = asked(&world, DORA, "s\n").unwrap();
    assert_eq!(exit, 0, "{shown}");
    let told = "dora@example.net: delivered, sealed, signed, not encrypted, to a server that nothing proves to be their domain's";
    assert!(shown.contains(told), "{shown}");
    server.stop().unwrap();
    world.stop().unwrap();
}

/// Her server was down; when it is up, it is one that nothing authenticates.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_outbox_for_a_decision_is_asked_about() {
    let mut world = World::start().unwrap();
    let bare = Plan {
        certified: false,
        ..Plan::new("example.net")
    };
    world.testbed.prepare(&bare).unwrap();
    let letter = ["send", "--to", DORA, "--subject", "x", "--body", "Noon.\n"];
    let page = world.bob.page(&[&letter[..], &["--wait", "0"]].concat());
    let page = page.unwrap();
    assert!(
        page.contains("dora@example.net: waits in the outbox ["),
        "{page}"
    );
    let server = ServerProcess::start(&mut world.testbed, &bare).unwrap();
    server.administer(&["user", "add", DORA]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_500));

    let open = (OPEN, "a passphrase\n", true);
    let leave = ("any other line: leave it in the outbox", "\n", false);
    let listed = world.bob.run(&["outbox", "list"]).unwrap();
    let id = listed[0]["id"].to_string();
    let retry = ["outbox", "retry", id.as_str()];
    let (exit, shown) = typed(&world.bob, &retry, &[open, leave]).unwrap();
    assert_ne!(exit, 0, "{shown}");
    let why = "nothing proves that the server that answers for dora@example.net";
    assert!(shown.contains(why), "{shown}");
    let page = world.bob.page(&["outbox", "list"]).unwrap();
    let decide = format!("decide: email2 outbox retry {id} --split, or --no-encrypt");
    assert!(
        page.contains("waits for your decision") && page.contains(&decide),
        "{page}"
    );

    let split = ("any other line: leave it in the outbox", "s\n", false);
    let (exit, shown) = typed(&world.bob, &["outbox", "run"], &[open, split]).unwrap();
    assert_eq!(exit, 0, "{shown}");
    let told = "dora@example.net: delivered, sealed, signed, not encrypted";
    assert!(shown.contains(told), "{shown}");
    server.stop().unwrap();
    world.stop().unwrap();
}

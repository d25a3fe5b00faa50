//! A server that is killed has everything it acknowledged, once.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::conformance::{NOW, account, address, body, inbox};
use crate::message::{Append, Flags, Outcome};
use crate::provenance::Appended;
use crate::{Opening, Store};

/// Says to the child process where the store is.
const DIRECTORY: &str = "EMAIL2_STORE_CRASH_DIRECTORY";

/// Acknowledged messages after which the child is killed.
const ENOUGH: usize = 60;

/// Bodies are alternately inline and in files.
fn octets(number: usize) -> Vec<u8> {
    let length = if number.is_multiple_of(2) {
        100
    } else {
        40_000
    };
    let mut octets = format!("{number}\r\n").into_bytes();
    octets.resize(length, b'x');
    octets
}

/// The child: appends until it is killed, and tells every acknowledgement.
#[tokio::test]
async fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let store = Store::open(Path::new(&directory), Opening::Serve, NOW).unwrap();
    let alice = store
        .account(&address("alice@example.com"))
        .await
        .unwrap()
        .unwrap();
    let inbox = inbox(&store, &alice).await.id;
    for number in 0.. {
        let append = Append {
            door: Appended::by(alice.id),
            mailbox: inbox,
            flags: Flags::default(),
            body: body(&store, &octets(number)).await,
            received: NOW,
        };
        let outcome = store.append(vec![append]).await.unwrap().remove(0);
        let Outcome::Stored { uid, .. } = outcome else {
            panic!("{outcome:?}")
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {number} {uid}").unwrap();
        out.flush().unwrap();
    }
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "sqlite::tests::crash::child"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Number and UID of what the child said was stored.
fn acknowledged(line: &str) -> Option<(usize, u32)> {
    let (number, uid) = line.split_once("acknowledged ")?.1.split_once(' ')?;
    Some((number.parse().ok()?, uid.parse().ok()?))
}

#[tokio::test]
async fn a_killed_server_has_all_it_acknowledged() {
    let directory = TempDir::new().unwrap();
    {
        let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
        account(&store, "alice@example.com", None).await;
    }
    let mut child = start(directory.path());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines
        .map_while(Result::ok)
        .filter_map(|line| acknowledged(&line));
    let told: Vec<(usize, u32)> = told.take(ENOUGH).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.len(), ENOUGH);

    let store = Store::open(directory.path(), Opening::Serve, NOW).unwrap();
    let alice = store
        .account(&address("alice@example.com"))
        .await
        .unwrap()
        .unwrap();
    let messages = store
        .messages(inbox(&store, &alice).await.id)
        .await
        .unwrap();
    for (number, uid) in told {
        let found: Vec<_> = messages
            .iter()
            .filter(|message| message.uid == uid)
            .collect();
        assert_eq!(found.len(), 1, "UID {uid}");
        let reader = store.message_body(found[0].id).await.unwrap();
        let length = usize::try_from(reader.size()).unwrap();
        assert_eq!(reader.read(0, length).await.unwrap(), octets(number));
    }
    let files = std::fs::read_dir(directory.path().join("bodies"))
        .unwrap()
        .count();
    let large = messages
        .iter()
        .filter(|message| message.size > 32 * 1024)
        .count();
    assert_eq!(files, large, "what was cut off is swept");
}

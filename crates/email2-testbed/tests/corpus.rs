//! Every message of Python's mail corpus (Debian's libpython3.11-testsuite) goes from client
//! to client, encrypted and signed only, and is compared part by part. Malformed ones are
//! refused or carried, each with its stated verdict.

#[path = "corpus/eml.rs"]
mod eml;
#[path = "corpus/files.rs"]
mod files;
#[path = "corpus/mailbox.rs"]
mod mailbox;

use std::path::Path;

use email2::address::Address;
use email2::content::{Reader, Standing, unprotect};
use email2_client::send::compose::Source;
use email2_client::send::import::File;
use email2_client::send::{Encryption, State};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use mail_parser::{MessageParser, PartType};

/// Where Debian's package puts it; `scripts/test` installs the package.
const CORPUS: &str = "/usr/lib/python3.11/test/test_email/data";
/// Messages in it.
const MESSAGES: usize = 47;

/// Files that cannot be sent as they are, and what the client says of them.
const REFUSED: [(&str, &str); 6] = [
    ("msg_14.txt", "the field Content-Type cannot be read"),
    ("msg_19.txt", "line 1 of the header is no field"),
    ("msg_20.txt", "the field Cc stands more than once"),
    ("msg_25.txt", "the field To stands more than once"),
    (
        "msg_33.txt",
        "The MIME structure is ambiguous: its boundary",
    ),
    ("msg_35.txt", "line 4 of the header is no field"),
];

/// Two people and their world.
struct Scene {
    testbed: Testbed,
    alice: Person,
    bob: Person,
    _folder: tempfile::TempDir,
}

async fn scene() -> Outcome<Scene> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    testbed.add_domain(&Plan::new("example.com")).await?;
    testbed.add_domain(&Plan::new("example.org")).await?;
    let alice = Address::parse("alice@example.com").step("address")?;
    let bob = Address::parse("bob@example.org").step("address")?;
    Ok(Scene {
        alice: Person::set_up(&testbed, &alice).await?,
        bob: Person::set_up(&testbed, &bob).await?,
        testbed,
        _folder: folder,
    })
}

/// The corpus, by name.
fn corpus() -> Outcome<Vec<(String, Vec<u8>)>> {
    let missing = format!("{CORPUS} (Debian package libpython3.11-testsuite)");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(Path::new(CORPUS))
        .step(missing)?
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("msg_") && name.ends_with(".txt") {
            found.push((name, std::fs::read(entry.path()).step("corpus")?));
        }
    }
    found.sort();
    Ok(found)
}

/// Sends the file from bob to alice; the message as she reads it.
async fn carry(scene: &Scene, octets: &[u8], encryption: Encryption) -> Outcome<Vec<u8>> {
    let file = File {
        octets: octets.to_vec(),
        replace_from: true,
        to: vec![scene.alice.address.clone()],
        ..File::default()
    };
    let reports = scene.bob.give(Source::File(file), encryption).await?;
    let report = reports.first().step("report")?;
    if report.state != State::Delivered {
        return Err(Failure {
            step: format!("{:?}", report.state),
            why: report.words.clone(),
        });
    }
    open(scene, &scene.alice.newest().await?)
}

/// Alice opens it, by her key and bob's certificate.
fn open(scene: &Scene, raw: &[u8]) -> Outcome<Vec<u8>> {
    let bob = scene.bob.key().certificate().clone();
    let known = |who: &Address| (*who == scene.bob.address).then(|| bob.clone());
    let reader = Reader {
        keys: &[scene.alice.key()],
        known: &known,
        now: scene.testbed.world.now(),
    };
    let reading = unprotect(raw, &reader).step("reading")?;
    match reading.standing {
        Standing::Verified { .. } => Ok(reading.message()),
        other => Err(Failure {
            step: "reading".to_owned(),
            why: format!("{other:?}"),
        }),
    }
}

/// The leaves of a message: type and decoded octets.
fn leaves(message: &[u8]) -> Outcome<Vec<(String, Vec<u8>)>> {
    let parsed = MessageParser::new().parse(message).step("parsing")?;
    let mut found = Vec::new();
    for part in &parsed.parts {
        let kind = mail_parser::MimeHeaders::content_type(part).map_or_else(
            || "text/plain".to_owned(),
            |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("?")),
        );
        if !matches!(part.body, PartType::Multipart(_)) {
            found.push((kind.to_lowercase(), part.contents().to_vec()));
        }
    }
    Ok(found)
}

/// As the client takes a file: CRLF, without the mbox line.
fn as_taken(octets: &[u8]) -> Vec<u8> {
    let mut taken = Vec::with_capacity(octets.len());
    for (number, line) in octets.split_inclusive(|&octet| octet == b'\n').enumerate() {
        if number > 0 || !line.starts_with(b"From ") {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            taken.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
            taken.extend_from_slice(b"\r\n");
        }
    }
    taken
}

/// What became of one file: nothing to say, or what is wrong.
async fn judge(scene: &Scene, name: &str, octets: &[u8], encryption: Encryption) -> Option<String> {
    let expected = REFUSED.iter().find(|(refused, _)| *refused == name);
    match (carry(scene, octets, encryption).await, expected) {
        (Err(failure), Some((_, words))) if failure.why.contains(words) => None,
        (Err(failure), _) => Some(format!("{name} ({encryption:?}): {failure}")),
        (Ok(_), Some(_)) => Some(format!("{name} ({encryption:?}): should have been refused")),
        (Ok(read), None) => {
            let (sent, came) = (leaves(&as_taken(octets)), leaves(&read));
            let same = matches!((sent, came), (Ok(sent), Ok(came)) if sent == came);
            (!same).then(|| format!("{name} ({encryption:?}): a part differs"))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_the_corpus_arrives_part_by_part() {
    let corpus = corpus().unwrap();
    assert_eq!(corpus.len(), MESSAGES);
    let scene = scene().await.unwrap();
    let mut wrong = Vec::new();
    for (name, octets) in &corpus {
        for encryption in [Encryption::Demand, Encryption::Refuse] {
            wrong.extend(judge(&scene, name, octets, encryption).await);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of 94:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    scene.testbed.stop().await;
}

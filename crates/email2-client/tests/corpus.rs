//! The mail corpus of Python's own tests (Debian: libpython3.11-testsuite), each
//! file imported, protected and read again, encrypted and not: what cannot be
//! carried has its stated verdict, everything else comes back part by part.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};

use email2::Address;
use email2::Identity;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::content::{Container, Mode, OuterTo, Protect, Reader, Standing, protect, unprotect};
use email2::secret::SecretKey;
use email2_client::send::import::{File, import};
use mail_parser::{Message, MessageParser, MimeHeaders as _, PartType};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

const CORPUS: &str = "/usr/lib/python3.11/test/test_email/data";
/// Files of the corpus.
const FILES: usize = 47;
/// Thu, 26 Nov 2026 14:59:59 UTC.
const NOW: u64 = 1_795_705_199;

/// What is malformed at the top, and what is said of it. Everything else is
/// carried octet for octet, malformed parts inside included.
const REFUSED: [(&str, &str); 6] = [
    ("msg_14.txt", "the field Content-Type cannot be read"),
    ("msg_19.txt", "line 1 of the header is no field"),
    ("msg_20.txt", "the field Cc stands more than once"),
    ("msg_25.txt", "the field To stands more than once"),
    (
        "msg_33.txt",
        "the file cannot be sent: 550 5.6.0 The MIME structure is ambiguous: its boundary",
    ),
    ("msg_35.txt", "line 4 of the header is no field"),
];

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn key(text: &str, seed: u64) -> SecretKey {
    let who = Identity::Address(address(text));
    generate(&who, NOW - 60, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

struct People {
    bob: SecretKey,
    alice: SecretKey,
    from: Address,
}

impl People {
    fn new() -> People {
        People {
            bob: key("bob@example.org", 1),
            alice: key("alice@example.com", 2),
            from: address("bob@example.org"),
        }
    }

    /// From Bob to Alice; what she reads, or why it did not leave.
    fn exchange(&self, octets: &[u8], encrypt: bool) -> Result<(Vec<u8>, Vec<u8>), String> {
        let file = File {
            octets: octets.to_vec(),
            replace_from: true,
            to: vec![address("alice@example.com")],
            ..File::default()
        };
        let composed = import(file, &self.from).map_err(|error| error.to_string())?;
        let to = [self.alice.certificate().clone()];
        let request = Protect {
            message: &composed.message,
            author: &self.bob,
            from: &self.from,
            mode: if encrypt {
                encrypted(&to)
            } else {
                Mode::SignOnly
            },
            outer_to: OuterTo::Visible(composed.visible.clone()),
            outside: &[],
            now: NOW,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let sealed = protect(&request, &mut rng).map_err(|error| error.to_string())?;
        let known = |_: &Address| Some(self.bob.certificate().clone());
        let reader = Reader {
            keys: &[&self.alice],
            known: &known,
            now: NOW,
        };
        let reading = unprotect(&sealed, &reader).unwrap();
        assert!(
            matches!(reading.standing, Standing::Verified { .. }),
            "{:?}",
            reading.standing
        );
        assert_eq!(reading.encrypted, encrypt);
        Ok((composed.message, reading.message()))
    }
}

fn encrypted(to: &[Certificate]) -> Mode<'_> {
    Mode::Encrypt {
        to,
        also_self: false,
        container: Container::V2,
    }
}

/// Every part in order, messages within messages included: kind, name, content.
fn parts(message: &Message<'_>) -> Vec<(String, Option<String>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![message];
    while let Some(message) = waiting.pop() {
        for part in &message.parts {
            let kind = part
                .content_type()
                .map(|kind| format!("{kind:?}"))
                .unwrap_or_default();
            let kind = kind.replace("protected-headers", "");
            let name = part.attachment_name().map(str::to_owned);
            match &part.body {
                PartType::Message(inner) => {
                    found.push((kind, name, Vec::new()));
                    waiting.push(inner);
                }
                PartType::Multipart(children) => {
                    found.push((kind, name, vec![children.len() as u8]))
                }
                _ => found.push((kind, name, part.contents().to_vec())),
            }
        }
    }
    found
}

/// The header fields that describe the message.
fn fields(message: &Message<'_>) -> Vec<(String, String)> {
    let raw = message.headers_raw();
    let described = raw.filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("content-") && name != "mime-version"
    });
    described
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn compare(sent: &[u8], read: &[u8], name: &str) {
    let sent = MessageParser::new().parse(sent).unwrap();
    let read = MessageParser::new().parse(read).unwrap();
    let mut missing = fields(&sent);
    missing.retain(|field| !fields(&read).contains(field));
    assert_eq!(missing, [], "{name}");
    let (sent, read) = (parts(&sent), parts(&read));
    assert_eq!(sent.len(), read.len(), "{name}: parts");
    for (number, (sent, read)) in sent.iter().zip(&read).enumerate() {
        assert_eq!(sent.1, read.1, "{name}: name of part {number}");
        assert!(sent.2 == read.2, "{name}: content of part {number}");
        // The root gets a Content-Type where it had none.
        assert!(
            number == 0 || sent.0 == read.0,
            "{name}: type of part {number}"
        );
    }
}

fn corpus() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(CORPUS) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_message = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with("msg_") && Path::new(name).extension().is_some_and(|it| it == "txt")
    };
    let mut found: Vec<PathBuf> = paths.filter(is_message).collect();
    found.sort();
    found
}

#[test]
fn every_message_of_the_corpus_comes_back_or_is_refused_as_stated() {
    let files = corpus();
    if files.is_empty() {
        eprintln!("skipped: install libpython3.11-testsuite (scripts/test does)");
        return;
    }
    assert_eq!(files.len(), FILES);
    let people = People::new();
    let mut verdicts = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let octets = std::fs::read(&path).unwrap();
        let mut said = Vec::new();
        for encrypt in [false, true] {
            match people.exchange(&octets, encrypt) {
                Ok((sent, read)) => compare(&sent, &read, &name),
                Err(why) => said.push(why),
            }
        }
        said.dedup();
        verdicts.extend(said.into_iter().map(|why| (name.clone(), why)));
    }
    let stated = REFUSED.map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!(verdicts, stated);
}

//! Every `.eml` of the cases and of two other projects goes every way that a message can take:
//! sent by a client, sealed by a forger as it is and under a name that he may use, and appended.
//! Nobody panics or hangs, what is refused has its stated reason, and whatever is kept has one
//! author in the store's column, IMAP's ENVELOPE, `read` and `--json`, or none.

use std::fmt::Write as _;

use email2::address::Address;
use email2::content::Reader;
use email2::seal::ContentDigest;
use email2::verdict::Provenance;
use email2_client::read::{self, Shown};
use email2_client::send::compose::Source;
use email2_client::send::import::File;
use email2_client::send::{Encryption, State};
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::forger::session::{Letter, Session, deliver};
use email2_testbed::forger::{Claim, announcement, seal_over};

use super::files::{Eml, all};
use super::mailbox::{Mailbox, Seen};
use super::{Scene, scene};

/// How a refusal begins or what it says: a reply of the server, or a sentence of the client.
const STATED: [&str; 13] = [
    "550 5.",
    "554 5.",
    "the file cannot be sent: ",
    "the message is refused: ",
    "the field ",
    "is no field",
    "has a bare CR",
    "cannot be sealed: ",
    "cannot be kept",
    "structure",
    "no recipients",
    "line ",
    "part ",
];

/// Where appended messages go.
const DRAWER: &str = "Drawer";

/// How one file fared.
struct Fate {
    sent: String,
    as_it_is: String,
    under_own_name: String,
    appended: String,
}

/// Everything that a run needs.
struct Run {
    scene: Scene,
    inbox: Mailbox,
    drawer: Mailbox,
}

impl Run {
    async fn begin() -> Outcome<Run> {
        let scene = scene().await?;
        Ok(Run {
            inbox: Mailbox::open(&scene.testbed, &scene.alice, "INBOX").await?,
            drawer: Mailbox::open(&scene.testbed, &scene.alice, DRAWER).await?,
            scene,
        })
    }

    async fn fate(&mut self, eml: &Eml) -> Outcome<Fate> {
        Ok(Fate {
            sent: self.send(eml).await?,
            as_it_is: self.forge(&eml.octets).await?,
            under_own_name: self.forge(&by_bob(&eml.octets)).await?,
            appended: self.append(&eml.octets).await?,
        })
    }

    /// By the client, with bob in place of the author.
    async fn send(&mut self, eml: &Eml) -> Outcome<String> {
        let file = File {
            octets: eml.octets.clone(),
            replace_from: true,
            to: vec![self.scene.alice.address.clone()],
            ..File::default()
        };
        match self
            .scene
            .bob
            .give(Source::File(file), Encryption::Demand)
            .await
        {
            Err(refused) => Ok(refused.why),
            Ok(reports) => match reports.first() {
                Some(report) if report.state == State::Delivered => self.kept(true).await,
                Some(report) => Ok(format!("{:?}: {}", report.state, report.words)),
                None => Ok("no report".to_owned()),
            },
        }
    }

    /// Sealed by bob over whatever it is, where a seal can be made over it at all.
    async fn forge(&mut self, octets: &[u8]) -> Outcome<String> {
        let scene = &self.scene;
        let digest = match ContentDigest::of(octets) {
            Ok(digest) => digest,
            Err(error) => return Ok(format!("cannot be sealed: {error}")),
        };
        let (alice, bob) = (&scene.alice.address, &scene.bob.address);
        let from = bob.to_string();
        let world = &scene.testbed.world;
        let seal = seal_over(
            world,
            alice,
            &Claim::now(bob, &from, scene.bob.key()),
            digest,
        )?;
        let letter = Letter {
            from,
            announced: Some(announcement(&seal.signer)),
            recipients: vec![alice.to_string()],
            content: [seal.field().as_bytes(), octets].concat(),
        };
        let at = scene.testbed.exchanger("example.com")?;
        let mut session = Session::open(world, &at, "client.example").await?;
        let reply = deliver(&mut session, &letter).await?;
        match reply.is_granted() {
            true => self.kept(true).await,
            false => Ok(reply.to_string()),
        }
    }

    async fn append(&mut self, octets: &[u8]) -> Outcome<String> {
        match self.drawer.append(DRAWER, octets).await {
            Ok(()) => self.kept(false).await,
            Err(refused) => Ok(refused.why),
        }
    }

    /// The newest message, judged: who wrote it, on every side.
    async fn kept(&mut self, received: bool) -> Outcome<String> {
        let proved = self.proved(if received { "INBOX" } else { DRAWER }).await?;
        let mailbox = if received {
            &mut self.inbox
        } else {
            &mut self.drawer
        };
        let seen = mailbox.last().await?;
        if received != proved.is_some() {
            return Err(disagreement(format!("proved: {proved:?}")));
        }
        let shown = match self.read(&seen.octets) {
            Ok(shown) => shown,
            Err(why) => return Ok(format!("kept, closed: {why}")),
        };
        agree(proved.as_ref(), &seen, &shown)?;
        Ok(match shown.from {
            Some(author) => format!("kept: {}", author.address),
            None => "kept: nobody".to_owned(),
        })
    }

    /// What the store's column says of the newest message.
    async fn proved(&self, mailbox: &str) -> Outcome<Option<Address>> {
        let testbed = &self.scene.testbed;
        let store = testbed.store(testbed.domain("example.com")?)?;
        let account = store
            .account(&self.scene.alice.address)
            .await
            .step("account")?;
        let mailbox = store.mailbox(account.step("account")?.id, mailbox).await;
        let messages = store
            .messages(mailbox.step("mailbox")?.step("mailbox")?.id)
            .await;
        let messages = messages.step("messages")?;
        let newest = messages.last().step("message")?;
        Ok(match newest.origin.provenance() {
            Some(Provenance::Verified { author, .. }) => Some(author.clone()),
            _ => None,
        })
    }

    fn read(&self, octets: &[u8]) -> Result<Shown, String> {
        let bob = self.scene.bob.key().certificate();
        let known = |who: &Address| (*who == self.scene.bob.address).then(|| bob.clone());
        let reader = Reader {
            keys: &[self.scene.alice.key()],
            known: &known,
            now: self.scene.testbed.world.now(),
        };
        read::read(octets, &reader).map_err(|error| error.to_string())
    }
}

fn disagreement(why: String) -> Failure {
    Failure {
        step: "two different authors".to_owned(),
        why,
    }
}

/// One author on every side, or none.
fn agree(proved: Option<&Address>, seen: &Seen, shown: &Shown) -> Outcome<()> {
    let json = serde_json::to_value(shown).step("JSON")?;
    let text = |path: &str| {
        json.pointer(path)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let proved = proved.map(ToString::to_string);
    let read = shown.from.as_ref().map(|person| person.address.clone());
    let verdict = shown.verdict.author.clone();
    let differ = |what: &str, other: &Option<String>| {
        Err(disagreement(format!(
            "{what} {other:?}, column {proved:?}, read {read:?}"
        )))
    };
    if verdict != proved {
        return differ("verdict", &verdict);
    }
    if text("/from/address") != read || text("/verdict/author") != verdict {
        return differ("json", &text("/from/address"));
    }
    if proved.is_some() && read != proved {
        return differ("read", &read);
    }
    // `read` names an author only where From is one mailbox: ENVELOPE then names the same.
    match (&read, seen.from.as_slice()) {
        (None, _) => Ok(()),
        (Some(author), [only]) if only.eq_ignore_ascii_case(author) => Ok(()),
        _ => differ("envelope", &Some(seen.from.join(", "))),
    }
}

/// The same with CRLF and bob as the one author: what a forger may say under his own name.
fn by_bob(octets: &[u8]) -> Vec<u8> {
    let mut out = b"From: bob@example.org\r\n".to_vec();
    let (mut in_header, mut in_from) = (true, false);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        in_header &= !text.is_empty();
        let folded = text
            .first()
            .is_some_and(|octet| matches!(octet, b' ' | b'\t'));
        let from = text
            .get(..5)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"from:"));
        in_from = in_header && if folded { in_from } else { from };
        if !in_from {
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// One line.
fn steady(words: &str) -> String {
    words.trim().replace('\n', " ")
}

/// The fates of some files, and what went wrong, in a world of their own.
async fn fates(files: &[Eml]) -> (String, Vec<String>) {
    let (mut found, mut wrong) = (String::new(), Vec::new());
    let mut run = match Run::begin().await {
        Ok(run) => run,
        Err(failure) => return (found, vec![failure.to_string()]),
    };
    for eml in files {
        match run.fate(eml).await {
            Ok(fate) => tell(&mut found, &eml.name, &fate),
            Err(failure) => wrong.push(format!("{}: {failure}", eml.name)),
        }
    }
    run.scene.testbed.stop().await;
    (found, wrong)
}

fn tell(found: &mut String, name: &str, fate: &Fate) {
    for (way, words) in [
        ("sent", &fate.sent),
        ("sealed as it is", &fate.as_it_is),
        ("sealed as bob's", &fate.under_own_name),
        ("appended", &fate.appended),
    ] {
        let _ = writeln!(found, "{name} | {way} | {}", steady(words));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_eml_goes_every_way_with_one_author_or_none() {
    let all = all().unwrap();
    let mut quarters = all.chunks(all.len().div_ceil(4));
    let mut next = || quarters.next().unwrap_or_default();
    // Most of the time each waits for a disk or for the other side.
    let (a, b, c, d) = tokio::join!(fates(next()), fates(next()), fates(next()), fates(next()));
    let parts = [a, b, c, d];
    let wrong: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.1.iter().map(String::as_str))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let found: Vec<&str> = parts.iter().flat_map(|part| part.0.lines()).collect();
    assert_eq!(found.len(), all.len() * 4);
    let unstated: Vec<&&str> = found.iter().filter(|line| !is_stated(line)).collect();
    assert!(unstated.is_empty(), "{unstated:#?}");
    // Refusals are the exception: otherwise all would be well with a server that takes nothing.
    let kept = found
        .iter()
        .filter(|line| line.contains("| kept: "))
        .count();
    println!("{kept} of {} were kept and read", found.len());
    assert!(kept * 2 > found.len(), "only {kept} of {}", found.len());
}

/// A message was kept, or there is a reason that a person understands.
fn is_stated(line: &str) -> bool {
    let words = line.rsplit(" | ").next().unwrap_or_default();
    words.starts_with("kept") || STATED.iter().any(|known| words.contains(known))
}

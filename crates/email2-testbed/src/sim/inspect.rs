//! What lies in the mailboxes when a simulation is over, compared with what was written and
//! with what authors were told.

use std::collections::BTreeMap;

use email2::address::Address;
use email2::certificate::Certificate;
use email2::content::{Reader, Reading, unprotect};
use email2::verdict::Provenance;
use email2_store::{Message, Opening, Origin, Store, Threads};
use futures::FutureExt;

use super::ledger::{Ledger, Letter, Told};
use super::time::EPOCH;
use super::town::{self, Citizen, Seat};
use crate::failure::{Outcome, Step};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Letters that were begun, counted by recipient.
    pub letters: u64,
    /// Those that were acknowledged by 250.
    pub acknowledged: u64,
    /// Those whose author holds a clear failure.
    pub failed: u64,
    /// Acknowledged, and not there.
    pub lost: Vec<String>,
    /// There more than once.
    pub duplicated: Vec<String>,
    /// Ordinary mail that came more than once, as it may.
    pub ordinary_twice: u64,
    /// Anything else that must not be.
    pub wrong: Vec<String>,
}

impl Findings {
    /// Whether all is as it must be.
    #[must_use]
    pub fn are_clean(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty() && self.wrong.is_empty()
    }
}

/// Reads every mailbox of `servers`, and what the host of `ordinary` mail took, and holds it
/// against `ledger`.
///
/// # Errors
/// A store cannot be read.
pub fn inspect(
    servers: &[Seat],
    people: &[Citizen],
    ledger: &Ledger,
    ordinary: &[Vec<u8>],
) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let mut copies: BTreeMap<(u32, Address), u32> = BTreeMap::new();
    let letters: BTreeMap<u32, Letter> = ledger
        .begun()
        .into_iter()
        .map(|letter| (letter.number, letter))
        .collect();
    for citizen in people {
        for (origin, octets) in mail_of(citizen, servers)? {
            match recognise(citizen, people, &origin, &octets, &letters) {
                Ok(number) => {
                    *copies.entry((number, citizen.address.clone())).or_default() += 1;
                }
                Err(why) => findings.wrong.push(format!("{}: {why}", citizen.address)),
            }
        }
    }
    for letter in letters.values() {
        for to in &letter.to {
            let mut compare = |reader: &Address, copies: u32| {
                let name = format!("letter {} by {}", letter.number, letter.author);
                let name = format!("{name} to {to} for {reader}");
                compare(name, ledger.told(letter.number, to), copies, &mut findings);
            };
            for reader in town::readers(to, people) {
                let count = copies.get(&(letter.number, reader.clone()));
                compare(&reader, count.copied().unwrap_or(0));
            }
            if to.domain().as_str() == town::ORDINARY_DOMAIN {
                let count = ordinary.iter().filter(|octets| is_copy(octets, letter));
                let count = u32::try_from(count.count()).unwrap_or(u32::MAX);
                compare(to, count.min(1));
                findings.ordinary_twice += u64::from(count > 1);
            }
        }
    }
    Ok(findings)
}

/// Whether ordinary mail is a letter, whole.
fn is_copy(octets: &[u8], letter: &Letter) -> bool {
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    text.contains(&format!("\nSubject: {}\n", letter.subject())) && text.contains(&letter.body())
}

/// Each who is to read a letter has it exactly once, or its author holds a clear failure.
fn compare(name: String, told: Option<Told>, copies: u32, found: &mut Findings) {
    found.letters += 1;
    if copies > 1 {
        found.duplicated.push(format!("{name}: {copies} times"));
    }
    match told {
        Some(Told::Delivered) => {
            found.acknowledged += 1;
            if copies == 0 {
                found.lost.push(name);
            }
        }
        Some(Told::Failed(why)) if why.trim().is_empty() => {
            found
                .wrong
                .push(format!("{name}: it failed without a word"));
        }
        Some(Told::Failed(_)) => found.failed += 1,
        Some(Told::Waiting(why)) => {
            found
                .wrong
                .push(format!("{name}: it still waits, long after: {why}"));
        }
        // Its author's machine went down before anything was kept.
        None => {}
    }
}

/// Which letter a stored message is.
///
/// # Errors
/// It is none, or something about it is not as it was written.
fn recognise(
    citizen: &Citizen,
    people: &[Citizen],
    origin: &Origin,
    octets: &[u8],
    letters: &BTreeMap<u32, Letter>,
) -> Result<u32, String> {
    // What was passed on is verified where its author is known, else checked by who passed it on.
    let Origin::Accepted(
        Provenance::Verified { author, .. } | Provenance::CheckedBy { author, .. },
    ) = origin
    else {
        return Err(format!("stored as {origin:?}"));
    };
    let known = |who: &Address| -> Option<Certificate> {
        let who = people.iter().find(|citizen| citizen.address == *who);
        who.map(|citizen| citizen.key.certificate().clone())
    };
    let reader = Reader {
        keys: &[&citizen.key],
        known: &known,
        now: EPOCH,
    };
    let reading = unprotect(octets, &reader).map_err(|error| format!("unreadable: {error}"))?;
    let subject = field(&reading, "Subject");
    let number = subject.strip_prefix("letter ").and_then(|n| n.parse().ok());
    let letter = number.and_then(|number| letters.get(&number));
    let Some(letter) = letter else {
        return Err(format!("nobody wrote {subject:?}"));
    };
    let from = field(&reading, "From");
    if letter.author != *author || !from.contains(&author.to_string()) {
        return Err(format!("{subject}, From {from}, is shown as by {author}"));
    }
    let mut to = letter.to.iter();
    if !to.any(|to| town::readers(to, people).contains(&citizen.address)) {
        return Err(format!("{subject} was not for {}", citizen.address));
    }
    let text = String::from_utf8_lossy(&reading.body).replace("\r\n", "\n");
    if !text.contains(&letter.body()) {
        return Err(format!("{subject} has another text: {text:?}"));
    }
    Ok(letter.number)
}

fn field(reading: &Reading, name: &str) -> String {
    let value = reading.field(name).unwrap_or_default();
    String::from_utf8_lossy(value).trim().to_owned()
}

/// All mail that came in for somebody from elsewhere.
fn mail_of(citizen: &Citizen, servers: &[Seat]) -> Outcome<Vec<(Origin, Vec<u8>)>> {
    let domain = citizen.address.domain().as_str();
    let server = servers.iter().find(|server| server.domain == domain);
    let data = &server.step("server")?.config.data_directory;
    let store = Store::open_with(data, Opening::Visit, Threads::None, EPOCH).step("store")?;
    let mail = async {
        let account = store.account(&citizen.address).await.step("account")?;
        let account = account.step("account")?.id;
        let mut mail = Vec::new();
        for mailbox in store.mailboxes(account).await.step("mailboxes")? {
            for message in store.messages(mailbox.id).await.step("messages")? {
                if message.origin != Origin::Appended {
                    let octets = octets(&store, &message).await?;
                    mail.push((message.origin, octets));
                }
            }
        }
        Ok(mail)
    };
    mail.now_or_never().step("mail, at once")?
}

async fn octets(store: &Store, message: &Message) -> Outcome<Vec<u8>> {
    let body = store.message_body(message.id).await.step("message")?;
    let size = usize::try_from(body.size()).step("size")?;
    body.read(0, size).await.step("message")
}

//! Who wrote what to whom in a simulation, and what its author was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use email2::address::Address;
use email2_client::send::{Encryption, Report, State};

use super::dice::Dice;
use super::town::OTHERS;
use super::trace::Trace;

/// Something that somebody is going to write.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its number in the simulation.
    pub number: u32,
    /// Who writes.
    pub author: Address,
    /// To whom.
    pub to: Vec<Address>,
    /// When.
    pub at: Duration,
    /// Octets of its text, about.
    pub size: u64,
    /// When to encrypt.
    pub encryption: Encryption,
    /// How long `send` tries again, before it leaves the rest to the outbox.
    pub wait: Duration,
    /// Whether it is handed to its author's own server, which carries it on.
    pub by_server: bool,
}

impl Letter {
    /// Its subject: by it, it is found again.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("letter {}", self.number)
    }

    /// Its text, which no other letter has.
    #[must_use]
    pub fn body(&self) -> String {
        let line = format!("This is letter {} by {}.\n", self.number, self.author);
        let lines = usize::try_from(self.size).unwrap_or(0) / line.len() + 1;
        line.repeat(lines)
    }
}

/// What its author was told about one recipient of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The recipient's server has it: it said 250.
    Delivered,
    /// It was not sent, for good, or it waits for the author's decision; and why.
    Failed(String),
    /// It is still in the outbox.
    Waiting(String),
}

/// What is known of all letters; clones are the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
    trace: Trace,
}

#[derive(Debug, Default)]
struct Book {
    letters: BTreeMap<u32, Letter>,
    begun: BTreeSet<u32>,
    /// The letter of each group of entries, by author.
    groups: BTreeMap<(Address, String), u32>,
    told: BTreeMap<(u32, Address), Told>,
    at_rest: BTreeSet<Address>,
}

impl Ledger {
    /// A ledger of what is going to be written.
    #[must_use]
    pub fn new(letters: Vec<Letter>, trace: Trace) -> Ledger {
        let letters = letters.into_iter().map(|letter| (letter.number, letter));
        let book = Book {
            letters: letters.collect(),
            ..Book::default()
        };
        Ledger {
            book: Arc::new(Mutex::new(book)),
            trace,
        }
    }

    /// The first letter that `author` did not begin yet.
    #[must_use]
    pub fn next(&self, author: &Address) -> Option<Letter> {
        let book = self.lock();
        let mut letters = book.letters.values();
        let next =
            letters.find(|letter| letter.author == *author && !book.begun.contains(&letter.number));
        next.cloned()
    }

    /// Its author begins to send it.
    pub fn begin(&self, letter: &Letter) {
        self.trace.note(format_args!(
            "{} writes {}",
            letter.author,
            letter.subject()
        ));
        self.lock().begun.insert(letter.number);
    }

    /// These groups of entries are in the outbox of `author`: new ones are of the letter begun
    /// last, for letters are written one after the other.
    pub fn note_groups(&self, author: &Address, groups: impl IntoIterator<Item = String>) {
        let mut book = self.lock();
        let begun = book.begun.iter().rev();
        let last = begun.copied().find(|number| {
            let letter = book.letters.get(number);
            letter.is_some_and(|letter| letter.author == *author)
        });
        let Some(last) = last else { return };
        for group in groups {
            book.groups.entry((author.clone(), group)).or_insert(last);
        }
    }

    /// The letter that a group of entries belongs to.
    #[must_use]
    pub fn letter_of(&self, author: &Address, group: &str) -> Option<u32> {
        let key = (author.clone(), group.to_owned());
        self.lock().groups.get(&key).copied()
    }

    /// The author is told.
    pub fn tell(&self, number: u32, report: &Report) {
        let told = match report.state {
            State::Delivered => Told::Delivered,
            State::Waiting => Told::Waiting(report.words.clone()),
            State::Held | State::Refused | State::Unavailable => Told::Failed(report.words.clone()),
        };
        let to = &report.recipient;
        self.trace
            .note(format_args!("letter {number} to {to}: {told:?}"));
        let mut book = self.lock();
        let before = book.told.get(&(number, to.clone()));
        if before != Some(&Told::Delivered) {
            book.told.insert((number, to.clone()), told);
        }
    }

    /// The author is told that nothing was sent to anybody.
    pub fn tell_failure(&self, letter: &Letter, why: &str) {
        let number = letter.number;
        self.trace
            .note(format_args!("letter {number} is not sent: {why}"));
        for to in &letter.to {
            let told = Told::Failed(why.to_owned());
            self.lock().told.insert((number, to.clone()), told);
        }
    }

    /// Whether somebody's outbox has nothing to deliver any more.
    pub fn note_rest(&self, author: &Address, at_rest: bool) {
        let mut book = self.lock();
        if at_rest {
            book.at_rest.insert(author.clone());
        } else {
            book.at_rest.remove(author);
        }
    }

    /// Whether everything was written and nobody's outbox has anything to deliver.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let book = self.lock();
        let authors: BTreeSet<_> = book.letters.values().map(|letter| &letter.author).collect();
        book.begun.len() == book.letters.len()
            && authors.iter().all(|author| book.at_rest.contains(*author))
    }

    /// All letters that were begun.
    #[must_use]
    pub fn begun(&self) -> Vec<Letter> {
        let book = self.lock();
        let letters = book
            .begun
            .iter()
            .filter_map(|number| book.letters.get(number));
        letters.cloned().collect()
    }

    /// What the author of a letter was told about a recipient; nothing, when the author's
    /// machine went down before.
    #[must_use]
    pub fn told(&self, number: u32, to: &Address) -> Option<Told> {
        self.lock().told.get(&(number, to.clone())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In weather that is bad for longer, servers give up letters and report that.
const SERVERS_PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// What the people of a simulation write, until `end`.
#[must_use]
pub fn letters(dice: &mut Dice, people: &[Address], end: Duration) -> Vec<Letter> {
    let count = dice.between(3, 8);
    let patient = end <= SERVERS_PATIENCE;
    let mut moments: Vec<u64> = (0..count).map(|_| dice.below(end.as_secs())).collect();
    moments.sort_unstable();
    let moments = moments.into_iter().zip(1..);
    moments
        .filter_map(|(second, number)| {
            let mut letter = letter(dice, people, second, number)?;
            letter.by_server &= patient;
            if dice.percent(35) && patient {
                letter.to = vec![other(dice)?];
                letter.encryption = Encryption::Default;
            }
            Some(letter)
        })
        .collect()
}

fn letter(dice: &mut Dice, people: &[Address], second: u64, number: u32) -> Option<Letter> {
    let author = pick(dice, people)?;
    let mut to: Vec<Address> = (0..dice.between(1, 2))
        .filter_map(|_| pick(dice, people))
        .collect();
    to.sort();
    to.dedup();
    Some(Letter {
        number,
        author,
        to,
        at: Duration::from_secs(second),
        size: dice.spread(40_000),
        encryption: match dice.below(4) {
            0 => Encryption::Refuse,
            1 => Encryption::Demand,
            _ => Encryption::Default,
        },
        wait: Duration::from_secs(dice.spread(60)),
        by_server: dice.percent(25),
    })
}

/// Somebody who passes it on, or reads ordinary mail: nobody with a key.
fn other(dice: &mut Dice) -> Option<Address> {
    let place = usize::try_from(dice.below(OTHERS.len() as u64)).ok()?;
    Address::parse(OTHERS.get(place)?).ok()
}

fn pick(dice: &mut Dice, people: &[Address]) -> Option<Address> {
    let place = usize::try_from(dice.below(people.len() as u64)).ok()?;
    people.get(place).cloned()
}

//! Messages, made once, and what became of each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard};

use email2::Address;
use email2::seal::ContentDigest;
use email2_testbed::device::Device;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::forger::session::{Letter, Reply};
use email2_testbed::forger::{Claim, announcement, seal_over};
use email2_testbed::testbed::Testbed;

/// Every so many letters one is too large to stand in a row of the database.
const LARGE_EVERY: usize = 10;
/// Its octets.
const LARGE: usize = 60_000;

/// What they say, again and again.
const TEXT: &str = "All is well.\r\n";

pub(crate) struct Letters {
    testbed: Arc<Testbed>,
    /// Stands in their Message-ID.
    name: &'static str,
    pen: Pen,
    to: Address,
    book: Mutex<Book>,
}

/// What they are written with.
pub(crate) enum Pen {
    /// A device that seals.
    Device(Arc<Device>),
    /// Somebody's ordinary program: their server seals.
    Program(Address),
}

impl Pen {
    fn address(&self) -> &Address {
        match self {
            Pen::Device(device) => &device.address,
            Pen::Program(address) => address,
        }
    }
}

#[derive(Default)]
struct Book {
    letters: Vec<Letter>,
    waiting: VecDeque<usize>,
    acknowledged: BTreeSet<usize>,
    refusals: Vec<String>,
}

/// What was acknowledged, and what is there.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
    }
}

impl Letters {
    pub(crate) fn new(
        testbed: &Arc<Testbed>,
        name: &'static str,
        pen: Pen,
        to: &Address,
    ) -> Letters {
        Letters {
            testbed: Arc::clone(testbed),
            name,
            pen,
            to: to.clone(),
            book: Mutex::default(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Writes letters until so many wait.
    pub(crate) fn top_up(&self, waiting: usize) -> Outcome<()> {
        while self.book().waiting.len() < waiting {
            let number = self.book().letters.len();
            let letter = self.write(number)?;
            let mut book = self.book();
            book.letters.push(letter);
            book.waiting.push_back(number);
        }
        Ok(())
    }

    fn write(&self, number: usize) -> Outcome<Letter> {
        let from = self.pen.address().to_string();
        let length = if number.is_multiple_of(LARGE_EVERY) {
            LARGE
        } else {
            1000
        };
        let content = format!(
            "From: {from}\r\nTo: {}\r\nSubject: {number}\r\n\
             Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@{}.example>\r\n\r\n{}\r\n",
            self.to,
            self.name,
            TEXT.repeat(length / TEXT.len())
        );
        let Pen::Device(device) = &self.pen else {
            return Ok(Letter {
                announced: None,
                recipients: vec![self.to.to_string()],
                content: content.into_bytes(),
                from,
            });
        };
        let digest = ContentDigest::of(content.as_bytes()).step("digest")?;
        let claim = Claim::now(&device.address, &from, &device.secret);
        let seal = seal_over(&self.testbed.world, &self.to, &claim, digest)?;
        Ok(Letter {
            announced: Some(announcement(&seal.signer)),
            recipients: vec![self.to.to_string()],
            content: format!("{}{content}", seal.field()).into_bytes(),
            from,
        })
    }

    pub(crate) fn letter(&self, number: usize) -> Letter {
        self.book().letters[number].clone()
    }

    /// The next that waits.
    pub(crate) fn next(&self) -> Option<usize> {
        self.book().waiting.pop_front()
    }

    fn take(&self, wanted: impl Fn(&usize) -> bool) -> usize {
        let mut book = self.book();
        let place = book.waiting.iter().position(wanted).unwrap();
        book.waiting.remove(place).unwrap()
    }

    /// One that stands in its row.
    pub(crate) fn small(&self) -> usize {
        self.take(|number| !number.is_multiple_of(LARGE_EVERY))
    }

    /// One that needs a file.
    pub(crate) fn large(&self) -> usize {
        self.take(|number| number.is_multiple_of(LARGE_EVERY))
    }

    /// It is delivered again, the same octets; what is not sealed could come twice then, and is
    /// left to its fate.
    pub(crate) fn again(&self, number: usize) {
        if matches!(self.pen, Pen::Device(_)) {
            self.book().waiting.push_front(number);
        }
    }

    pub(crate) fn answered(&self, number: usize, reply: &Reply) {
        match reply.code {
            250 => drop(self.book().acknowledged.insert(number)),
            _ => self.book().refusals.push(reply.to_string()),
        }
    }

    fn is_whole(&self, octets: &[u8], letter: &Letter) -> bool {
        let lines = |octets: &[u8]| {
            let lines = octets.split(|octet| *octet == b'\n');
            lines
                .filter(|line| line.starts_with(b"All is well."))
                .count()
        };
        match self.pen {
            Pen::Device(_) => octets.ends_with(&letter.content),
            Pen::Program(_) => lines(octets) == lines(&letter.content),
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.book().acknowledged.len()
    }

    /// Every answer that was not 250.
    pub(crate) fn refusals(&self) -> Vec<String> {
        self.book().refusals.clone()
    }

    /// Compares what is kept with what was written, octet for octet where it was sealed.
    pub(crate) fn tally(&self, kept: &[Vec<u8>]) -> Outcome<Tally> {
        let book = self.book();
        let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
        for octets in kept {
            let Some(number) = number(octets, self.name)? else {
                continue;
            };
            if !self.is_whole(octets, &book.letters[number]) {
                return Err(Failure {
                    step: format!("letter {number}"),
                    why: "other octets are kept than were delivered".to_owned(),
                });
            }
            *copies.entry(number).or_default() += 1;
        }
        let acknowledged = book.acknowledged.iter();
        Ok(Tally {
            acknowledged: book.acknowledged.len(),
            lost: acknowledged
                .filter(|number| !copies.contains_key(number))
                .count(),
            duplicated: copies.values().filter(|copies| **copies > 1).count(),
        })
    }
}

/// The number in a Message-ID, if it is one of these letters.
fn number(octets: &[u8], name: &str) -> Outcome<Option<usize>> {
    let text = String::from_utf8_lossy(octets);
    let after = text.split("Message-ID: <").nth(1).step("Message-ID")?;
    let (number, rest) = after.split_once('@').step("Message-ID")?;
    match rest.starts_with(&format!("{name}.example>")) {
        true => Ok(Some(number.parse().step("Message-ID")?)),
        false => Ok(None),
    }
}

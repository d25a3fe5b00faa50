//! What goes wrong, and until when: drawn from the seed before anything happens, then throw by
//! throw for each connection and each question to DNS.

use std::net::IpAddr;
use std::time::Duration;

use super::dice::Dice;

/// How far into a dialogue a connection may be hit, octets in one direction: more than a
/// handshake, a question for a key and a message take.
const REACH: u64 = 24 * 1024;

/// The answers of a dialogue that a hit is drawn from.
const ANSWERS: u64 = 12;
/// How far into an answer a connection may be hit, octets.
const ANSWER: u64 = 96;

/// How often things go wrong while the weather is bad, of a hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Until when it is bad; after that, nothing fails any more.
    pub bad_until: Duration,
    /// Connections that are hit.
    pub hits: u64,
    /// Of those, the ones that take their server down with them.
    pub crashes: u64,
    /// Questions to DNS that fail.
    pub failing_names: u64,
    /// Of those, the ones that are answered with a lie, where nothing secures the answer.
    pub lies: u64,
    /// Hosts that cannot reach each other, from when and until when.
    pub partitions: Vec<Partition>,
}

/// Two hosts that cannot reach each other for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The two.
    pub between: [IpAddr; 2],
    /// From when.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// Both sides are told; what was on its way is lost.
    Reset,
    /// Both sides are told; what was on its way still arrives.
    Cut,
    /// Nobody is told anything any more.
    Silence,
    /// The host that was connected to goes down, with all its connections.
    Crash,
}

/// What a connection meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How it is hit, if it is.
    pub hit: Option<Hit>,
    /// Whose octets are counted: 0 for the side that connected, 1 for the other.
    pub side: usize,
    /// In this answer of the other side; none: from the first octet on.
    pub answer: Option<u64>,
    /// After so many octets.
    pub after: u64,
    /// How long octets travel.
    pub latency: Duration,
    /// So many octets are taken at once.
    pub piece: usize,
}

/// What a question to DNS meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFate {
    /// The truth.
    Truth,
    /// No answer.
    Timeout,
    /// SERVFAIL.
    ServFail,
    /// An answer that fails validation.
    Bogus,
    /// Something else than the truth, where nothing secures the answer.
    Lie,
}

impl Weather {
    /// The weather of a seed: from calm to very bad.
    #[must_use]
    pub fn draw(dice: &mut Dice, bad_until: Duration, hosts: &[IpAddr]) -> Weather {
        let partitions = (0..dice.below(3)).filter_map(|_| partition(dice, bad_until, hosts));
        Weather {
            partitions: partitions.collect(),
            bad_until,
            hits: dice.between(10, 80),
            crashes: dice.below(12),
            failing_names: dice.below(25),
            lies: dice.below(50),
        }
    }

    /// What a connection meets that is made now.
    pub fn fate(&self, dice: &mut Dice, now: Duration) -> Fate {
        let bad = now < self.bad_until;
        let hit = (bad && dice.percent(self.hits)).then(|| self.hit(dice));
        // Wherever octets are counted from, an answer is a small part of a dialogue; and it is
        // the one that matters.
        let answer = dice.percent(60).then(|| dice.between(1, ANSWERS));
        let slow = bad && dice.percent(10);
        Fate {
            hit,
            side: usize::from(answer.is_some() || dice.percent(50)),
            answer,
            after: if answer.is_some() {
                dice.below(ANSWER)
            } else if dice.percent(50) {
                dice.below(REACH)
            } else {
                dice.spread(REACH)
            },
            latency: Duration::from_millis(if slow {
                dice.spread(20_000)
            } else {
                dice.between(1, 40)
            }),
            piece: if bad && dice.percent(15) {
                usize::try_from(1 + dice.spread(2048)).unwrap_or(1)
            } else {
                16 * 1024
            },
        }
    }

    fn hit(&self, dice: &mut Dice) -> Hit {
        if dice.percent(self.crashes) {
            return Hit::Crash;
        }
        match dice.below(3) {
            0 => Hit::Reset,
            1 => Hit::Cut,
            _ => Hit::Silence,
        }
    }

    /// What a question to DNS meets that is asked now.
    pub fn name_fate(&self, dice: &mut Dice, now: Duration) -> NameFate {
        if now >= self.bad_until || !dice.percent(self.failing_names) {
            return NameFate::Truth;
        }
        if dice.percent(self.lies) {
            return NameFate::Lie;
        }
        match dice.below(3) {
            0 => NameFate::Timeout,
            1 => NameFate::ServFail,
            _ => NameFate::Bogus,
        }
    }

    /// When what is sent now between these two gets through: now, or when they are together
    /// again.
    #[must_use]
    pub fn passes(&self, ends: [IpAddr; 2], now: Duration) -> Duration {
        let [one, other] = ends;
        let apart = |partition: &&Partition| {
            let [left, right] = partition.between;
            let same = (left, right) == (one, other) || (left, right) == (other, one);
            same && partition.from <= now && now < partition.until
        };
        let apart = self.partitions.iter().filter(apart);
        apart.map(|apart| apart.until).max().unwrap_or(now)
    }
}

fn partition(dice: &mut Dice, bad_until: Duration, hosts: &[IpAddr]) -> Option<Partition> {
    let count = hosts.len() as u64;
    let first = dice.below(count);
    let second = (first + 1 + dice.below(count.saturating_sub(1))) % count.max(1);
    let host = |number: u64| hosts.get(usize::try_from(number).ok()?).copied();
    let from = Duration::from_secs(dice.below(bad_until.as_secs()));
    Some(Partition {
        between: [host(first)?, host(second)?],
        from,
        until: (from + Duration::from_secs(1 + dice.spread(bad_until.as_secs()))).min(bad_until),
    })
}

//! What a network may ask about addresses here (spec §3.4.6): so many questions of writers for
//! keys, so many addresses that are not there. It slows who collects addresses, judges nobody,
//! and forgets within a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2::address::Domain;
use email2::limits;
use email2::rejection::Rejection;
use email2_io::Clock;
use email2_io::limit::SourcePrefix;

/// Networks remembered at once; beyond, those whose minute is over are forgotten, and all when
/// there are none.
const REMEMBERED: usize = 16_384;
/// Seconds after which a count begins anew.
const MINUTE: u64 = 60;

type Asker = (SourcePrefix, Domain);

/// What networks asked: each an IPv4 address or an IPv6 /48, and one of our domains.
#[derive(Debug)]
pub(crate) struct Harvest {
    clock: Arc<dyn Clock>,
    counts: Mutex<HashMap<Asker, Counts>>,
}

/// What one network asked within a minute.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    began: u64,
    questions: usize,
    unknown: usize,
}

impl Harvest {
    /// Nothing was asked yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Harvest {
            clock,
            counts: Mutex::default(),
        }
    }

    /// A writer asks for a key.
    ///
    /// # Errors
    /// Too many questions, or too many addresses that are not there.
    pub(crate) fn ask(&self, source: IpAddr, domain: &Domain) -> Result<(), Rejection> {
        let now = self.now();
        let mut all = self.lock();
        let counts = counts_of(&mut all, source, domain, now);
        if counts.questions >= limits::WRITERS_KEYS_MINUTE || counts.is_collecting() {
            return Err(Rejection::KeyThrottled);
        }
        counts.questions += 1;
        Ok(())
    }

    /// A stranger names a recipient.
    ///
    /// # Errors
    /// Too many addresses that are not there.
    pub(crate) fn name(&self, source: IpAddr, domain: &Domain) -> Result<(), Rejection> {
        let now = self.now();
        let all = self.lock();
        let counts = all.get(&asker(source, domain));
        if counts.is_some_and(|counts| counts.at(now).is_collecting()) {
            return Err(Rejection::TooManyUnknown);
        }
        Ok(())
    }

    /// The address that was asked for, or named, is not there.
    pub(crate) fn missed(&self, source: IpAddr, domain: &Domain) {
        let now = self.now();
        let mut all = self.lock();
        counts_of(&mut all, source, domain, now).unknown += 1;
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asker, Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// As it is at that time: empty when its minute is over.
    fn at(self, now: u64) -> Counts {
        if now.saturating_sub(self.began) < MINUTE {
            return self;
        }
        Counts {
            began: now,
            ..Counts::default()
        }
    }

    fn is_collecting(self) -> bool {
        self.unknown >= limits::UNKNOWN_MINUTE
    }
}

fn asker(source: IpAddr, domain: &Domain) -> Asker {
    (SourcePrefix::wide(source), domain.clone())
}

fn counts_of<'a>(
    all: &'a mut HashMap<Asker, Counts>,
    source: IpAddr,
    domain: &Domain,
    now: u64,
) -> &'a mut Counts {
    if all.len() >= REMEMBERED {
        all.retain(|_, counts| now.saturating_sub(counts.began) < MINUTE);
    }
    if all.len() >= REMEMBERED {
        all.clear();
    }
    let counts = all.entry(asker(source, domain)).or_default();
    *counts = counts.at(now);
    counts
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    fn source(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_network_that_tries_unknown_addresses_waits_and_no_other_does() {
        let harvest = Harvest::new(Arc::new(SystemClock::new()));
        let domain = Domain::parse("example.com").unwrap();
        for _ in 0..limits::UNKNOWN_MINUTE {
            assert_eq!(harvest.name(source(1), &domain), Ok(()));
            harvest.missed(source(1), &domain);
        }
        let waits = harvest.name(source(1), &domain);
        assert_eq!(waits, Err(Rejection::TooManyUnknown));
        let waits = harvest.ask(source(1), &domain);
        assert_eq!(waits, Err(Rejection::KeyThrottled));
        assert_eq!(harvest.name(source(2), &domain), Ok(()));
        let other = Domain::parse("example.org").unwrap();
        assert_eq!(harvest.ask(source(1), &other), Ok(()));
    }

    #[test]
    fn a_writer_asks_so_often_a_minute() {
        let harvest = Harvest::new(Arc::new(SystemClock::new()));
        let domain = Domain::parse("example.com").unwrap();
        for _ in 0..limits::WRITERS_KEYS_MINUTE {
            assert_eq!(harvest.ask(source(1), &domain), Ok(()));
        }
        let waits = harvest.ask(source(1), &domain);
        assert_eq!(waits, Err(Rejection::KeyThrottled));
        assert_eq!(harvest.name(source(1), &domain), Ok(()));
    }

    #[test]
    fn a_minute_later_it_is_forgotten() {
        let full = Counts {
            began: 10,
            questions: limits::WRITERS_KEYS_MINUTE,
            unknown: limits::UNKNOWN_MINUTE,
        };
        assert!(full.at(69).is_collecting());
        assert!(!full.at(70).is_collecting());
        assert_eq!(full.at(70).questions, 0);
    }
}

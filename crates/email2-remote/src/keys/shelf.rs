//! How much of what others say is written to the store: somebody with domains of their own can let
//! them say any number of things, and must not fill our disk with that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::{Domain, limits};
use email2_io::Clock;
use email2_io::limit::SourcePrefix;

const DAY: Duration = Duration::from_secs(86_400);

const MIB: usize = 1024 * 1024;

/// Octets written a day.
#[derive(Clone, Copy, Debug)]
struct Most {
    of_domain: usize,
    of_source: usize,
    in_all: usize,
}

/// Answers to KEY, which are forgotten after a month.
const KEYS: Most = Most {
    of_domain: 16 * MIB,
    of_source: 256 * MIB,
    in_all: 256 * MIB,
};

/// What strangers cause domains to say of themselves, and their policies: that is kept for as
/// long as the domain says, up to a year.
const WORDS: Most = Most {
    of_domain: MIB,
    of_source: 32 * MIB / limits::BUDGET_SHARE,
    in_all: 32 * MIB,
};

/// What a row takes besides what was said, octets.
const ROW: usize = 512;

#[derive(Debug, Default)]
struct Day {
    began: Duration,
    written: usize,
    domains: HashMap<Domain, usize>,
    sources: HashMap<SourcePrefix, usize>,
}

/// The day's budget of writing.
#[derive(Debug)]
pub(crate) struct Shelf {
    clock: Arc<dyn Clock>,
    most: Most,
    day: Mutex<Day>,
}

impl Shelf {
    /// For answers to KEY.
    pub(crate) fn of_keys(clock: Arc<dyn Clock>) -> Self {
        Shelf::of(clock, KEYS)
    }

    /// For what domains say of themselves.
    pub(crate) fn of_words(clock: Arc<dyn Clock>) -> Self {
        Shelf::of(clock, WORDS)
    }

    fn of(clock: Arc<dyn Clock>, most: Most) -> Self {
        Shelf {
            clock,
            most,
            day: Mutex::default(),
        }
    }

    /// Whether there is room for an answer of `octets` by `domain`; if so, it is taken.
    pub(super) fn has_room(&self, domain: &Domain, octets: usize) -> bool {
        self.takes(domain, None, octets)
    }

    /// The same for what `source` causes; for what no stranger causes there always is.
    pub(crate) fn admits(
        &self,
        domain: &Domain,
        source: Option<SourcePrefix>,
        octets: usize,
    ) -> bool {
        source.is_none() || self.takes(domain, source, octets)
    }

    fn takes(&self, domain: &Domain, source: Option<SourcePrefix>, octets: usize) -> bool {
        let now = self.clock.monotonic();
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(day.began) >= DAY {
            *day = Day {
                began: now,
                ..Day::default()
            };
        }
        day.takes(&self.most, domain, source, octets.saturating_add(ROW))
    }
}

impl Day {
    fn takes(
        &mut self,
        most: &Most,
        domain: &Domain,
        source: Option<SourcePrefix>,
        octets: usize,
    ) -> bool {
        let of_domain = self.domains.get(domain).copied().unwrap_or(0) + octets;
        let of_source = source.map(|source| {
            let before = self.sources.get(&source).copied().unwrap_or(0);
            (source, before + octets)
        });
        let fits = of_domain <= most.of_domain
            && of_source.is_none_or(|(_, sum)| sum <= most.of_source)
            && self.written + octets <= most.in_all;
        if fits {
            self.written += octets;
            self.domains.insert(domain.clone(), of_domain);
            self.sources.extend(of_source);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }

    fn domain(number: usize) -> Domain {
        Domain::parse(&format!("d{number}.example")).unwrap()
    }

    fn source(last: u8) -> Option<SourcePrefix> {
        Some(SourcePrefix::wide([192, 0, 2, last].into()))
    }

    #[test]
    fn one_domain_does_not_fill_the_disk() {
        let shelf = Shelf::of_keys(clock());
        let flooding = Domain::parse("flood.example").unwrap();
        let taken = (0..2000).filter(|_| shelf.has_room(&flooding, 32 * 1024));
        let taken = taken.count();
        assert!((500..520).contains(&taken), "{taken}");
        assert!(shelf.has_room(&Domain::parse("example.org").unwrap(), 1000));
    }

    #[test]
    fn one_network_with_many_domains_leaves_room_for_others() {
        let shelf = Shelf::of_words(clock());
        let mut numbers = 0..usize::MAX;
        let most = numbers.find(|number| !shelf.admits(&domain(*number), source(1), 0));
        assert_eq!(most, Some(WORDS.of_source / ROW));
        assert!(shelf.admits(&domain(0), source(2), 0));
    }

    #[test]
    fn all_networks_together_have_a_bound_and_our_own_people_have_none() {
        let shelf = Shelf::of_words(clock());
        let octets = MIB - ROW;
        let taken = (0..100).filter(|number| {
            let from = u8::try_from(number % 50).ok();
            shelf.admits(&domain(*number), from.and_then(source), octets)
        });
        assert_eq!(taken.count(), 32);
        assert!(!shelf.admits(&domain(200), source(100), octets));
        assert!(shelf.admits(&domain(200), None, octets));
    }
}

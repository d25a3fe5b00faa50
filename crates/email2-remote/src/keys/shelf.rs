//! How much of what others answer is written to the store: somebody with a domain of their own
//! can let it answer for any number of addresses, and must not fill our disk with that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::Domain;
use email2_io::Clock;

const DAY: Duration = Duration::from_secs(86_400);

/// Octets written a day for one domain.
const OF_DOMAIN: usize = 16 * 1024 * 1024;

/// Octets written a day in all.
const IN_ALL: usize = 256 * 1024 * 1024;

/// What a row takes besides the certificate, octets.
const ROW: usize = 512;

#[derive(Debug, Default)]
struct Day {
    began: Duration,
    written: usize,
    domains: HashMap<Domain, usize>,
}

/// The day's budget of writing.
#[derive(Debug)]
pub(crate) struct Shelf {
    clock: Arc<dyn Clock>,
    day: Mutex<Day>,
}

impl Shelf {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Shelf {
            clock,
            day: Mutex::default(),
        }
    }

    /// Whether there is room for an answer of `octets` by `domain`; if so, it is taken.
    pub(super) fn has_room(&self, domain: &Domain, octets: usize) -> bool {
        let now = self.clock.monotonic();
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(day.began) >= DAY {
            *day = Day {
                began: now,
                ..Day::default()
            };
        }
        let octets = octets.saturating_add(ROW);
        let of_domain = day.domains.get(domain).copied().unwrap_or(0);
        let fits = of_domain + octets <= OF_DOMAIN && day.written + octets <= IN_ALL;
        if fits {
            day.written += octets;
            day.domains.insert(domain.clone(), of_domain + octets);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    #[test]
    fn one_domain_does_not_fill_the_disk() {
        let shelf = Shelf::new(Arc::new(SystemClock::new()));
        let flooding = Domain::parse("flood.example").unwrap();
        let taken = (0..2000).filter(|_| shelf.has_room(&flooding, 32 * 1024));
        let taken = taken.count();
        assert!((500..520).contains(&taken), "{taken}");
        assert!(shelf.has_room(&Domain::parse("example.org").unwrap(), 1000));
    }
}

//! What was found a while ago, with a bound on how much of it is remembered.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries kept unless it is said otherwise.
const ENTRIES: usize = 4096;

/// Findings by question, each until its time.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    kept: Mutex<HashMap<K, (u64, V)>>,
    /// When there are more, the dead ones go, and if that is not enough, all.
    most: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent::of(ENTRIES)
    }
}

impl<K, V> Recent<K, V> {
    /// At most `most` entries.
    pub(crate) fn of(most: usize) -> Self {
        Recent {
            kept: Mutex::default(),
            most,
        }
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// What is kept and still counts at `now`, Unix seconds.
    pub(crate) fn get(&self, question: &K, now: u64) -> Option<V> {
        let kept = self.lock();
        let (until, found) = kept.get(question)?;
        (now < *until).then(|| found.clone())
    }

    /// Keeps `found` from `now` for `seconds`.
    pub(crate) fn put(&self, question: K, found: V, now: u64, seconds: u64) {
        let mut kept = self.lock();
        if kept.len() >= self.most {
            kept.retain(|_, (until, _)| now < *until);
        }
        if kept.len() >= self.most {
            kept.clear();
        }
        kept.insert(question, (now.saturating_add(seconds), found));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (u64, V)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_and_the_rest_is_bounded() {
        let recent = Recent::default();
        recent.put(0, "old", 100, 10);
        assert_eq!(recent.get(&0, 109), Some("old"));
        assert_eq!(recent.get(&0, 110), None);
        for number in 1..=ENTRIES + 1 {
            recent.put(number, "new", 200, 10);
        }
        assert!(recent.lock().len() <= ENTRIES);
        assert_eq!(recent.get(&(ENTRIES + 1), 200), Some("new"));
    }
}

//! Answers in memory, with a bound: the verified certificate, not its octets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use email2::Identity;

use super::{Kept, Question};

/// Octets of certificates in each of the two generations; parsed they take a few times that.
const GENERATION: usize = 8 * 1024 * 1024;

/// What an answer weighs besides its certificate, octets.
const ENTRY: usize = 512;

#[derive(Debug, Default)]
struct Generation {
    answers: HashMap<Question, Arc<Kept>>,
    /// Of whom something is kept that verifies until then, Unix seconds.
    verifying: HashMap<Identity, u64>,
    weight: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

/// The newest answers. When a generation is full, what was not used since the last one was goes.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    generations: Mutex<Generations>,
}

impl KeyCache {
    pub(super) fn get(&self, question: &Question) -> Option<Arc<Kept>> {
        let mut generations = self.lock();
        if let Some(kept) = generations.young.answers.get(question) {
            return Some(Arc::clone(kept));
        }
        let kept = generations.old.answers.remove(question)?;
        generations.insert(question.clone(), Arc::clone(&kept));
        Some(kept)
    }

    pub(super) fn put(&self, question: Question, kept: Arc<Kept>) {
        let mut generations = self.lock();
        generations.old.answers.remove(&question);
        generations.insert(question, kept);
    }

    /// Whether some key of `identity` is kept that verifies at `now` without asking.
    pub(super) fn verifies(&self, identity: &Identity, now: u64) -> bool {
        let generations = self.lock();
        [&generations.young, &generations.old]
            .iter()
            .any(|generation| generation.verifying.get(identity).is_some_and(|&t| now < t))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, question: Question, kept: Arc<Kept>) {
        if self.young.weight >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        if question.asked.is_some()
            && let Some(until) = kept.verifies_until()
        {
            let identity = question.identity.clone();
            self.young.verifying.insert(identity, until);
        }
        self.young.weight += ENTRY + kept.octets();
        if let Some(before) = self.young.answers.insert(question, kept) {
            self.young.weight -= ENTRY + before.octets();
        }
    }
}

#[cfg(test)]
mod tests {
    use email2::{Domain, Identity};

    use super::*;

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = KeyCache::default();
        let question = |number: usize| Question {
            identity: Identity::Service(Domain::parse(&format!("d{number}.example")).unwrap()),
            asked: None,
        };
        let kept = Arc::new(Kept {
            found: None,
            assurance: None,
            fetched: 0,
            ttl: 0,
        });
        let most = GENERATION / ENTRY;
        for number in 0..3 * most {
            cache.put(question(number), Arc::clone(&kept));
            assert!(cache.get(&question(0)).is_some(), "{number}");
        }
        assert!(cache.get(&question(1)).is_none());
        let generations = cache.lock();
        let held = generations.young.answers.len() + generations.old.answers.len();
        assert!(held <= 2 * most, "{held}");
    }
}

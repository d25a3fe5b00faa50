//! Answers in memory, with a bound: the verified certificate, not its octets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Kept, Question};

/// Answers in each of the two generations.
const GENERATION: usize = 4096;

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Question, Arc<Kept>>,
    old: HashMap<Question, Arc<Kept>>,
}

/// The newest answers. When a generation is full, what was not used since the last one was goes.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    generations: Mutex<Generations>,
}

impl KeyCache {
    pub(super) fn get(&self, question: &Question) -> Option<Arc<Kept>> {
        let mut generations = self.lock();
        if let Some(kept) = generations.young.get(question) {
            return Some(Arc::clone(kept));
        }
        let kept = generations.old.remove(question)?;
        generations.insert(question.clone(), Arc::clone(&kept));
        Some(kept)
    }

    pub(super) fn put(&self, question: Question, kept: Arc<Kept>) {
        let mut generations = self.lock();
        generations.old.remove(&question);
        generations.insert(question, kept);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, question: Question, kept: Arc<Kept>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(question, kept);
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
        for number in 0..3 * GENERATION {
            cache.put(question(number), Arc::clone(&kept));
            assert!(cache.get(&question(0)).is_some(), "{number}");
        }
        assert!(cache.get(&question(1)).is_none());
        let generations = cache.lock();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}

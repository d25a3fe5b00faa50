//! Dialogues kept open for the next question: one a domain (spec §8.1).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use email2::Domain;

use crate::connect::Session;
use crate::remote::Remote;

/// A dialogue is used again within this time.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Dialogues kept.
const IDLE_SESSIONS: usize = 64;

/// Dialogues that wait for the next question.
#[derive(Debug, Default)]
pub(crate) struct IdleSessions {
    sessions: Mutex<HashMap<Domain, Session>>,
}

impl IdleSessions {
    fn take(&self, domain: &Domain) -> Option<Session> {
        self.lock().remove(domain)
    }

    /// Keeps `session`; returns one that must go.
    fn put(&self, domain: &Domain, session: Session) -> Option<Session> {
        let mut sessions = self.lock();
        if sessions.len() >= IDLE_SESSIONS && !sessions.contains_key(domain) {
            return Some(session);
        }
        sessions.insert(domain.clone(), session)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Domain, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// A dialogue with a host of `domain` that was used a moment ago.
    pub(super) fn idle(&self, domain: &Domain) -> Option<Session> {
        let session = self.inner.idle.take(domain)?;
        let now = self.world().clock.monotonic();
        if now.saturating_sub(session.used()) < IDLE_LIMIT {
            return Some(session);
        }
        self.part(session);
        None
    }

    /// Keeps `session` for the next question to `domain`.
    pub(super) fn rest(&self, domain: &Domain, session: Session) {
        if let Some(surplus) = self.inner.idle.put(domain, session) {
            self.part(surplus);
        }
    }
}

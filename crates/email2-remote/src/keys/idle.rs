//! Dialogues kept open for the next question: one a domain (spec §8.1).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::Domain;
use email2_io::clock::within;
use futures::FutureExt;

use super::ask::{HOST_LIMIT, LOOKUP_LIMIT};
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

    fn holds(&self, domain: &Domain) -> bool {
        self.lock().contains_key(domain)
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

    /// A question to `domain` is to be expected, for a valid recipient is known (spec §2.7.1): a
    /// dialogue is opened meanwhile, within the budgets. Returns at once.
    pub fn expect(&self, domain: &Domain) {
        let opening = self.inner.openings.join(domain, || {
            let (remote, domain) = (self.clone(), domain.clone());
            async move { remote.open_ahead(&domain).await }.boxed()
        });
        tokio::spawn(opening);
    }

    async fn open_ahead(&self, domain: &Domain) {
        if self.inner.idle.holds(domain) {
            return;
        }
        let known = self.is_remembered(domain).await;
        let Ok(_charge) = self.inner.budget.charge(domain, None, known) else {
            return;
        };
        let clock = Arc::clone(&self.world().clock);
        let searching = self.search(domain, HOST_LIMIT);
        let searched = within(&*clock, LOOKUP_LIMIT, searching).await;
        // Whatever fails here fails again, and is told, when the question comes.
        if let Ok(Ok(search)) = searched
            && let Some(mut session) = search.session
        {
            session.touch(&*clock);
            if session.assurance().is_some() {
                self.rest(domain, session);
            } else {
                self.part(session);
            }
        }
    }

    /// Keeps `session` for the next question to `domain`.
    pub(super) fn rest(&self, domain: &Domain, session: Session) {
        if let Some(surplus) = self.inner.idle.put(domain, session) {
            self.part(surplus);
        }
    }
}

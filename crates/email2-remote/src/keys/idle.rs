//! Dialogues kept open for the next question, one a domain (spec §8.1), and opened ahead of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::{Domain, Identity};
use email2_io::clock::within;
use email2_io::limit::SourcePrefix;
use futures::FutureExt;

use super::ask::{HOST_LIMIT, LOOKUP_LIMIT};
use crate::connect::Session;
use crate::remote::Remote;

/// A dialogue is used again within this time.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Dialogues kept.
const IDLE_SESSIONS: usize = 64;

/// Dialogues kept with one host: it may answer for thousands of domains, each of which needs a
/// dialogue of its own, and allows a source no more than 30 (spec §8.1).
const IDLE_AT_HOST: usize = 8;

/// Dialogues that wait for the next question.
#[derive(Debug, Default)]
pub(crate) struct IdleSessions {
    sessions: Mutex<HashMap<Domain, Session>>,
}

impl IdleSessions {
    /// The dialogue kept for `domain`, if it may still be used at `now`.
    fn take(&self, domain: &Domain, now: Duration) -> Option<Session> {
        self.lock()
            .remove(domain)
            .filter(|session| is_usable(session, now))
    }

    /// Keeps `session`, and gives back those that must go.
    fn put(&self, domain: &Domain, session: Session, now: Duration) -> Vec<Session> {
        let mut sessions = self.lock();
        let mut gone: Vec<Session> = sessions
            .extract_if(|_, kept| !is_usable(kept, now))
            .map(|(_, kept)| kept)
            .collect();
        if sessions.len() >= IDLE_SESSIONS && !sessions.contains_key(domain) {
            gone.push(session);
            return gone;
        }
        let host = session.host().name.clone();
        gone.extend(sessions.insert(domain.clone(), session));
        gone.extend(one_too_many(&mut sessions, &host));
        gone
    }

    fn holds(&self, domain: &Domain, now: Duration) -> bool {
        let sessions = self.lock();
        sessions
            .get(domain)
            .is_some_and(|session| is_usable(session, now))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Domain, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dialogue with `host` that was used the longest ago, if there are too many with it.
fn one_too_many(sessions: &mut HashMap<Domain, Session>, host: &str) -> Option<Session> {
    let at_host = |kept: &&Session| kept.host().name == host;
    if sessions.values().filter(at_host).count() <= IDLE_AT_HOST {
        return None;
    }
    let of_host = sessions.iter().filter(|(_, kept)| at_host(kept));
    let oldest = of_host.min_by_key(|(_, kept)| kept.used())?.0.clone();
    sessions.remove(&oldest)
}

fn is_usable(session: &Session, now: Duration) -> bool {
    now.saturating_sub(session.used()) < IDLE_LIMIT && session.is_young(now)
}

impl Remote {
    /// A question about `signer` is to be expected, for `source` named a valid recipient
    /// (spec §2.7.1): a dialogue is opened meanwhile, within the budgets, unless a key of the
    /// signer is kept. Returns at once.
    pub fn expect(&self, source: IpAddr, signer: &Identity) {
        if self.inner.cache.verifies(signer, self.now()) {
            return;
        }
        let source = SourcePrefix::wide(source);
        let opening = self.inner.openings.join(signer.domain(), || {
            let (remote, domain) = (self.clone(), signer.domain().clone());
            async move { remote.open_ahead(source, &domain).await }.boxed()
        });
        tokio::spawn(opening);
    }

    async fn open_ahead(&self, source: SourcePrefix, domain: &Domain) {
        if self.has_idle(domain) {
            return;
        }
        let clock = Arc::clone(&self.world().clock);
        let known = self.is_remembered(domain).await;
        let Ok(_charge) = self.inner.budget.charge(domain, source, known) else {
            return;
        };
        let searching = self.search(domain, HOST_LIMIT, Some(source));
        let searched = within(&*clock, LOOKUP_LIMIT, searching).await;
        // Whatever fails here fails again, and is told, when the question comes.
        if let Ok(Ok(search)) = searched
            && let Some(session) = search.session
        {
            if session.assurance().is_some() {
                self.rest(domain, session);
            } else {
                self.part(session);
            }
        }
    }

    /// Whether a dialogue with a host of `domain` is kept.
    pub(super) fn has_idle(&self, domain: &Domain) -> bool {
        let now = self.world().clock.monotonic();
        self.inner.idle.holds(domain, now)
    }

    /// A dialogue with a host of `domain` that was used a moment ago.
    pub(super) fn idle(&self, domain: &Domain) -> Option<Session> {
        let now = self.world().clock.monotonic();
        self.inner.idle.take(domain, now)
    }

    /// Keeps `session` for the next question to `domain`.
    pub(super) fn rest(&self, domain: &Domain, session: Session) {
        let now = self.world().clock.monotonic();
        for gone in self.inner.idle.put(domain, session, now) {
            self.part(gone);
        }
    }
}

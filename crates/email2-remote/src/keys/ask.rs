//! The question itself: find a host, ask it, believe it as far as it is authenticated, keep the
//! answer.

use std::sync::Arc;
use std::time::Duration;

use email2::certificate::Certificate;
use email2::key_query::KeyQuery;
use email2::known::{KnownDomain, KnownKey};
use email2::{Assurance, Domain, Identity, KeyAnswer, KeyFlags, limits};
use email2_io::aside::aside;
use email2_io::clock::within;
use email2_io::limit::SourcePrefix;
use email2_smtp::client::Failure;
use futures::FutureExt;

use super::confirm::Doubt;
use super::{Asked, Found, Kept, Question, Trouble};
use crate::connect::Session;
use crate::remote::Remote;
use crate::resolve::ResolveError;

/// The budget of one lookup (spec §2.7.3).
pub(super) const LOOKUP_LIMIT: Duration = Duration::from_secs(limits::LOOKUP_SECONDS);

/// What one host may take of it.
pub(super) const HOST_LIMIT: Duration = Duration::from_secs(4);

/// What a domain says of itself is asked again after this, seconds.
const DOMAIN_FRESH: u64 = limits::VERIFY_TTL;

/// A definite "no" is kept so long, seconds.
const NEGATIVE_TTL: u32 = limits::NEGATIVE_TTL as u32;

impl Remote {
    /// The answer kept for `question`, in memory or in the store; one that does not parse (any
    /// more) is none.
    pub(crate) async fn recall(&self, question: &Question) -> Result<Option<Arc<Kept>>, Trouble> {
        if let Some(kept) = self.inner.cache.get(question) {
            return Ok(Some(kept));
        }
        let memory = &self.inner.memory;
        let known = memory.key(&question.identity, question.asked.as_ref());
        let known = known
            .await
            .map_err(|error| Trouble::Alarm(error.to_string()))?;
        let Some(kept) = known else {
            return Ok(None);
        };
        let Ok(kept) = revive(kept).await else {
            return Ok(None);
        };
        let kept = Arc::new(kept);
        self.inner.cache.put(question.clone(), Arc::clone(&kept));
        Ok(Some(kept))
    }

    /// Asks `question`, together with all who ask it at the same time. `before` is what was kept;
    /// `source` is the stranger who caused the question, if one did.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        before: Option<Arc<Kept>>,
        source: Option<SourcePrefix>,
    ) -> Asked {
        let flight = self.inner.flights.join(question, || {
            let (remote, question) = (self.clone(), question.clone());
            async move { remote.look_up(question, before, source).await }.boxed()
        });
        flight.await
    }

    /// Within the budgets of spec §2.7.3.
    async fn look_up(
        self,
        question: Question,
        before: Option<Arc<Kept>>,
        source: Option<SourcePrefix>,
    ) -> Asked {
        let domain = question.identity.domain();
        if let Some(opening) = self.inner.openings.flying(domain) {
            opening.await;
        }
        // A domain that holds a dialogue with us has shown that it speaks.
        let known = self.is_remembered(domain).await || self.has_idle(domain);
        let charge = source.map(|source| self.inner.budget.charge(domain, source, known));
        let charge = charge.transpose();
        let charge = charge.map_err(|busy| Trouble::unreachable(known, busy.to_string()))?;
        let clock = Arc::clone(&self.world().clock);
        let asking = self.ask_hosts(&question, before, source);
        let asked = within(&*clock, LOOKUP_LIMIT, asking).await;
        let asked = asked.unwrap_or_else(|_| {
            let why = format!("no answer within {LOOKUP_LIMIT:?}");
            Err(Trouble::unreachable(known, why))
        });
        let found = asked.as_ref().is_ok_and(|kept| kept.found.is_some());
        if let Some(charge) = charge.filter(|_| !found) {
            charge.failed();
        }
        asked
    }

    async fn ask_hosts(
        &self,
        question: &Question,
        before: Option<Arc<Kept>>,
        source: Option<SourcePrefix>,
    ) -> Asked {
        let domain = question.identity.domain();
        if let Some(session) = self.idle(domain) {
            // A dialogue that was kept may have ended meanwhile: then ask anew.
            let asking = self.ask_session(session, question, before.clone(), source);
            let asked = asking.await;
            if let Ok(kept) = asked {
                return Ok(self.keep(question, kept).await);
            }
        }
        let search = match self.search(domain, HOST_LIMIT, source).await {
            Ok(search) => search,
            Err(error) => return Err(self.unresolved(domain, error).await),
        };
        let (why, all_were_asked) = (search.why(), search.failures.is_empty());
        match search.session {
            None => Err(self.unspoken(domain, why, all_were_asked).await),
            Some(session) if session.assurance().is_none() => {
                let doubt = Doubt {
                    all_were_asked,
                    undecided: search.undecided,
                };
                self.ask_stranger(session, question, doubt).await
            }
            Some(session) => {
                let asking = self.ask_session(session, question, before, source);
                Ok(self.keep(question, asking.await?).await)
            }
        }
    }

    pub(super) async fn had_assurance(&self, domain: &Domain) -> bool {
        match self.known(domain).await {
            Ok(known) => known.is_some_and(|k| k.assurance.is_some() && k.speaks(self.now())),
            Err(_) => true,
        }
    }

    /// Asks an open dialogue; what the domain says of itself comes along when it is not fresh.
    /// `source` is the stranger who caused it, if one did.
    pub(super) async fn ask_session(
        &self,
        mut session: Session,
        question: &Question,
        before: Option<Arc<Kept>>,
        source: Option<SourcePrefix>,
    ) -> Result<Kept, Trouble> {
        let domain = question.identity.domain();
        let assurance = session.assurance();
        let mut queries = vec![query(question, before.as_deref())];
        if assurance.is_some() && self.wants_word_of(domain).await {
            queries.push(word_of(domain));
        }
        let clock = Arc::clone(&self.world().clock);
        let mut answers = session.keys(&queries, &*clock).await.into_iter();
        let answer = answers.next().unwrap_or(Err(Failure::Lost));
        if let (Some(Ok(KeyAnswer::Certificate { flags, .. })), Some(assurance)) =
            (answers.next(), assurance)
        {
            self.learn(domain, &flags, assurance, source).await;
        }
        let broken = matches!(&answer, Err(failure) if !matches!(failure, Failure::Refused(_)));
        // A dialogue that nothing authenticates is not kept for the next question.
        if broken || assurance.is_none() {
            self.part(session);
        } else {
            self.rest(domain, session);
        }
        self.read(answer, assurance, before.as_deref()).await
    }

    /// What an answer says.
    pub(super) async fn read(
        &self,
        answer: Result<KeyAnswer, Failure>,
        assurance: Option<Assurance>,
        before: Option<&Kept>,
    ) -> Result<Kept, Trouble> {
        let fetched = self.now();
        let kept = |found, ttl| Kept {
            found,
            assurance,
            fetched,
            ttl,
        };
        match answer {
            // Only what was authenticated may be confirmed: else whoever answered first could have
            // the true host's "unchanged" vouch for a key of his own.
            Ok(KeyAnswer::Unchanged) => match before.filter(|before| before.is_assured()) {
                Some(before) => Ok(kept(before.found.clone(), before.ttl)),
                None => Err(Trouble::Alarm("it answers 'unchanged' unasked".to_owned())),
            },
            Ok(KeyAnswer::Certificate {
                etag,
                ttl,
                flags,
                octets,
            }) => {
                let certificate = parse(octets).await?;
                let found = Found {
                    certificate,
                    etag,
                    flags,
                };
                Ok(kept(Some(found), ttl))
            }
            Err(Failure::Refused(reply)) if reply.is_permanent() => Ok(kept(None, NEGATIVE_TTL)),
            Err(failure) => Err(Trouble::Alarm(failure.to_string())),
        }
    }

    pub(super) async fn keep(&self, question: &Question, kept: Kept) -> Arc<Kept> {
        let kept = Arc::new(kept);
        self.inner.cache.put(question.clone(), Arc::clone(&kept));
        let domain = question.identity.domain();
        // A "no" is short-lived; writing each would let strangers write.
        let lasting = kept.found.is_some() && self.inner.shelf.has_room(domain, kept.octets());
        if !lasting {
            return kept;
        }
        let known = kept.record();
        let memory = &self.inner.memory;
        let keeping = memory.keep_key(&question.identity, question.asked.as_ref(), known);
        if let Err(error) = keeping.await {
            tracing::warn!(identity = %question.identity, %error, "an answer to KEY is not kept");
        }
        kept
    }

    async fn wants_word_of(&self, domain: &Domain) -> bool {
        match self.known(domain).await {
            Ok(Some(known)) => self.now() >= known.learnt.saturating_add(DOMAIN_FRESH),
            _ => true,
        }
    }

    /// Keeps what the domain says of itself on an authenticated host (spec §2.3.7): what is known
    /// is always renewed, what is new has a bound where a stranger causes it.
    async fn learn(
        &self,
        domain: &Domain,
        flags: &KeyFlags,
        assurance: Assurance,
        source: Option<SourcePrefix>,
    ) {
        let now = self.now();
        let before = self.known(domain).await.ok().flatten();
        if before.is_none() && !self.inner.words.admits(domain, source, 0) {
            tracing::debug!(%domain, "no room to keep what a domain says of itself");
            return;
        }
        let before = before.unwrap_or_default();
        let memory = flags.ma.map(|ma| ma.min(limits::MEMORY_MAX));
        let known = KnownDomain {
            speaks_until: match memory {
                Some(0) => 0,
                Some(memory) => now.saturating_add(u64::from(memory)),
                None => before.speaks_until,
            },
            ma: memory,
            p: flags.p,
            sp: flags.sp,
            assurance: Some(assurance),
            learnt: now,
        };
        if let Err(error) = self.inner.memory.keep_domain(domain, known).await {
            tracing::warn!(%domain, %error, "what a domain says of itself is not kept");
        }
    }

    /// What a failure to find hosts means (spec §7.2).
    pub(crate) async fn unresolved(&self, domain: &Domain, error: ResolveError) -> Trouble {
        let why = error.to_string();
        match error {
            ResolveError::Dns { .. } => Trouble::Dns(why),
            _ if self.is_remembered(domain).await => {
                tracing::error!(%domain, why, "known to speak Email 2.0, and seems to be gone");
                Trouble::Alarm(why)
            }
            ResolveError::NoDomain(_) => Trouble::NoDomain,
            ResolveError::NullMx(_) => Trouble::NullMx,
        }
    }

    /// What it means that no host speaks Email 2.0: nothing definite while the domain is known
    /// to speak it, showed it a while ago, or its record says so (spec §2.3.2, §2.4.1).
    pub(crate) async fn unspoken(
        &self,
        domain: &Domain,
        why: String,
        all_were_asked: bool,
    ) -> Trouble {
        match self.domain(domain).await {
            Err(error) => Trouble::Dns(error.to_string()),
            Ok(facts) if facts.speaks(self.now()) || self.has_shown(domain) => {
                tracing::error!(%domain, why, "known to speak Email 2.0, and seems not to");
                Trouble::Alarm(match all_were_asked {
                    true => format!(
                        "{domain} speaks Email 2.0, and no host of it does now: {why}; no mail was given to it: somebody on the way may be taking it away, else the administrator of {domain} has to mend it"
                    ),
                    false => why,
                })
            }
            Ok(_) if all_were_asked => Trouble::NotSpeaking,
            Ok(_) => Trouble::Unreachable(why),
        }
    }
}

/// Reads a certificate, away from the I/O threads: the bindings of a large one take long.
async fn parse(octets: Vec<u8>) -> Result<Certificate, Trouble> {
    let parsed = aside(move || Certificate::parse(&octets))
        .await
        .map_err(|error| Trouble::Alarm(format!("reading its certificate: {error}")))?;
    parsed.map_err(|error| Trouble::Alarm(format!("its certificate: {error}")))
}

async fn revive(known: KnownKey) -> Result<Kept, Trouble> {
    let found = match known.answer {
        None => None,
        Some(answer) => Some(Found {
            certificate: parse(answer.octets).await?,
            etag: answer.etag,
            flags: answer.flags,
        }),
    };
    Ok(Kept {
        found,
        assurance: known.assurance,
        fetched: known.fetched,
        ttl: known.ttl,
    })
}

/// Names the version that is kept, so that the answer can be "unchanged".
pub(super) fn query(question: &Question, before: Option<&Kept>) -> KeyQuery {
    let before = before.filter(|before| before.is_assured());
    let found = before.and_then(|before| before.found.as_ref());
    KeyQuery {
        subject: question.identity.clone(),
        fingerprint: question.asked.clone(),
        etag: found.map(|found| found.etag.clone()),
    }
}

/// `KEY <@D>`: its flags are wanted, so no version is named.
fn word_of(domain: &Domain) -> KeyQuery {
    KeyQuery {
        subject: Identity::Service(domain.clone()),
        fingerprint: None,
        etag: None,
    }
}

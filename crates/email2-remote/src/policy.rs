//! Does an author always seal (spec §11.2): by what is remembered of the domain, by its record,
//! by its own word, and by the flag of the address.

use std::net::IpAddr;
use std::sync::Arc;

use email2::evidence::SenderPolicy;
use email2::{Address, Domain, Identity, Strictness, limits};
use email2_io::limit::SourcePrefix;

use crate::keys::{Kept, Question, Trouble};
use crate::remote::Remote;
use crate::speaks::{self, FoundRecord};

/// What is known of an author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderFacts {
    /// Whether they always seal.
    pub policy: SenderPolicy,
    /// Their domain is known to speak Email 2.0, by memory or by its own record.
    pub speaks: bool,
}

/// The lookup of the record fails, and the domain is not known to speak Email 2.0: the one
/// failure that ends by waiting (spec §11.2.5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupFails(pub String);

impl Remote {
    /// Whether `author` always seals. `source` is who caused the question: its prefix is charged
    /// for it (spec §2.7.3).
    ///
    /// # Errors
    /// [`LookupFails`].
    pub async fn sender_facts(
        &self,
        source: IpAddr,
        author: &Address,
    ) -> Result<SenderFacts, LookupFails> {
        let (domain, source) = (author.domain(), SourcePrefix::wide(source));
        if let Some(word) = self.remembered_word(domain).await? {
            return Ok(self.by_word(word, author, source).await);
        }
        let record = speaks::record(self.world(), domain).await;
        match record.map_err(|error| LookupFails(error.to_string()))? {
            None => Ok(facts(SenderPolicy::Open, false)),
            Some(record) => Ok(self.by_record(record, author, source).await),
        }
    }

    /// What the domain said of itself, on an authenticated host and within its memory; or, of its
    /// subdomains, one above it. A memory that fails is a lookup that fails.
    async fn remembered_word(&self, domain: &Domain) -> Result<Option<Word>, LookupFails> {
        for at in speaks::walk(domain) {
            let known = self.known(&at).await;
            let known = known.map_err(|error| LookupFails(error.to_string()))?;
            let Some(known) = known.filter(|known| known.speaks(self.now())) else {
                continue;
            };
            let own = at == *domain;
            let strictness = if own { known.p } else { known.sp.or(known.p) };
            // Of a subdomain only what is severe: it may have a record of its own.
            let strict = strictness == Some(Strictness::Strict);
            if own || strict {
                return Ok(Some(Word { at, strict }));
            }
        }
        Ok(None)
    }

    async fn by_word(&self, word: Word, author: &Address, source: SourcePrefix) -> SenderFacts {
        if word.at != *author.domain() {
            return self.below_strict(&word.at, author, source).await;
        }
        if word.strict {
            return facts(SenderPolicy::Strict, true);
        }
        facts(self.of_address(author, source).await, true)
    }

    /// The same for an author below a domain that is strict for what lies below it: a record
    /// nearer to the author governs in its place (spec §2.3.5).
    pub async fn facts_below(
        &self,
        strict: &Domain,
        source: IpAddr,
        author: &Address,
    ) -> SenderFacts {
        let source = SourcePrefix::wide(source);
        self.below_strict(strict, author, source).await
    }

    async fn below_strict(
        &self,
        strict: &Domain,
        author: &Address,
        source: SourcePrefix,
    ) -> SenderFacts {
        match speaks::record(self.world(), author.domain()).await {
            Ok(Some(record)) if record.at != *strict => {
                self.by_record(record, author, source).await
            }
            Ok(_) => facts(SenderPolicy::Strict, false),
            Err(error) => facts(unknown(&error), false),
        }
    }

    /// What DNS says: definite when it is secured, else the domain is asked (spec §11.2.3).
    async fn by_record(
        &self,
        record: FoundRecord,
        author: &Address,
        source: SourcePrefix,
    ) -> SenderFacts {
        let own = record.at == *author.domain();
        let speaks = own && !(record.secure && record.policy.ma == Some(0));
        let said = if own {
            record.policy.p
        } else {
            record.policy.for_subdomains()
        };
        let policy = match said {
            Strictness::Strict if record.secure => SenderPolicy::Strict,
            Strictness::Strict => self.confirm(&record.at, own, source).await,
            Strictness::Open => SenderPolicy::Open,
        };
        if policy == SenderPolicy::Open && speaks {
            return facts(self.of_address(author, source).await, speaks);
        }
        facts(policy, speaks)
    }

    /// Asks the domain itself whether it is strict (spec §2.3.6).
    async fn confirm(&self, domain: &Domain, own: bool, source: SourcePrefix) -> SenderPolicy {
        let asked = self.word(Identity::Service(domain.clone()), source).await;
        let kept = match asked {
            Ok(kept) => kept,
            Err(trouble) => return unasked(trouble),
        };
        let flags = match (&kept.found, kept.assurance) {
            (Some(found), Some(_)) => &found.flags,
            _ => return SenderPolicy::Unconfirmed,
        };
        let word = if own { flags.p } else { flags.sp.or(flags.p) };
        match word {
            Some(Strictness::Strict) => SenderPolicy::Strict,
            _ => SenderPolicy::Open,
        }
    }

    /// The flag `strict` of the address, and of its loose form (spec §11.2.2).
    async fn of_address(&self, author: &Address, source: SourcePrefix) -> SenderPolicy {
        let loose = author.loose();
        let named = self.of_one_address(author, source).await;
        if loose == *author {
            return named;
        }
        named.or_severer(self.of_one_address(&loose, source).await)
    }

    async fn of_one_address(&self, author: &Address, source: SourcePrefix) -> SenderPolicy {
        match self.word(Identity::Address(author.clone()), source).await {
            Ok(kept) if kept.assurance.is_none() => SenderPolicy::Open,
            Ok(kept) => match &kept.found {
                Some(found) if found.flags.strict => SenderPolicy::Strict,
                _ => SenderPolicy::Open,
            },
            Err(Trouble::Unauthenticated { definite: true, .. }) => SenderPolicy::Open,
            Err(trouble) => match unasked(trouble) {
                SenderPolicy::Unconfirmed => SenderPolicy::Open,
                other => other,
            },
        }
    }

    /// The answer to KEY without a fingerprint: kept within a day, else asked.
    async fn word(&self, identity: Identity, source: SourcePrefix) -> Result<Arc<Kept>, Trouble> {
        let question = Question {
            identity,
            asked: None,
        };
        match self.recall(&question).await? {
            Some(kept) if kept.is_fresh(self.now(), limits::ENCRYPT_TTL) => Ok(kept),
            before => {
                let before = before.filter(|kept| kept.is_assured());
                self.ask(&question, before, Some(source)).await
            }
        }
    }
}

/// What a domain said on an authenticated host.
#[derive(Clone, Debug)]
struct Word {
    /// Which: the author's domain or one above it.
    at: Domain,
    /// Whether who is meant always seals.
    strict: bool,
}

fn facts(policy: SenderPolicy, speaks: bool) -> SenderFacts {
    SenderFacts { policy, speaks }
}

fn unknown(why: &impl ToString) -> SenderPolicy {
    SenderPolicy::Unknown {
        why: why.to_string(),
    }
}

/// Who cannot be asked at all confirms nothing; who cannot be asked now may later
/// (spec §11.2.3, §11.2.4).
fn unasked(trouble: Trouble) -> SenderPolicy {
    match trouble {
        Trouble::NoDomain | Trouble::NullMx | Trouble::NotSpeaking => SenderPolicy::Unconfirmed,
        Trouble::Unauthenticated { definite: true, .. } => SenderPolicy::Unconfirmed,
        Trouble::Unauthenticated { why, .. }
        | Trouble::Dns(why)
        | Trouble::Alarm(why)
        | Trouble::Unreachable(why) => unknown(&why),
    }
}

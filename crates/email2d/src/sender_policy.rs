//! Does an author always seal (spec §11.2): ours by the configuration, others by their domain.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use email2::address::{Address, Domain};
use email2::evidence::{AuthorEvidence, SenderPolicy};
use email2::limits;
use email2::policy_record::Strictness;
use email2_remote::policy::{LookupFails, SenderFacts};

use crate::site::Site;

/// Since when the lookup of a domain's policy has failed, Unix seconds.
#[derive(Debug, Default)]
pub(crate) struct PolicyFailures(Mutex<HashMap<Domain, u64>>);

/// How long a failure is remembered that nobody saw again, seconds: longer than the pauses of
/// those who try again (RFC 5321 §4.5.4.1).
const FORGOTTEN_AFTER: u64 = 24 * 60 * 60;

impl PolicyFailures {
    /// Notes a failure at `now`; whether the patience is over (spec §11.2.5).
    fn is_overdue(&self, domain: &Domain, now: u64) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|_, first| now < first.saturating_add(FORGOTTEN_AFTER));
        if since.len() >= limits::POLICY_FAILURES && !since.contains_key(domain) {
            forget_oldest(&mut since);
        }
        let first = *since.entry(domain.clone()).or_insert(now);
        now >= first.saturating_add(limits::POLICY_PATIENCE)
    }

    fn worked(&self, domain: &Domain) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.remove(domain);
    }
}

fn forget_oldest(since: &mut HashMap<Domain, u64>) {
    let oldest = since.iter().min_by_key(|(_, first)| **first);
    if let Some(oldest) = oldest.map(|(domain, _)| domain.clone()) {
        since.remove(&oldest);
    }
}

/// What is known of `author`; `source` is charged for the questions.
pub(crate) async fn of(site: &Site, source: IpAddr, author: &Address) -> AuthorEvidence {
    let facts = match own(site, source, author).await {
        Some(facts) => Ok(facts),
        None => site.remote.sender_facts(source, author).await,
    };
    let facts = facts.unwrap_or_else(|LookupFails(why)| {
        let overdue = site
            .policy_failures
            .is_overdue(author.domain(), site.world.now());
        SenderFacts {
            policy: if overdue {
                SenderPolicy::Overdue
            } else {
                SenderPolicy::Unknown { why }
            },
            speaks: false,
        }
    });
    if !matches!(
        facts.policy,
        SenderPolicy::Overdue | SenderPolicy::Unknown { .. }
    ) {
        site.policy_failures.worked(author.domain());
    }
    AuthorEvidence {
        author: author.clone(),
        policy: facts.policy,
        speaks: facts.speaks,
    }
}

/// Our own domains, and what lies below them.
async fn own(site: &Site, source: IpAddr, author: &Address) -> Option<SenderFacts> {
    if let Some(domain) = site.config.domain(author.domain()) {
        let policy = match domain.policy {
            Strictness::Strict => SenderPolicy::Strict,
            Strictness::Open => of_account(site, author).await,
        };
        let speaks = true;
        return Some(SenderFacts { policy, speaks });
    }
    let mut above = author.domain().parent();
    while let Some(domain) = above {
        match site.config.domain(&domain) {
            Some(config) if config.subdomains == Strictness::Strict => {
                return Some(site.remote.facts_below(&domain, source, author).await);
            }
            Some(_) => return None,
            None => above = domain.parent(),
        }
    }
    None
}

/// The flag of an account here, also for another spelling of its address (spec §11.2.2).
async fn of_account(site: &Site, author: &Address) -> SenderPolicy {
    let spellings = [author.clone(), author.loose()];
    match site.store.accounts(&spellings).await {
        Ok(found) if found.iter().flatten().any(|account| account.strict) => SenderPolicy::Strict,
        Ok(_) => SenderPolicy::Open,
        Err(error) => SenderPolicy::Unknown {
            why: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sides of the bound (spec §11.2.5).
    #[test]
    fn a_failing_lookup_defers_for_an_hour_and_no_longer() {
        let failures = PolicyFailures::default();
        let domain = Domain::parse("example.net").unwrap();
        assert!(!failures.is_overdue(&domain, 1000));
        assert!(!failures.is_overdue(&domain, 1000 + 3599));
        assert!(failures.is_overdue(&domain, 1000 + 3600));
        failures.worked(&domain);
        assert!(!failures.is_overdue(&domain, 1000 + 3601));
        assert!(!failures.is_overdue(&domain, 1000 + 3601 + FORGOTTEN_AFTER));
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let failures = PolicyFailures::default();
        for number in 0..limits::POLICY_FAILURES as u64 + 10 {
            let domain = Domain::parse(&format!("a{number}.example")).unwrap();
            failures.is_overdue(&domain, number);
        }
        let held = failures.0.lock().unwrap().len();
        assert_eq!(held, limits::POLICY_FAILURES);
    }
}

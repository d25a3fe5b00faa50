//! Does a domain speak Email 2.0: its record in DNS, and what is remembered (spec §2.3, §2.4).

use email2::known::KnownDomain;
use email2::policy_record::PolicyRecordError;
use email2::{Domain, PolicyRecord, Strictness, capability, limits};
use email2_io::{DnsError, World};

use crate::resolve::ResolveError;

/// A domain record and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The domain itself, or the one above it whose record governs.
    pub at: Domain,
    /// What it says.
    pub policy: PolicyRecord,
    /// Whether DNSSEC secures it.
    pub secure: bool,
}

/// What can be known of a domain without asking its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainFacts {
    /// The domain.
    pub domain: Domain,
    /// The record that governs it.
    pub record: Option<FoundRecord>,
    /// What is remembered of it.
    pub known: Option<KnownDomain>,
}

/// The policy for mail without a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is.
    pub strictness: Strictness,
    /// Whether it may yield a 5xx reply: it is DNSSEC-secure or was confirmed by the domain on
    /// an authenticated host (spec §2.3.6).
    pub definite: bool,
}

impl DomainFacts {
    /// Whether the domain is known to speak Email 2.0, by memory or by its own record, so that
    /// whatever looks otherwise is a failure (spec §2.3.2, §2.4.1).
    #[must_use]
    pub fn speaks(&self, now: u64) -> bool {
        let remembered = self.known.as_ref().is_some_and(|known| known.speaks(now));
        let own = self
            .record
            .as_ref()
            .filter(|record| record.at == self.domain);
        (remembered || own.is_some()) && !self.has_withdrawn()
    }

    /// Whether a DNSSEC-secure record withdraws what is remembered (spec §2.3.7).
    #[must_use]
    pub fn has_withdrawn(&self) -> bool {
        let own = self
            .record
            .as_ref()
            .filter(|record| record.at == self.domain);
        own.is_some_and(|record| record.secure && record.policy.ma == Some(0))
    }

    /// The policy for unsealed mail.
    #[must_use]
    pub fn policy(&self, now: u64) -> Policy {
        let confirmed = self
            .known
            .as_ref()
            .filter(|known| known.speaks(now))
            .and_then(|known| known.p);
        if let Some(strictness) = confirmed {
            return Policy {
                strictness,
                definite: true,
            };
        }
        match &self.record {
            None => Policy {
                strictness: Strictness::Open,
                definite: true,
            },
            Some(record) => Policy {
                strictness: if record.at == self.domain {
                    record.policy.p
                } else {
                    record.policy.for_subdomains()
                },
                definite: record.secure,
            },
        }
    }
}

/// The record that governs `domain`: its own, else the first one found upwards (spec §2.3.5).
///
/// # Errors
/// [`ResolveError::Dns`]: nothing may be concluded; also when two records contradict each other
/// (spec §2.3.4).
pub async fn record(world: &World, domain: &Domain) -> Result<Option<FoundRecord>, ResolveError> {
    for at in walk(domain) {
        if let Some(record) = record_at(world, &at).await? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// The record at `domain` itself.
///
/// # Errors
/// As [`record`].
pub async fn record_at(
    world: &World,
    domain: &Domain,
) -> Result<Option<FoundRecord>, ResolveError> {
    let name = format!("{}.{domain}", capability::TXT_LABEL);
    let answer = match world.dns.txt(&name).await {
        Ok(answer) => answer,
        Err(error) if error.is_absence() => return Ok(None),
        Err(error) => return Err(ResolveError::Dns { name, error }),
    };
    let mut policies = answer.records.iter().filter_map(|text| read(text));
    let first = policies.next();
    if policies.next().is_some() {
        let error = DnsError::ServFail;
        return Err(ResolveError::Dns { name, error });
    }
    Ok(first.map(|policy| FoundRecord {
        at: domain.clone(),
        policy,
        secure: answer.secure,
    }))
}

/// A record that begins like ours and is malformed still says that the domain speaks.
fn read(text: &str) -> Option<PolicyRecord> {
    match PolicyRecord::parse(text) {
        Ok(policy) => Some(policy),
        Err(PolicyRecordError::OtherRecord) => None,
        Err(_) => Some(PolicyRecord {
            p: Strictness::Open,
            sp: None,
            id: String::new(),
            ma: None,
        }),
    }
}

/// The domains asked, upwards: at most 8, never a single label; of a very long name, the second
/// question goes to its last seven labels (RFC 9989 §4.10).
pub(crate) fn walk(domain: &Domain) -> Vec<Domain> {
    let mut asked = vec![domain.clone()];
    let mut at = domain.clone();
    while let Some(parent) = at.parent() {
        let labels = parent.as_str().split('.').count();
        if labels < 2 {
            break;
        }
        if labels < limits::TREE_WALK_QUESTIONS {
            asked.push(parent.clone());
        }
        at = parent;
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(domain: &str) -> Vec<String> {
        let domain = Domain::parse(domain).unwrap();
        walk(&domain).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_walk_goes_upwards_and_stops_before_the_top() {
        assert_eq!(
            walked("a.mail.example.org"),
            ["a.mail.example.org", "mail.example.org", "example.org"]
        );
        assert_eq!(walked("org"), ["org"]);
        let long = walked("a.b.c.d.e.f.g.h.i.j.mail.example.com");
        assert_eq!(long.len(), 7);
        assert_eq!(long[1], "g.h.i.j.mail.example.com");
    }

    #[test]
    fn what_dns_alone_says_of_strictness_is_not_definite() {
        let domain = Domain::parse("news.example.org").unwrap();
        let record = |secure| FoundRecord {
            at: Domain::parse("example.org").unwrap(),
            policy: PolicyRecord::parse("v=EMAIL2; p=open; sp=strict").unwrap(),
            secure,
        };
        let mut facts = DomainFacts {
            domain,
            record: Some(record(false)),
            known: None,
        };
        let policy = facts.policy(1000);
        assert_eq!(policy.strictness, Strictness::Strict);
        assert!(!policy.definite);
        assert!(!facts.speaks(1000), "the record is another domain's");
        facts.record = Some(record(true));
        assert!(facts.policy(1000).definite);
        facts.known = Some(KnownDomain {
            speaks_until: 2000,
            p: Some(Strictness::Open),
            ..KnownDomain::default()
        });
        assert!(facts.speaks(1000) && !facts.speaks(2000));
        assert_eq!(facts.policy(1000).strictness, Strictness::Open);
    }
}

//! MTA-STS (RFC 8461): what a domain says of the hosts that its mail may go to.

mod assurance;
mod policy;

use std::time::Duration;

use email2::known::KnownPolicy;
use email2::{Domain, limits};
use email2_io::clock::within;
use email2_io::limit::SourcePrefix;
use futures::FutureExt;

use crate::https::{FetchError, Page};
use crate::remote::Remote;

pub use policy::{Mode, Policy, PolicyError};

/// A fetch that failed is not tried again so long, seconds (RFC 8461 §3.3).
const FAILURE_TTL: u64 = limits::NEGATIVE_TTL;

/// A policy is fetched anew, whatever its id, when so much of its time is over.
const HALF: u64 = 2;

/// How long the record may take to be asked for.
const RECORD_LIMIT: Duration = Duration::from_secs(limits::LOOKUP_SECONDS);

/// What is known of a domain's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This one holds.
    Policy(Policy),
    /// There is none: no record, or the mode `none`.
    Absent,
    /// The record says that there is one, none is kept, and it cannot be fetched.
    Unfetched(String),
    /// The record cannot be asked for, and none is kept.
    Unasked(String),
}

impl Remote {
    /// The MTA-STS policy of `domain`: kept while its id is the same and it is young, else fetched.
    /// What fails leaves the kept one in force until its time is over (RFC 8461 §3.3). `source` is
    /// the stranger who caused the question, if one did.
    pub(crate) async fn mta_sts(&self, domain: &Domain, source: Option<SourcePrefix>) -> Found {
        let flight = self.inner.policies.join(domain, || {
            let (remote, domain) = (self.clone(), domain.clone());
            async move { remote.look_up_policy(&domain, source).await }.boxed()
        });
        flight.await
    }

    async fn look_up_policy(self, domain: &Domain, source: Option<SourcePrefix>) -> Found {
        let kept = self.kept_policy(domain).await;
        let asking = self.policy_id(domain);
        let asked = within(&*self.world().clock, RECORD_LIMIT, asking).await;
        let id = asked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        match (id, kept) {
            (Ok(Some(id)), Some(kept)) if kept.id == id && self.is_young(&kept) => {
                found(kept.policy)
            }
            (Ok(Some(id)), kept) => match (self.fetch_policy(domain, &id, source).await, kept) {
                (Ok(policy), _) => found(policy),
                (Err(why), Some(kept)) => {
                    tracing::warn!(%domain, why, "the MTA-STS policy kept stays in force");
                    found(kept.policy)
                }
                (Err(why), None) => Found::Unfetched(why),
            },
            // Without the record a policy stays in force until its time is over (RFC 8461 §5.1).
            (Ok(None) | Err(_), Some(kept)) => found(kept.policy),
            (Ok(None), None) => Found::Absent,
            (Err(why), None) => Found::Unasked(why),
        }
    }

    /// The policy that is kept and still holds.
    async fn kept_policy(&self, domain: &Domain) -> Option<Kept> {
        let known = match self.inner.memory.policy(domain).await {
            Ok(known) => known?,
            Err(error) => {
                tracing::warn!(%domain, %error, "memory of policies fails");
                return None;
            }
        };
        let policy = Policy::parse(&known.text).ok()?;
        let until = known.fetched.saturating_add(u64::from(policy.max_age));
        (self.now() < until).then_some(Kept {
            id: known.id,
            fetched: known.fetched,
            policy,
        })
    }

    fn is_young(&self, kept: &Kept) -> bool {
        let half = u64::from(kept.policy.max_age) / HALF;
        self.now() < kept.fetched.saturating_add(half)
    }

    /// The id in the record; `None` when there is no record, or not exactly one (RFC 8461 §3.1).
    async fn policy_id(&self, domain: &Domain) -> Result<Option<String>, String> {
        let name = format!("_mta-sts.{domain}");
        let answer = match self.world().dns.txt(&name).await {
            Ok(answer) => answer,
            Err(error) if error.is_absence() => return Ok(None),
            Err(error) => return Err(format!("looking up {name}: {error}")),
        };
        let records = answer.records.iter().filter_map(|text| record_fields(text));
        let records: Vec<&str> = records.collect();
        match records.as_slice() {
            [fields] => Ok(id_in(fields)),
            _ => Ok(None),
        }
    }

    async fn fetch_policy(
        &self,
        domain: &Domain,
        id: &str,
        source: Option<SourcePrefix>,
    ) -> Result<Policy, String> {
        let question = (domain.clone(), id.to_owned());
        if let Some(why) = self.inner.unfetched.get(&question, self.now()) {
            return Err(why);
        }
        let fetched = self.fetch_policy_text(domain).await;
        let policy = fetched.and_then(|text| {
            let policy = Policy::parse(&text).map_err(|error| error.to_string())?;
            Ok((policy, text))
        });
        match policy {
            Ok((policy, text)) => {
                let fetched = self.now();
                let known = KnownPolicy {
                    id: id.to_owned(),
                    text,
                    fetched,
                    until: fetched.saturating_add(u64::from(policy.max_age)),
                };
                self.keep_policy(domain, known, source).await;
                Ok(policy)
            }
            Err(why) => {
                let unfetched = &self.inner.unfetched;
                unfetched.put(question, why.clone(), self.now(), FAILURE_TTL);
                Err(why)
            }
        }
    }

    async fn fetch_policy_text(&self, domain: &Domain) -> Result<String, String> {
        let page = Page {
            domain: domain.clone(),
            host: format!("mta-sts.{domain}"),
            path: "/.well-known/mta-sts.txt".to_owned(),
            exact: true,
        };
        let fetched = self.fetch(&page).await;
        let answered = fetched.map_err(|error: FetchError| error.to_string())?;
        let plain = answered.media_type.as_deref() == Some("text/plain");
        if !plain {
            let kind = answered.media_type.unwrap_or_else(|| "no type".to_owned());
            return Err(format!("https://{}: {kind}, not text/plain", page.host));
        }
        String::from_utf8(answered.body).map_err(|_| format!("https://{}: not text", page.host))
    }

    async fn keep_policy(&self, domain: &Domain, known: KnownPolicy, source: Option<SourcePrefix>) {
        if !self.inner.words.admits(domain, source, known.text.len()) {
            tracing::debug!(%domain, "no room to keep an MTA-STS policy");
            return;
        }
        if let Err(error) = self.inner.memory.keep_policy(domain, known).await {
            tracing::warn!(%domain, %error, "an MTA-STS policy is not kept");
        }
    }
}

/// A policy that is kept and holds.
struct Kept {
    id: String,
    fetched: u64,
    policy: Policy,
}

fn found(policy: Policy) -> Found {
    match policy.mode {
        Mode::None => Found::Absent,
        Mode::Enforce | Mode::Testing => Found::Policy(policy),
    }
}

/// What stands behind the version, when the record is one of MTA-STS.
fn record_fields(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("v=STSv1")?;
    rest.trim_start().strip_prefix(';')
}

/// At most 32 letters and digits (RFC 8461 §3.1).
fn id_in(fields: &str) -> Option<String> {
    let mut fields = fields.split(';').map(str::trim);
    let id = fields.find_map(|field| field.strip_prefix("id="))?.trim();
    let well = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    well.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_record_is_read() {
        let id = |text| record_fields(text).and_then(id_in);
        assert_eq!(
            id("v=STSv1; id=20160831085700Z;"),
            Some("20160831085700Z".into())
        );
        assert_eq!(id("v=STSv1;x=y;id=7"), Some("7".into()));
        for other in [
            "v=STSv1; id=",
            "v=STSv1; id=a-b",
            "v=STSv2; id=7",
            "v=STSv1",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}

//! Way (b) of spec §2.2 (§2.2.7): a host that the enforced policy of its domain names.

use std::time::Duration;

use email2::{Assurance, Domain};
use email2_io::clock::within;
use email2_io::limit::SourcePrefix;

use super::{Found, Mode, Policy};
use crate::connect::Search;
use crate::remote::Remote;
use crate::resolve::Host;

/// How long the policy may take of a lookup.
const POLICY_LIMIT: Duration = Duration::from_secs(3);

impl Remote {
    /// Whether an enforced policy of `domain` names `host`, of a person's own server: asked when
    /// nothing else authenticates it (spec §2.6.1). A policy that cannot be had names nobody.
    pub async fn is_named_by_policy(&self, domain: &Domain, host: &Host) -> bool {
        let asking = self.mta_sts(domain, None);
        let asked = within(&*self.world().clock, POLICY_LIMIT, asking).await;
        match asked {
            Ok(Found::Policy(policy)) => policy.mode == Mode::Enforce && policy.names(&host.name),
            _ => false,
        }
    }

    /// Asks the policy of `domain` where `search` found a host that nothing else authenticates.
    /// When the policy names others of `hosts`, those are tried. `source` is the stranger who caused
    /// it, if one did.
    pub(crate) async fn by_policy(
        &self,
        domain: &Domain,
        hosts: &[Host],
        mut search: Search,
        each: Duration,
        source: Option<SourcePrefix>,
    ) -> Search {
        let bare = search
            .session
            .as_ref()
            .is_some_and(|s| s.assurance().is_none());
        if !bare {
            return search;
        }
        let asking = self.mta_sts(domain, source);
        let asked = within(&*self.world().clock, POLICY_LIMIT, asking).await;
        let slow = || Found::Unasked("its MTA-STS policy does not come in time".to_owned());
        match asked.unwrap_or_else(|_| slow()) {
            Found::Policy(policy) if policy.mode == Mode::Enforce => {
                self.among_named(domain, hosts, search, &policy, each).await
            }
            Found::Policy(_) | Found::Absent => search,
            Found::Unfetched(why) | Found::Unasked(why) => {
                search.undecided = Some(why);
                search
            }
        }
    }

    async fn among_named(
        &self,
        domain: &Domain,
        hosts: &[Host],
        mut search: Search,
        policy: &Policy,
        each: Duration,
    ) -> Search {
        let met = |search: &Search| search.session.as_ref().map(|s| s.host().name.clone());
        let Some(host) = met(&search) else {
            return search;
        };
        if !policy.names(&host) {
            let named = hosts.iter().filter(|host| policy.names(&host.name));
            let named: Vec<Host> = named.cloned().collect();
            let connector = &self.inner.connector;
            let again = connector.search(domain, &named, each).await;
            if again.session.is_none() {
                let mismatch = policy.mismatch(domain, &host);
                tracing::warn!(%domain, mismatch, "not authenticated by MTA-STS");
                search.undecided = Some(mismatch);
                return search;
            }
            if let Some(before) = std::mem::replace(&mut search, again).session {
                self.part(before);
            }
        }
        if let Some(session) = &mut search.session
            && session.assurance().is_none()
        {
            session.assure(Assurance::MtaSts);
        }
        search
    }
}

//! First contact by ordinary mail (spec §10.6.3): a domain that SPF or DKIM vouches for answers
//! for its own mail as long as it is new here; what nothing vouches for has one budget for the
//! server, of which no network has more than its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2::address::{Address, Domain, ReversePath};
use email2::evidence::CheckResult;
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance, UnverifiedReason};
use email2_io::Clock;
use email2_io::limit::SourcePrefix;

use super::{HOUR, REMEMBERED, Stranger, Taken, registrable};
use crate::authentication::Checked;
use crate::inbound::accept::store_failed;
use crate::inbound::envelope::{Admitted, Envelope};
use crate::site::Site;

/// Who answers for a message that nobody sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payer {
    /// The author's domain, which vouches for it.
    Author(Address),
    /// Nobody: the network that it came from.
    Network(IpAddr),
}

impl Payer {
    /// What DMARC says decides; of a domain without a policy, what it would say with one
    /// (relaxed alignment, RFC 9989 §4.4).
    pub(crate) fn of(
        authors: &[Address],
        checked: &Checked,
        mail_from: &ReversePath,
        client: IpAddr,
    ) -> Payer {
        let [author] = authors else {
            return Payer::Network(client);
        };
        let own = registrable(author.domain());
        let is_own = |domain: &Domain| registrable(domain) == own;
        let by_path = mail_from.address().map(Address::domain);
        let vouches = match checked.dmarc.result {
            CheckResult::Pass => true,
            CheckResult::None => {
                let path = checked.spf == CheckResult::Pass && by_path.is_some_and(is_own);
                path || checked.dkim.iter().any(is_own)
            }
            _ => false,
        };
        match vouches {
            true => Payer::Author(author.clone()),
            false => Payer::Network(client),
        }
    }
}

/// What was taken in an hour of mail that nothing vouches for.
#[derive(Debug)]
pub(crate) struct Unproved {
    clock: Arc<dyn Clock>,
    server: usize,
    taken: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: Taken,
    networks: HashMap<SourcePrefix, Taken>,
}

impl Unproved {
    /// Nothing was taken yet; `server` messages an hour are.
    pub(crate) fn new(clock: Arc<dyn Clock>, server: usize) -> Self {
        Unproved {
            clock,
            server,
            taken: Mutex::default(),
        }
    }

    /// May another one come from there?
    fn test(&self, source: IpAddr) -> Result<(), Rejection> {
        let now = self.now();
        let taken = self.lock();
        let network = taken.networks.get(&SourcePrefix::wide(source));
        let network = network.map_or(0, |network| network.at(now).messages);
        let share = (self.server / limits::BUDGET_SHARE).max(1);
        let why = if taken.all.at(now).messages >= self.server {
            format!("the server's {} messages an hour", self.server)
        } else if network >= share {
            format!("{share} messages an hour of one network")
        } else {
            return Ok(());
        };
        let why = format!("{why} that nothing vouches for");
        Err(Rejection::StrangersExhausted { why })
    }

    /// One was stored. When too many networks are known, all are forgotten.
    fn charge(&self, source: IpAddr) {
        let now = self.now();
        let mut taken = self.lock();
        let Counts { all, networks } = &mut *taken;
        if networks.len() >= REMEMBERED {
            networks.retain(|_, network| now.saturating_sub(network.began) < HOUR);
        }
        if networks.len() >= REMEMBERED {
            networks.clear();
        }
        let network = networks.entry(SourcePrefix::wide(source)).or_default();
        for count in [all, network] {
            *count = count.at(now);
            count.messages += 1;
        }
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message costs when it is stored.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    network: Option<IpAddr>,
    domains: Vec<Stranger>,
}

/// May this message come to its recipients? Mail of our own and of our own domains, what contacts
/// wrote, reports, and what a registered mediator passed on are nobody's first contact.
///
/// # Errors
/// A budget is used up, or the store failed.
pub(crate) async fn admit(
    site: &Site,
    envelope: &Envelope,
    accepted: &[Accepted],
    payer: Option<&Payer>,
) -> Result<Cost, Rejection> {
    let pairs = envelope.recipients.iter().zip(accepted);
    let charged: Vec<&Admitted> = pairs
        .filter(|(_, accepted)| is_first_contact(accepted))
        .map(|(to, _)| to)
        .collect();
    let (Some(payer), false) = (payer, charged.is_empty()) else {
        return Ok(Cost::default());
    };
    let mut cost = Cost::default();
    match payer {
        Payer::Network(source) => {
            site.unproved.test(*source)?;
            cost.network = Some(*source);
        }
        Payer::Author(author) if site.is_local(author.domain()) => {}
        Payer::Author(author) => {
            for to in charged.iter().filter(|to| !to.preferences.knows(author)) {
                // Whom the system behind has, that system knows.
                if site.inner_of(to.address.domain()).is_some() {
                    continue;
                }
                let stranger = of_domain(site, to, author).await?;
                if stranger.unseen || stranger.unseen_here {
                    site.newcomers.test(&stranger)?;
                }
                cost.domains.push(stranger);
            }
        }
    }
    Ok(cost)
}

/// May this message go on from here? What nothing vouches for counts wherever it goes.
///
/// # Errors
/// The budget is used up.
pub(crate) fn admit_onward(
    site: &Site,
    accepted: &Accepted,
    payer: Option<&Payer>,
) -> Result<Cost, Rejection> {
    let mut cost = Cost::default();
    if let (Some(Payer::Network(source)), true) = (payer, is_first_contact(accepted)) {
        site.unproved.test(*source)?;
        cost.network = Some(*source);
    }
    Ok(cost)
}

fn is_first_contact(accepted: &Accepted) -> bool {
    let Provenance::Unverified { reason, .. } = accepted.provenance() else {
        return false;
    };
    !matches!(
        reason,
        UnverifiedReason::Report | UnverifiedReason::Forwarded
    )
}

async fn of_domain(site: &Site, to: &Admitted, author: &Address) -> Result<Stranger, Rejection> {
    let domain = registrable(author.domain());
    let before = site.world.now().saturating_sub(limits::DOMAIN_UNSEEN);
    let met = site.store.met_domain(to.account.id, &domain, before).await;
    let met = met.map_err(store_failed)?;
    Ok(Stranger {
        account: to.account.id,
        domain,
        unseen: !met.by_account,
        unseen_here: !met.by_anybody,
    })
}

/// The message was stored: its domain is known from now on, and pays while it is new.
pub(crate) async fn charge(site: &Site, cost: Cost) {
    if let Some(source) = cost.network {
        site.unproved.charge(source);
    }
    let now = site.world.now();
    for stranger in cost.domains {
        if stranger.unseen || stranger.unseen_here {
            site.newcomers.charge(&stranger);
        }
        let meeting = site
            .store
            .meet_domain(stranger.account, &stranger.domain, now);
        if let Err(error) = meeting.await {
            tracing::warn!(%error, domain = %stranger.domain, "that it wrote is not remembered");
        }
    }
}

#[cfg(test)]
mod tests {
    use email2::evidence::Dmarc;
    use email2_io::clock::SystemClock;

    use super::*;

    const CLIENT: &str = "192.0.2.1";

    fn payer(from: &[&str], spf: CheckResult, dkim: &[&str], dmarc: CheckResult) -> bool {
        let authors: Vec<Address> = from.iter().map(|from| from.parse().unwrap()).collect();
        let checked = Checked {
            spf,
            dkim: dkim.iter().map(|d| Domain::parse(d).unwrap()).collect(),
            dmarc: Dmarc {
                result: dmarc,
                ..Dmarc::default()
            },
            ..Checked::default()
        };
        let path = ReversePath::Address("x@bounces.example.org".parse().unwrap());
        let payer = Payer::of(&authors, &checked, &path, CLIENT.parse().unwrap());
        matches!(payer, Payer::Author(_))
    }

    #[test]
    fn a_domain_answers_for_what_it_vouches_for() {
        use CheckResult::{Fail, None, Pass, TempError};
        let bob: &[&str] = &["bob@mail.example.org"];
        let cases: [(CheckResult, &[&str], CheckResult, bool); 7] = [
            (None, &[], Pass, true),
            (Pass, &[], None, true),
            (None, &["example.org"], None, true),
            (Pass, &["example.org"], Fail, false),
            (None, &["example.net"], None, false),
            (Fail, &[], None, false),
            (TempError, &[], TempError, false),
        ];
        for (spf, dkim, dmarc, vouches) in cases {
            let found = payer(bob, spf, dkim, dmarc);
            assert_eq!(found, vouches, "{spf:?} {dkim:?} {dmarc:?}");
        }
        let two = ["bob@example.org", "eve@example.net"];
        assert!(!payer(&two, Pass, &["example.org"], None));
        assert!(
            !payer(&["eve@example.net"], Pass, &[], None),
            "another's reverse-path"
        );
    }

    #[test]
    fn a_network_has_its_share_and_all_together_the_whole() {
        let unproved = Unproved::new(Arc::new(SystemClock::new()), 32);
        let from = |number: u8| IpAddr::from([192, 0, 2, number]);
        for number in 1..=16 {
            for _ in 0..2 {
                assert_eq!(unproved.test(from(number)), Ok(()));
                unproved.charge(from(number));
            }
            if number < 16 {
                let why = "2 messages an hour of one network that nothing vouches for".to_owned();
                let refused = Rejection::StrangersExhausted { why };
                assert_eq!(unproved.test(from(number)), Err(refused));
            }
        }
        let why = "the server's 32 messages an hour that nothing vouches for".to_owned();
        let refused = Rejection::StrangersExhausted { why };
        assert_eq!(unproved.test(from(200)), Err(refused));
    }
}

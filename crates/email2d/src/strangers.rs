//! First contact (spec §10.6): how much mail of verified authors who are not known yet is taken
//! in an hour, of one registrable domain and of all domains never seen, for one person and for
//! the server. What is above waits at its sender; nobody is judged by where they connect from.

pub(crate) mod ordinary;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2::address::{Address, Domain};
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance, Way};
use email2_io::Clock;
use email2_store::{Account, AccountId, Acquaintance, StoreError};

use crate::inbound::accept::store_failed;
use crate::inbound::policy::Preferences;
use crate::site::Site;

/// Budgets remembered at once; beyond, those whose hour is over are forgotten, and all when
/// there are none. A budget is remembered for what was stored only.
const REMEMBERED: usize = 65_536;
/// Seconds after which a budget is whole again.
const HOUR: u64 = 60 * 60;

/// A verified author whom a person does not know: no contact, and no mail before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stranger {
    account: AccountId,
    /// Their registrable domain.
    domain: Domain,
    /// The person has had no mail of that domain.
    unseen: bool,
    /// Nobody here has.
    unseen_here: bool,
}

/// One budget: whose (`None` is the server's), and of which domain (`None`: all never seen).
type Budget = (Option<AccountId>, Option<Domain>);

/// What was taken of strangers.
#[derive(Debug)]
pub(crate) struct Strangers {
    clock: Arc<dyn Clock>,
    /// What the server takes in an hour from domains never seen.
    server: usize,
    taken: Mutex<HashMap<Budget, Taken>>,
}

/// What was taken on one budget.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    began: u64,
    messages: usize,
}

impl Taken {
    /// As it is at that time: nothing when its hour is over.
    fn at(self, now: u64) -> Taken {
        if now.saturating_sub(self.began) < HOUR {
            return self;
        }
        Taken {
            began: now,
            messages: 0,
        }
    }
}

impl Stranger {
    /// The same, where the store knows this of the domain.
    fn where_known(self, known: Acquaintance) -> Stranger {
        Stranger {
            unseen: !known.domain,
            unseen_here: !known.domain_here,
            ..self
        }
    }
}

impl Strangers {
    /// Nothing was taken yet; `server` messages an hour are, from domains never seen.
    pub(crate) fn new(clock: Arc<dyn Clock>, server: usize) -> Self {
        Strangers {
            clock,
            server,
            taken: Mutex::default(),
        }
    }

    /// May a message of this stranger come?
    ///
    /// # Errors
    /// A budget is used up.
    pub(crate) fn test(&self, stranger: &Stranger) -> Result<(), Rejection> {
        let now = self.now();
        let all = self.lock();
        for (budget, most) in self.budgets(stranger) {
            let taken = all.get(&budget).map_or(0, |taken| taken.at(now).messages);
            if taken >= most {
                let why = described(&budget, most);
                return Err(Rejection::StrangersExhausted { why });
            }
        }
        Ok(())
    }

    /// Takes this person no mail of domains never seen for now?
    pub(crate) fn is_used_up(&self, account: AccountId) -> bool {
        let now = self.now();
        let taken = self.lock().get(&(Some(account), None)).copied();
        taken.is_some_and(|taken| taken.at(now).messages >= limits::STRANGERS_USER_HOUR)
    }

    /// A message of this stranger was stored.
    pub(crate) fn charge(&self, stranger: &Stranger) {
        let now = self.now();
        let mut all = self.lock();
        for (budget, _) in self.budgets(stranger) {
            if all.len() >= REMEMBERED {
                all.retain(|_, taken| now.saturating_sub(taken.began) < HOUR);
            }
            if all.len() >= REMEMBERED {
                all.clear();
            }
            let taken = all.entry(budget).or_default();
            *taken = taken.at(now);
            taken.messages += 1;
        }
    }

    /// The budgets that a message of this stranger is charged to, and what each holds.
    fn budgets(&self, stranger: &Stranger) -> impl Iterator<Item = (Budget, usize)> + use<> {
        let (user, domain) = (Some(stranger.account), Some(stranger.domain.clone()));
        let (most, most_here) = (limits::STRANGERS_USER_HOUR, self.server);
        let of_one = |most: usize| (most / limits::STRANGERS_DOMAIN_SHARE).max(1);
        let unseen = stranger.unseen.then_some(((user, None), most));
        let unseen_here = stranger.unseen_here.then_some(((None, None), most_here));
        let of_domain = [
            ((user, domain.clone()), of_one(most)),
            ((None, domain), of_one(most_here)),
        ];
        of_domain.into_iter().chain(unseen).chain(unseen_here)
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Budget, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the log.
fn described((whose, of): &Budget, most: usize) -> String {
    let whose = match whose {
        Some(_) => "the recipient's",
        None => "the server's",
    };
    match of {
        Some(domain) => format!("{whose} {most} messages an hour of strangers at {domain}"),
        None => format!("{whose} {most} messages an hour of domains never seen"),
    }
}

/// The author whose mail this is, if anybody can be a stranger by it: what came by the recipient's
/// own mediators is none of a stranger's (spec §10.6.1).
pub(crate) fn author_of(accepted: &Accepted) -> Option<&Address> {
    match accepted.provenance() {
        Provenance::Verified { author, .. } | Provenance::ForOthers { author, .. }
            if accepted.way() != Way::Registered =>
        {
            Some(author)
        }
        _ => None,
    }
}

/// May a message of `author` come to this recipient?
///
/// # Errors
/// A budget is used up, or the store failed.
pub(crate) async fn admit(
    site: &Site,
    account: &Account,
    preferences: &Preferences,
    author: &Address,
) -> Result<(), Rejection> {
    let Some(unknown) = unknown(site, account, preferences, author) else {
        return Ok(());
    };
    // While even somebody whom nobody ever heard of may write, the store need not be asked.
    if site.strangers.test(&unknown).is_ok() {
        return Ok(());
    }
    let known = acquaintance(site, &unknown, author).await;
    let known = known.map_err(store_failed)?;
    match known.author {
        true => Ok(()),
        false => site.strangers.test(&unknown.where_known(known)),
    }
}

/// The first message of `author` to this recipient was stored: it is charged (spec §10.6.2).
pub(crate) async fn met(
    site: &Site,
    account: &Account,
    preferences: &Preferences,
    author: &Address,
) {
    let Some(unknown) = unknown(site, account, preferences, author) else {
        return;
    };
    let known = acquaintance(site, &unknown, author).await;
    let known = known.unwrap_or_else(|error| {
        tracing::error!(%error, "the store failed: charged as of a domain never seen");
        Acquaintance::default()
    });
    site.strangers.charge(&unknown.where_known(known));
}

/// `author` as somebody of whom nothing is known but that they are no contact of this recipient's;
/// `None` also for whoever lives at a domain of this server.
fn unknown(
    site: &Site,
    account: &Account,
    preferences: &Preferences,
    author: &Address,
) -> Option<Stranger> {
    let familiar = site.is_local(author.domain()) || preferences.knows(author);
    (!familiar).then(|| Stranger {
        account: account.id,
        domain: registrable(author.domain()),
        unseen: true,
        unseen_here: true,
    })
}

async fn acquaintance(
    site: &Site,
    stranger: &Stranger,
    author: &Address,
) -> Result<Acquaintance, StoreError> {
    let before = site.world.now().saturating_sub(limits::DOMAIN_UNSEEN);
    let (account, domain) = (stranger.account, &stranger.domain);
    site.store
        .acquaintance(account, author, domain, before)
        .await
}

/// The domain that somebody registered: by the list of public suffixes. A suffix itself stands
/// for itself.
fn registrable(domain: &Domain) -> Domain {
    let registered = psl::domain_str(domain.as_str());
    let registered = registered.and_then(|name| Domain::parse(name).ok());
    registered.unwrap_or_else(|| domain.clone())
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn from(account: i64, name: &str, unseen: bool) -> Stranger {
        Stranger {
            account: AccountId(account),
            domain: domain(name),
            unseen,
            unseen_here: unseen,
        }
    }

    fn strangers(server: usize) -> Strangers {
        Strangers::new(Arc::new(SystemClock::new()), server)
    }

    fn why(result: Result<(), Rejection>) -> String {
        match result {
            Err(Rejection::StrangersExhausted { why }) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_domain_has_half_of_what_a_person_takes_and_others_the_rest() {
        let strangers = strangers(1_000);
        let half = limits::STRANGERS_USER_HOUR / limits::STRANGERS_DOMAIN_SHARE;
        for _ in 0..half {
            assert_eq!(strangers.test(&from(1, "example.org", false)), Ok(()));
            strangers.charge(&from(1, "example.org", false));
        }
        assert_eq!(
            why(strangers.test(&from(1, "example.org", false))),
            format!("the recipient's {half} messages an hour of strangers at example.org")
        );
        assert_eq!(strangers.test(&from(1, "example.net", true)), Ok(()));
        assert_eq!(strangers.test(&from(2, "example.org", false)), Ok(()));
    }

    #[test]
    fn ever_new_domains_share_one_budget_and_known_ones_do_not_wait_for_it() {
        let strangers = strangers(1_000);
        for number in 0..limits::STRANGERS_USER_HOUR {
            strangers.charge(&from(1, &format!("new{number}.example"), true));
        }
        let most = limits::STRANGERS_USER_HOUR;
        assert_eq!(
            why(strangers.test(&from(1, "another.example", true))),
            format!("the recipient's {most} messages an hour of domains never seen")
        );
        assert_eq!(strangers.test(&from(1, "known.example", false)), Ok(()));
    }

    #[test]
    fn the_server_has_budgets_of_its_own() {
        let strangers = strangers(4);
        for account in 0..2 {
            strangers.charge(&from(account, "example.org", false));
        }
        assert_eq!(
            why(strangers.test(&from(9, "example.org", false))),
            "the server's 2 messages an hour of strangers at example.org"
        );
        for account in 0..4 {
            strangers.charge(&from(account, &format!("new{account}.example"), true));
        }
        assert_eq!(
            why(strangers.test(&from(9, "another.example", true))),
            "the server's 4 messages an hour of domains never seen"
        );
    }

    #[test]
    fn an_hour_later_it_is_whole_again() {
        let full = Taken {
            began: 10,
            messages: 60,
        };
        assert_eq!(full.at(10 + HOUR - 1).messages, 60);
        assert_eq!(full.at(10 + HOUR).messages, 0);
    }

    #[test]
    fn what_somebody_registered_is_found() {
        for (name, registered) in [
            ("mail.example.org", "example.org"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("example.org", "example.org"),
            ("co.uk", "co.uk"),
            ("bob.github.io", "bob.github.io"),
        ] {
            assert_eq!(registrable(&domain(name)), domain(registered), "{name}");
        }
    }
}

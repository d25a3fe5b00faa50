//! ORCHESTRATOR, submission: what a user sends, by a program that seals or by an ordinary one.
//!
//! Pre-sealed mail takes the path of `mx`; before it stands one question, [`permit`]. Unsealed
//! mail of a user whose key this server holds takes the path of [`receive`]:
//! `intake → permit → trial → entries → keep`; it is protected and sealed in the queue
//! (`outbound::prepare`).

mod entries;
mod intake;
mod permit;

use email2::address::{Address, Domain};
use email2::limits;
use email2::policy_record::Strictness;
use email2::rejection::Rejection;
use email2_smtp::server::{Answer, Event};
use email2_smtp::{Mail, Recipient};
use email2_store::Account;

pub(crate) use permit::permit;

use crate::config::SmarthostConfig;
use crate::enrolment::Login;
use crate::handover;
use crate::held_key;
use crate::inbound::accept::store_failed;
use crate::inbound::destination;
use crate::outbound::{protect, room};
use crate::session::{Caller, Session};
use crate::site::Site;

/// A transaction of a user whose key this server holds, for a message that is not sealed.
#[derive(Debug)]
pub(crate) struct Written {
    /// Names this reception, in the reply, the log and the trace field.
    id: String,
    mail: Mail,
    author: Author,
    recipients: Vec<Address>,
}

/// Who wrote it.
#[derive(Debug)]
enum Author {
    /// A user whose key this server holds.
    Held(Account),
    /// Somebody whom a mail system behind vouches for, of these domains: it is not sealed.
    Behind(Vec<Domain>),
}

impl Written {
    /// Begins one, where MAIL announces no seal and a key is held (spec §13.3.1); `None`: what
    /// comes must be sealed.
    ///
    /// # Errors
    /// The reverse-path is not the user's, or the store failed.
    pub(crate) async fn begin(
        site: &Site,
        login: Option<&Login>,
        mail: &Mail,
    ) -> Result<Option<Written>, Rejection> {
        let Some(login) = login.filter(|_| mail.announced.is_none()) else {
            return Ok(None);
        };
        login.may_send_from(&mail.from)?;
        let held = held_key::is_held(&site.store, &login.account).await;
        Ok(held.map_err(store_failed)?.then(|| Written {
            id: site.new_id(),
            mail: mail.clone(),
            author: Author::Held(login.account.clone()),
            recipients: Vec::new(),
        }))
    }

    /// Begins one that a mail system behind hands over for its people (spec §15.2): sealed for
    /// whoever has a key here, never for anybody else.
    ///
    /// # Errors
    /// A seal is announced, the reverse-path is none of its people's, the domain always seals and
    /// the author has no key here, or the store failed.
    pub(crate) async fn behind(
        site: &Site,
        smarthost: &SmarthostConfig,
        mail: &Mail,
    ) -> Result<Written, Rejection> {
        if mail.announced.is_some() {
            return Err(Rejection::SealNotYours);
        }
        let author = match mail.from.address() {
            Some(address) => author_behind(site, smarthost, address).await?,
            None => Author::Behind(smarthost.domains.clone()),
        };
        Ok(Written {
            id: site.new_id(),
            mail: mail.clone(),
            author,
            recipients: Vec::new(),
        })
    }

    /// The user whose key seals it.
    fn held(&self) -> Option<&Account> {
        match &self.author {
            Author::Held(account) => Some(account),
            Author::Behind(_) => None,
        }
    }

    /// Takes a recipient, of any domain; of ours, who is here.
    ///
    /// # Errors
    /// There is no such mailbox, or the store failed.
    pub(crate) async fn admit(&mut self, caller: &Caller, to: Recipient) -> Result<(), Rejection> {
        let (site, recipient) = (&*caller.site, to.address);
        if site.serves(recipient.domain()) {
            let known = destination::of(site, &recipient).await;
            let known = known.map_err(store_failed)?.is_some();
            if !known && handover::recipient(site, &recipient).await?.is_none() {
                return Err(Rejection::NoSuchMailbox { recipient });
            }
        }
        if !self.recipients.contains(&recipient) {
            self.recipients.push(recipient);
        }
        Ok(())
    }
}

/// Who writes from that address of a domain behind (spec §15.2.2).
async fn author_behind(
    site: &Site,
    smarthost: &SmarthostConfig,
    address: &Address,
) -> Result<Author, Rejection> {
    if !smarthost.domains.contains(address.domain()) {
        return Err(Rejection::FromNotYours);
    }
    let account = site.store.account(address).await.map_err(store_failed)?;
    if let Some(account) = account
        && held_key::is_held(&site.store, &account)
            .await
            .map_err(store_failed)?
    {
        return Ok(Author::Held(account));
    }
    if always_seals(site, address.domain()) {
        return Err(Rejection::SubmitSealed);
    }
    // Nor does it write in the name of another of them that always seals.
    let open = smarthost.domains.iter();
    let open = open.filter(|domain| !always_seals(site, domain));
    Ok(Author::Behind(open.cloned().collect()))
}

fn always_seals(site: &Site, domain: &Domain) -> bool {
    let domain = site.config.domain(domain);
    domain.is_some_and(|domain| domain.policy == Strictness::Strict)
}

/// Takes the content that begins with `first`; 250 means that it is in the queue for all its
/// recipients. `None` when the connection ended before the message did.
pub(crate) async fn receive(
    session: &mut Session,
    written: Written,
    first: Event,
) -> Option<Answer> {
    let taken = match intake::take(session, &written, first).await? {
        Ok(taken) => taken,
        Err(rejection) => return Some(Answer::Rejected(rejection)),
    };
    let caller = &session.caller;
    let decided = async {
        let site = &*caller.site;
        if let Some(account) = written.held() {
            try_it(site, account, &taken).await?;
        }
        let entries = entries::of(site, &written, &taken);
        let count = entries.len();
        refuse_many(&written, count, taken.scanned.size)?;
        site.store.enqueue(entries).await.map_err(store_failed)?;
        site.departures.announce();
        let (id, author) = (&written.id, &written.mail.from);
        tracing::info!(peer = %caller.peer, %author, group = id, count, "submitted");
        Ok(match written.held() {
            Some(account) => format!("queued as {id}, to be sealed for {}", account.address),
            None => format!("queued as {id}"),
        })
    };
    let answer = caller.in_time(decided).await;
    Some(answer.map_or_else(Answer::Rejected, Answer::Stored))
}

/// Each copy is encrypted and kept apart: what a few blind recipients cost, a thousand cost a
/// thousand times (spec §13.3.5).
fn refuse_many(written: &Written, copies: usize, size: u64) -> Result<(), Rejection> {
    let limit = limits::COPIES_OCTETS;
    match written.held() {
        Some(_) if size.saturating_mul(copies as u64) > limit => {
            Err(Rejection::TooManyCopies { copies, limit })
        }
        _ => Ok(()),
    }
}

/// Signs the message once and throws it away: what cannot be signed is refused here, where its
/// author still sees it (spec §13.3.4).
async fn try_it(
    site: &Site,
    account: &Account,
    taken: &intake::Taken<'_>,
) -> Result<(), Rejection> {
    let _room = room::take(site, taken.scanned.size).await;
    let reader = site.store.read_spooled(&taken.body).await;
    let reader = reader.map_err(store_failed)?;
    let message = room::whole(&*reader).await.map_err(store_failed)?;
    let key = held_key::open(&site.config.data_directory, &site.store, account).await;
    let key = key.map_err(|error| Rejection::LocalError {
        why: error.to_string(),
    })?;
    let key = key.ok_or(Rejection::SubmitSealed)?;
    let tried = protect::signed(site, key, account.address.clone(), message).await;
    tried.map(drop).map_err(|error| match error {
        protect::ProtectError::Content(error) => Rejection::SubmitUnfit {
            why: error.to_string(),
        },
        other => Rejection::LocalError {
            why: other.to_string(),
        },
    })
}

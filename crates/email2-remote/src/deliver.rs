//! Delivers to a domain: one message, its recipients there, one outcome for each.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use email2::rejection::{
    NEXT_TRANSACTION_STATUS, NO_DOMAIN_STATUS, NO_EIGHT_BIT_STATUS, NO_UTF8_STATUS, NULL_MX_STATUS,
    changed_etag_in, clock_in,
};
use email2::{Address, Domain, Etag, limits};
use email2_io::clock::within;
use email2_smtp::client::{EIGHT_BIT, Failure, RecipientOutcome, Stage, UTF8};
use email2_smtp::{Envelope, Reply};

use crate::connect::{ContentSource, Session};
use crate::keys::{Trouble, unauthenticated};
use crate::line::Line;
use crate::remote::Remote;
use crate::way::Spoken;

/// What connecting to one host may take.
const HOST_LIMIT: Duration = Duration::from_secs(30);

/// Transactions at most for one message: each takes recipients that the one before left.
const TRANSACTIONS: usize = 32;

/// Recipients of one transaction when the server announces no number (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;

/// What to deliver.
#[derive(Clone)]
pub struct DeliveryRequest {
    /// Where to.
    pub domain: Domain,
    /// From whom, to whom of that domain; `mail.size` is filled in here.
    pub envelope: Envelope,
    /// The octets, the same at every attempt.
    pub content: ContentSource,
    /// Only to a host that is authenticated for the domain, or for the key of each recipient
    /// (spec §2.2). Without, its person has consented; a domain that was authenticated before must
    /// still be.
    pub assured: bool,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The recipient's server has it; its words.
    Accepted(String),
    /// Not now.
    Temporary(Reason),
    /// Never.
    Refused(Reason),
    /// The certificate that the message was encrypted to is no longer the recipient's; the
    /// version served now (spec §3.3).
    KeyChanged(Etag),
}

/// Why a recipient was not delivered to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The server's reply code, if it replied.
    pub code: Option<u16>,
    /// Its enhanced code.
    pub enhanced: Option<String>,
    /// Its words or ours; untrusted.
    pub text: String,
    /// The server's clock, Unix seconds, when it says that the seal's time is wrong (spec §4.9).
    pub clock: Option<u64>,
    /// The host that was talked to, if one was.
    pub host: Option<String>,
    /// How far the transaction had come, if there was one.
    pub stage: Option<Stage>,
    /// Whom it concerns.
    pub scope: Scope,
    /// No host could be connected to: nothing was said to anybody.
    pub unreached: bool,
}

/// Whom a failure concerns: who else need not be tried now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The recipient alone: the mailbox is full, say.
    #[default]
    Recipient,
    /// The transaction: the server answers, and takes nothing of this now.
    Transaction,
    /// The domain: no host of it was reached, or it says goodbye (RFC 5321 §3.8).
    Domain,
}

impl Reason {
    pub(crate) fn ours(text: String) -> Self {
        Reason {
            text,
            scope: Scope::Domain,
            ..Reason::default()
        }
    }

    /// A final one of ours, with its enhanced code.
    pub(crate) fn coded(enhanced: &str, text: String) -> Self {
        Reason {
            enhanced: Some(enhanced.to_owned()),
            ..Reason::ours(text)
        }
    }

    fn theirs(reply: &Reply) -> Self {
        let text = reply.lines.join(" ");
        Reason {
            code: Some(reply.code),
            enhanced: reply.enhanced().map(str::to_owned),
            clock: clock_in(&text),
            scope: scope(reply),
            text,
            ..Reason::default()
        }
    }

    fn at(self, host: &str, stage: Stage) -> Self {
        Reason {
            host: Some(host.to_owned()),
            stage: Some(stage),
            ..self
        }
    }
}

impl fmt::Display for Reason {
    /// Who said it, when, and what: for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        if let Some(stage) = self.stage {
            write!(f, ", at {stage}")?;
        }
        if self.host.is_some() {
            f.write_str(": ")?;
        }
        match (self.code, &self.enhanced) {
            (Some(code), _) => write!(f, "{code} {}", self.text),
            (None, Some(enhanced)) => write!(f, "{enhanced} {}", self.text),
            (None, None) => f.write_str(&self.text),
        }
    }
}

/// Enhanced codes about an address (X.1) or a mailbox (X.2) concern its owner alone (RFC 3463 §3).
fn scope(reply: &Reply) -> Scope {
    let subject = reply.enhanced().and_then(|code| code.split('.').nth(1));
    match subject {
        _ if reply.closes() => Scope::Domain,
        Some("1" | "2") => Scope::Recipient,
        _ => Scope::Transaction,
    }
}

impl Remote {
    /// Delivers `request`: one outcome for each recipient of its envelope, in their order, within
    /// [`limits::DELIVERY_SECONDS`] whatever the hosts do (spec §12.5.10).
    pub async fn deliver(&self, request: &DeliveryRequest) -> Vec<(Address, Outcome)> {
        let mut line = Line::default();
        let outcomes = self.deliver_on(&mut line, request).await;
        self.hang_up(line);
        outcomes
    }

    /// The same over what `line` holds open with the domain, if anything; what is open afterwards
    /// stays in `line` for the next message.
    pub async fn deliver_on(
        &self,
        line: &mut Line,
        request: &DeliveryRequest,
    ) -> Vec<(Address, Outcome)> {
        let limit = Duration::from_secs(limits::DELIVERY_SECONDS);
        let clock = Arc::clone(&self.world().clock);
        let delivering = self.deliver_assured(line, request);
        within(&*clock, limit, delivering)
            .await
            .unwrap_or_else(|_| {
                let why = format!("no end within {limit:?}");
                for_all(request, &Outcome::Temporary(Reason::ours(why)))
            })
    }

    async fn deliver_assured(
        &self,
        line: &mut Line,
        request: &DeliveryRequest,
    ) -> Vec<(Address, Outcome)> {
        if let Some(session) = self.resume(line, &request.domain, Spoken::Email2) {
            let delivered = self.deliver_over(session, request).await;
            if !delivered.was_over {
                return self.delivered(line, request, delivered);
            }
        }
        match self.session_for(request).await {
            Ok(session) => {
                let delivered = self.deliver_over(session, request).await;
                self.delivered(line, request, delivered)
            }
            Err(outcome) => for_all(request, &outcome),
        }
    }

    /// A dialogue that nothing authenticates is not kept for the next message.
    fn delivered(
        &self,
        line: &mut Line,
        request: &DeliveryRequest,
        delivered: Delivered,
    ) -> Vec<(Address, Outcome)> {
        match delivered.session {
            Some(session) if session.assurance().is_some() => {
                self.leave_open(line, &request.domain, Spoken::Email2, session);
            }
            Some(session) => self.part(session),
            None => {}
        }
        delivered.outcomes
    }

    async fn session_for(&self, request: &DeliveryRequest) -> Result<Session, Outcome> {
        let domain = &request.domain;
        let search = match self.search(domain, HOST_LIMIT, None).await {
            Ok(search) => search,
            Err(error) => return Err(outcome_of(self.unresolved(domain, error).await, domain)),
        };
        let (why, all_were_asked) = (search.why(), search.failures.is_empty());
        let unreached = search.reached_nobody();
        let Some(mut session) = search.session else {
            let trouble = self.unspoken(domain, why, all_were_asked).await;
            return Err(match outcome_of(trouble, domain) {
                Outcome::Temporary(reason) => Outcome::Temporary(Reason {
                    unreached,
                    ..reason
                }),
                other => other,
            });
        };
        let assured = request.assured || self.is_remembered(domain).await;
        if !assured || session.assurance().is_some() {
            return Ok(session);
        }
        let recipients = &request.envelope.recipients;
        let Some(directory) = self.unconfirmed(&mut session, domain, recipients).await else {
            return Ok(session);
        };
        let why = unauthenticated(&session.host().name, domain, search.undecided, &directory);
        self.part(session);
        let why = format!(
            "{why}; no mail was given to it: DNS may lead to a wrong host, else the administrator of {domain} has to mend one of these"
        );
        Err(Outcome::Temporary(Reason::ours(why)))
    }

    /// In as many transactions as the server wants; one outcome for each recipient.
    pub(crate) async fn deliver_over(
        &self,
        mut session: Session,
        request: &DeliveryRequest,
    ) -> Delivered {
        let host = session.host().name.clone();
        let offered = session.extensions().recipients_max.unwrap_or(RECIPIENTS);
        let at_once = offered.clamp(1, RECIPIENTS);
        let mut waiting = request.envelope.recipients.clone();
        let mut outcomes = Vec::with_capacity(waiting.len());
        let mut was_over = None;
        for _ in 0..TRANSACTIONS {
            let later = waiting.split_off(at_once.min(waiting.len()));
            let envelope = self.envelope(request, waiting);
            let clock = &*self.world().clock;
            let delivered = session.deliver(&envelope, &*request.content, clock).await;
            was_over.get_or_insert(delivered.iter().all(is_goodbye));
            let (next, done): (Vec<_>, Vec<_>) = delivered.into_iter().partition(comes_next);
            let progress = !done.is_empty();
            outcomes.extend(done);
            let left = envelope.recipients.into_iter();
            waiting = left
                .filter(|r| next.iter().any(|outcome| outcome.address == r.address))
                .chain(later)
                .collect();
            if waiting.is_empty() || !progress {
                outcomes.extend(next);
                break;
            }
        }
        let session = match session.is_open() {
            true => Some(session),
            false => {
                self.part(session);
                None
            }
        };
        Delivered {
            outcomes: in_order(request, &host, &outcomes),
            session,
            was_over: was_over.unwrap_or(false),
        }
    }

    fn envelope(
        &self,
        request: &DeliveryRequest,
        recipients: Vec<email2_smtp::Recipient>,
    ) -> Envelope {
        let mut mail = request.envelope.mail.clone();
        mail.size = Some(request.content.size());
        Envelope { mail, recipients }
    }
}

/// What a dialogue brought.
pub(crate) struct Delivered {
    /// One outcome a recipient, in the order of the envelope.
    pub(crate) outcomes: Vec<(Address, Outcome)>,
    /// The dialogue, if another message may follow.
    pub(crate) session: Option<Session>,
    /// It had ended before the message began.
    pub(crate) was_over: bool,
}

/// Nothing but a goodbye came back to MAIL: whoever keeps a dialogue open may find it so.
fn is_goodbye(outcome: &RecipientOutcome) -> bool {
    let ended = match &outcome.result {
        Err(Failure::Lost) => true,
        Err(Failure::Refused(reply)) => reply.closes(),
        _ => false,
    };
    ended && outcome.stage == Stage::Mail
}

fn comes_next(outcome: &RecipientOutcome) -> bool {
    match &outcome.result {
        Err(Failure::Refused(reply)) => {
            reply.is_temporary() && reply.enhanced() == Some(NEXT_TRANSACTION_STATUS)
        }
        _ => false,
    }
}

/// One outcome a recipient, in the order of the envelope; who never had a turn waits.
fn in_order(
    request: &DeliveryRequest,
    host: &str,
    outcomes: &[RecipientOutcome],
) -> Vec<(Address, Outcome)> {
    let known: HashMap<&Address, &RecipientOutcome> = outcomes
        .iter()
        .map(|outcome| (&outcome.address, outcome))
        .collect();
    let of = |address: &Address| {
        known.get(address).map_or_else(
            || {
                Outcome::Temporary(Reason {
                    text: "not tried yet".to_owned(),
                    ..Reason::default()
                })
            },
            |found| Outcome::of(&found.result).at(host, found.stage),
        )
    };
    let recipients = request.envelope.recipients.iter();
    recipients
        .map(|recipient| (recipient.address.clone(), of(&recipient.address)))
        .collect()
}

impl Outcome {
    /// What a server's reply, or its failing, means for the recipient.
    #[must_use]
    pub fn of(result: &Result<Reply, Failure>) -> Outcome {
        match result {
            Ok(reply) => Outcome::Accepted(reply.lines.join(" ")),
            Err(Failure::Refused(reply)) => refused(reply),
            Err(failure) if failure.is_temporary() => Outcome::Temporary(failed(failure)),
            Err(failure) => Outcome::Refused(failed(failure)),
        }
    }

    fn at(self, host: &str, stage: Stage) -> Outcome {
        match self {
            Outcome::Temporary(reason) => Outcome::Temporary(reason.at(host, stage)),
            Outcome::Refused(reason) => Outcome::Refused(reason.at(host, stage)),
            other => other,
        }
    }
}

/// A dialogue that broke in a transaction may have broken by this message.
fn failed(failure: &Failure) -> Reason {
    let enhanced = match failure {
        Failure::NotOffered(EIGHT_BIT) => Some(NO_EIGHT_BIT_STATUS),
        Failure::NotOffered(UTF8) => Some(NO_UTF8_STATUS),
        _ => None,
    };
    Reason {
        enhanced: enhanced.map(str::to_owned),
        text: failure.to_string(),
        scope: Scope::Transaction,
        ..Reason::default()
    }
}

fn refused(reply: &Reply) -> Outcome {
    let text = reply.lines.join(" ");
    match changed_etag_in(&text) {
        Some(etag) if reply.is_permanent() => Outcome::KeyChanged(etag),
        _ if reply.is_permanent() => Outcome::Refused(Reason::theirs(reply)),
        _ => Outcome::Temporary(Reason::theirs(reply)),
    }
}

fn outcome_of(trouble: Trouble, domain: &Domain) -> Outcome {
    let temporary = |why| Outcome::Temporary(Reason::ours(why));
    let refused = |why: &str| Outcome::Refused(Reason::ours(format!("{domain} {why}")));
    match trouble {
        Trouble::NoDomain => no_domain(domain),
        Trouble::NullMx => takes_no_mail(domain),
        Trouble::NotSpeaking => refused("does not speak Email 2.0"),
        Trouble::Dns(why) | Trouble::Alarm(why) | Trouble::Unreachable(why) => temporary(why),
        Trouble::Unauthenticated { why, .. } => temporary(why),
    }
}

/// The domain does not exist.
pub(crate) fn no_domain(domain: &Domain) -> Outcome {
    let why = format!("{domain} does not exist");
    Outcome::Refused(Reason::coded(NO_DOMAIN_STATUS, why))
}

/// The domain has a null MX (RFC 7505 §4.2).
pub(crate) fn takes_no_mail(domain: &Domain) -> Outcome {
    let why = format!("{domain} takes no mail");
    Outcome::Refused(Reason::coded(NULL_MX_STATUS, why))
}

/// The same outcome for every recipient.
pub(crate) fn for_all(request: &DeliveryRequest, outcome: &Outcome) -> Vec<(Address, Outcome)> {
    let recipients = request.envelope.recipients.iter();
    recipients
        .map(|to| (to.address.clone(), outcome.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply {
            code,
            lines: vec![text.to_owned()],
        }
    }

    #[test]
    fn replies_become_outcomes() {
        let changed = refused(&reply(550, "5.7.5 key-changed 0a1b"));
        assert_eq!(changed, Outcome::KeyChanged("0a1b".parse().unwrap()));
        let Outcome::Temporary(reason) =
            refused(&reply(451, "4.7.7 The seal has expired, clock=17"))
        else {
            panic!("a 4xx is temporary");
        };
        assert_eq!(reason.clock, Some(17));
        assert_eq!(reason.enhanced.as_deref(), Some("4.7.7"));
        assert!(matches!(
            refused(&reply(550, "5.1.1 no")),
            Outcome::Refused(_)
        ));
    }

    #[test]
    fn too_many_recipients_come_in_the_next_transaction() {
        let outcome = |code, text| RecipientOutcome {
            address: Address::parse("bob@example.org").unwrap(),
            result: Err(Failure::Refused(reply(code, text))),
            stage: Stage::Recipient,
        };
        assert!(comes_next(&outcome(452, "4.5.3 later")));
        assert!(!comes_next(&outcome(452, "4.2.2 full")));
        assert!(!comes_next(&outcome(550, "5.5.3 no")));
    }
}

//! Delivers to a domain: one message, its recipients there, one outcome for each.

use std::time::Duration;

use email2::rejection::{NEXT_TRANSACTION_STATUS, changed_etag_in, clock_in};
use email2::{Address, Domain, Etag};
use email2_smtp::client::{Failure, RecipientOutcome};
use email2_smtp::{Envelope, Reply};

use crate::connect::{ContentSource, Session};
use crate::keys::Trouble;
use crate::remote::Remote;

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
    /// Only to a host that is authenticated for the domain (spec §2.2). Without, its person has
    /// consented; a domain that was authenticated before must still be.
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
}

impl Reason {
    fn ours(text: String) -> Self {
        Reason {
            text,
            ..Reason::default()
        }
    }

    fn theirs(reply: &Reply) -> Self {
        let text = reply.lines.join(" ");
        Reason {
            code: Some(reply.code),
            enhanced: reply.enhanced().map(str::to_owned),
            clock: clock_in(&text),
            text,
        }
    }
}

impl Remote {
    /// Delivers `request`: one outcome for each recipient of its envelope, in their order.
    pub async fn deliver(&self, request: &DeliveryRequest) -> Vec<(Address, Outcome)> {
        match self.session_for(request).await {
            Ok(session) => self.deliver_over(session, request).await,
            Err(outcome) => {
                let recipients = &request.envelope.recipients;
                let every = recipients
                    .iter()
                    .map(|r| (r.address.clone(), outcome.clone()));
                every.collect()
            }
        }
    }

    async fn session_for(&self, request: &DeliveryRequest) -> Result<Session, Outcome> {
        let domain = &request.domain;
        let search = match self.search(domain, HOST_LIMIT).await {
            Ok(search) => search,
            Err(error) => return Err(outcome_of(self.unresolved(domain, error).await, domain)),
        };
        let (why, all_were_asked) = (search.why(), search.failures.is_empty());
        let Some(session) = search.session else {
            let trouble = self.unspoken(domain, why, all_were_asked).await;
            return Err(outcome_of(trouble, domain));
        };
        let assured = request.assured || self.is_remembered(domain).await;
        if assured && session.assurance().is_none() {
            let host = session.host().name.clone();
            self.part(session);
            let why = format!("{host} is not authenticated for {domain}");
            return Err(Outcome::Temporary(Reason::ours(why)));
        }
        Ok(session)
    }

    async fn deliver_over(
        &self,
        mut session: Session,
        request: &DeliveryRequest,
    ) -> Vec<(Address, Outcome)> {
        let offered = session.extensions().recipients_max.unwrap_or(RECIPIENTS);
        let at_once = offered.clamp(1, RECIPIENTS);
        let mut waiting = request.envelope.recipients.clone();
        let mut outcomes = Vec::with_capacity(waiting.len());
        for _ in 0..TRANSACTIONS {
            let later = waiting.split_off(at_once.min(waiting.len()));
            let envelope = self.envelope(request, waiting);
            let clock = &*self.world().clock;
            let delivered = session.deliver(&envelope, &*request.content, clock).await;
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
        self.part(session);
        in_order(request, &outcomes)
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

fn comes_next(outcome: &RecipientOutcome) -> bool {
    match &outcome.result {
        Err(Failure::Refused(reply)) => {
            reply.is_temporary() && reply.enhanced() == Some(NEXT_TRANSACTION_STATUS)
        }
        _ => false,
    }
}

/// One outcome a recipient, in the order of the envelope; who never had a turn waits.
fn in_order(request: &DeliveryRequest, outcomes: &[RecipientOutcome]) -> Vec<(Address, Outcome)> {
    let of = |address: &Address| {
        let found = outcomes.iter().find(|outcome| outcome.address == *address);
        found.map_or_else(
            || Outcome::Temporary(Reason::ours("not tried yet".to_owned())),
            |found| Outcome::of(&found.result),
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
            Err(failure) if failure.is_temporary() => {
                Outcome::Temporary(Reason::ours(failure.to_string()))
            }
            Err(failure) => Outcome::Refused(Reason::ours(failure.to_string())),
        }
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
        Trouble::NoDomain => refused("does not exist"),
        Trouble::NullMx => refused("takes no mail"),
        Trouble::NotSpeaking => refused("does not speak Email 2.0"),
        Trouble::Dns(why) | Trouble::Alarm(why) | Trouble::Unreachable(why) => temporary(why),
        Trouble::Unauthenticated { why, .. } => temporary(why),
    }
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
        };
        assert!(comes_next(&outcome(452, "4.5.3 later")));
        assert!(!comes_next(&outcome(452, "4.2.2 full")));
        assert!(!comes_next(&outcome(550, "5.5.3 no")));
    }
}

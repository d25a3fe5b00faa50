//! What was written here for our own people: it takes the path of `mx` without a connection, so
//! that it is judged like any other mail (spec §13.4.4).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use email2::rejection::Rejection;
use email2_remote::Outcome;
use email2_remote::deliver::Reason;
use email2_smtp::{Mail, Recipient};
use email2_store::queue::QueueEntry;

use super::deliver::{Outcomes, mail_of, waiting_of};
use crate::inbound::accept::store_failed;
use crate::inbound::envelope::Envelope;
use crate::inbound::spool::{self, Spooled};
use crate::mx;
use crate::session::Caller;
use crate::site::Site;

/// Delivers to every recipient that still waits.
pub(super) async fn deliver(site: &Arc<Site>, entry: &QueueEntry) -> Outcomes {
    let caller = Caller {
        site: Arc::clone(site),
        // Nobody connected: no network is to be counted.
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        name: site.config.hostname.to_string(),
        login: None,
        secured: true,
    };
    let mut waiting = waiting_of(entry);
    let mut outcomes = Outcomes::new();
    // Each round takes what shares an answer with its first (spec §3.9.4), so one at least.
    while !waiting.is_empty() {
        let round = Round::admit(&caller, mail_of(entry), waiting).await;
        outcomes.extend(round.refused);
        waiting = round.apart;
        let Some(envelope) = round.envelope else {
            continue;
        };
        let all = envelope.addresses();
        let answer = offer(&caller, entry, envelope).await;
        outcomes.extend(all.into_iter().map(|to| (to, outcome(&answer))));
    }
    outcomes
}

/// Recipients that share a transaction, and the others.
struct Round {
    envelope: Option<Envelope>,
    apart: Vec<Recipient>,
    refused: Outcomes,
}

impl Round {
    async fn admit(caller: &Caller, mail: Mail, recipients: Vec<Recipient>) -> Round {
        let mut envelope = Envelope::own(mail);
        let mut round = Round {
            envelope: None,
            apart: Vec::new(),
            refused: Outcomes::new(),
        };
        for to in recipients {
            match envelope.admit(caller, to.clone()).await {
                Ok(()) => {}
                Err(Rejection::RecipientApart) => round.apart.push(to),
                Err(rejection) => round.refused.push((to.address, outcome(&Err(rejection)))),
            }
        }
        round.envelope = (!envelope.addresses().is_empty()).then_some(envelope);
        round
    }
}

/// The answer that the end of the content would get.
async fn offer(
    caller: &Caller,
    entry: &QueueEntry,
    envelope: Envelope,
) -> Result<String, Rejection> {
    let spooled = spool(caller, entry, &envelope).await?;
    mx::decide(caller, envelope, spooled).await
}

/// Read as what comes over a connection: bounded, and refused when it goes round.
async fn spool(
    caller: &Caller,
    entry: &QueueEntry,
    envelope: &Envelope,
) -> Result<Spooled, Rejection> {
    let reader = caller.site.store.entry_body(entry.id).await;
    spool::again(caller, envelope, &*reader.map_err(store_failed)?).await
}

fn outcome(answer: &Result<String, Rejection>) -> Outcome {
    let rejection = match answer {
        Ok(text) => return Outcome::Accepted(text.clone()),
        Err(Rejection::KeyChanged { etag }) => return Outcome::KeyChanged(etag.clone()),
        Err(rejection) => rejection,
    };
    let reason = Reason {
        code: Some(rejection.code()),
        enhanced: Some(rejection.enhanced().to_string()),
        text: format!("{} {}", rejection.enhanced(), rejection.sentence()),
        ..Reason::default()
    };
    match rejection.is_temporary() {
        true => Outcome::Temporary(reason),
        false => Outcome::Refused(reason),
    }
}

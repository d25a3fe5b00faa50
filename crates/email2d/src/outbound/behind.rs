//! To the mail system behind this server: what was judged and kept for it (spec §15.1.2).

use std::io;

use email2_remote::deliver::Reason;
use email2_remote::{Outcome, Scope};
use email2_smtp::Envelope;
use email2_smtp::client::Failure;
use email2_store::queue::QueueEntry;

use super::deliver::{Outcomes, Queued, for_all, mail_of, waiting_of};
use crate::config::Inner;
use crate::inner;
use crate::site::Site;

/// Hands the entry over; who was answered is not handed over again.
pub(super) async fn deliver(site: &Site, entry: &QueueEntry, inner: &Inner) -> Outcomes {
    let handed = hand_over(site, entry, inner).await;
    match handed {
        Ok(answers) => answers
            .into_iter()
            .map(|(to, result)| (to, outcome(inner, result)))
            .collect(),
        Err(error) => for_all(entry, &unreached(inner, &error)),
    }
}

async fn hand_over(site: &Site, entry: &QueueEntry, inner: &Inner) -> io::Result<inner::Answers> {
    let body = site.store.entry_body(entry.id).await;
    let content = Queued::whole(body.map_err(io::Error::other)?);
    let envelope = Envelope {
        mail: mail_of(entry),
        recipients: waiting_of(entry),
    };
    inner::deliver(site, inner, envelope, &content).await
}

/// Nothing for the domain needs to be tried for a while.
fn unreached(inner: &Inner, error: &io::Error) -> Outcome {
    Outcome::Temporary(Reason {
        text: format!("{inner}: {error}"),
        scope: Scope::Domain,
        ..Reason::default()
    })
}

/// What the inner system's answer means.
fn outcome(inner: &Inner, result: Result<email2_smtp::Reply, Failure>) -> Outcome {
    let reply = match result {
        Ok(reply) => return Outcome::Accepted(reply.lines.join(" ")),
        Err(Failure::Refused(reply)) => reply,
        Err(failure) => {
            let reason = Reason {
                text: format!("{inner}: {failure}"),
                ..Reason::default()
            };
            return match failure.is_temporary() {
                true => Outcome::Temporary(reason),
                false => Outcome::Refused(reason),
            };
        }
    };
    let reason = Reason {
        code: Some(reply.code),
        enhanced: reply.enhanced().map(str::to_owned),
        text: reply.lines.join(" "),
        ..Reason::default()
    };
    match reply.is_permanent() {
        true => Outcome::Refused(reason),
        false => Outcome::Temporary(reason),
    }
}

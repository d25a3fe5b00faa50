//! The queue as text for people, and as JSON. Words of strangers are escaped.

use std::fmt::Write as _;

use email2_store::queue::Attempt;
use email2_store::{QueueEntry, TlsCount, WaitingDomain};
use serde_json::{Value, json};

use super::DAY;
use crate::command::output::rfc3339;

/// One entry in a line.
pub(super) fn line(entry: &QueueEntry) -> String {
    let next = match entry.held {
        true => "held".to_owned(),
        false => format!("next {}", rfc3339(entry.next_attempt)),
    };
    format!(
        "{id} from <{from}> to {domain}, {recipients}, {size} octets, {attempts}, {next}",
        id = entry.id.0,
        from = entry.mail_from,
        domain = entry.domain,
        recipients = counted(entry.recipients.len() as u64, "recipient"),
        size = entry.size,
        attempts = counted(u64::from(entry.attempts), "attempt"),
    )
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// What can be done about an entry that waits.
fn advice(entry: &QueueEntry) -> String {
    let id = entry.id.0;
    match entry.held {
        true => format!("`email2d queue release {id}` lets it go"),
        false => format!(
            "`email2d queue retry {id}` tries it at once; `email2d queue drop {id}` throws it away"
        ),
    }
}

/// One entry with all that is known of it.
pub(super) fn whole(entry: &QueueEntry, attempts: &[Attempt]) -> String {
    let mut text = line(entry);
    let sealed = match &entry.announced {
        Some((_, signer)) => format!("sealed by {signer}"),
        None => "not sealed".to_owned(),
    };
    let expires = rfc3339(entry.expires);
    let _ = write!(
        text,
        "\n  {sealed}, group {}, given up {expires}",
        entry.group
    );
    for to in &entry.recipients {
        let reply = to.reply.as_deref().unwrap_or("not tried yet");
        let (state, reply) = (to.state.as_str(), reply.escape_debug());
        let _ = write!(text, "\n  {}: {state}: {reply}", to.address);
    }
    for attempt in attempts {
        let at = rfc3339(attempt.at);
        for said in attempt.said.lines() {
            let said = said.escape_debug();
            let _ = write!(text, "\n  attempt {} at {at}: {said}", attempt.number);
        }
    }
    let _ = write!(text, "\n  {}", advice(entry));
    text
}

/// One entry as data.
pub(super) fn object(entry: &QueueEntry) -> Value {
    let recipients = entry.recipients.iter().map(|to| {
        json!({
            "address": to.address.to_string(),
            "state": to.state.as_str(),
            "reply": to.reply,
        })
    });
    json!({
        "id": entry.id.0,
        "group": entry.group,
        "from": entry.mail_from.to_string(),
        "domain": entry.domain.to_string(),
        "sealed_by": entry.announced.as_ref().map(|(_, signer)| signer.to_string()),
        "size": entry.size,
        "attempts": entry.attempts,
        "held": entry.held,
        "created": rfc3339(entry.created),
        "expires": rfc3339(entry.expires),
        "next_attempt": rfc3339(entry.next_attempt),
        "recipients": recipients.collect::<Vec<_>>(),
    })
}

/// One attempt as data.
pub(super) fn attempt(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "at": rfc3339(attempt.at),
        "reasons": attempt.said.lines().collect::<Vec<_>>(),
    })
}

/// One domain in a line.
pub(super) fn domain(waiting: &WaitingDomain) -> String {
    let next = waiting
        .due
        .map_or_else(|| "held".to_owned(), |due| format!("next {}", rfc3339(due)));
    let entries = match waiting.entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    let mut text = format!("{}: {entries}, {next}", waiting.domain);
    if waiting.state.failures > 0 {
        let why = waiting.why.as_deref().unwrap_or("no reason was given");
        let times = counted(u64::from(waiting.state.failures), "time");
        let why = why.escape_debug();
        let _ = write!(text, ", failed {times} in a row: {why}");
    }
    text
}

/// One domain as data.
pub(super) fn domain_object(waiting: &WaitingDomain) -> Value {
    json!({
        "domain": waiting.domain.to_string(),
        "entries": waiting.entries,
        "next_attempt": waiting.due.map(rfc3339),
        "failures": waiting.state.failures,
        "accepted": waiting.state.accepted.map(rfc3339),
        "why": waiting.why,
    })
}

/// One count in a line.
pub(super) fn tls(count: &TlsCount) -> String {
    format!(
        "{day} {domain} {policy} {host} {result}: {number}",
        day = day(count),
        domain = count.domain,
        policy = count.policy,
        host = count.host.escape_debug(),
        result = count.result,
        number = count.count,
    )
}

/// One count as data, in the words of RFC 8460.
pub(super) fn tls_object(count: &TlsCount) -> Value {
    json!({
        "date": day(count),
        "policy-domain": count.domain,
        "policy-type": count.policy,
        "mx-host": count.host,
        "result-type": count.result,
        "session-count": count.count,
    })
}

/// The date of a count.
fn day(count: &TlsCount) -> String {
    let time = rfc3339(count.day.saturating_mul(DAY));
    time.split('T').next().unwrap_or_default().to_owned()
}

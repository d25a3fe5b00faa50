//! Reports about what was passed on (spec §14.2.7): they come to the mediator, and the author is
//! told anew, about the message as it had come here. Where it went is nobody's business.

use std::net::{IpAddr, Ipv4Addr};

use email2::address::{Address, ReversePath};
use email2::capability::{KEY_FIELD, SEAL_FIELD};
use email2::certificate::Certificate;
use email2::evidence::SignerEvidence;
use email2::key_query::KeyFlags;
use email2::limits;
use email2::rejection::{OTHER_STATUS, Rejection};
use email2::seal::vouched::Vouched;
use email2::seal::{Role, Seal, verify};
use email2::verdict::Accepted;
use email2_store::queue::{NewEntry, QueueEntry, QueueRecipient, RecipientState};
use email2_store::{Delivery, Recipient, StoreError};

use super::onward::waiting;
use super::original::Original;
use super::{Mediated, Mediator, forward, store_failed, taken};
use crate::inbound::accept;
use crate::inbound::envelope::{Admitted, Envelope};
use crate::inbound::policy::Preferences;
use crate::inbound::signer;
use crate::outbound::dsn::{self, Kind, Report, ReportError};
use crate::session::Caller;
use crate::site::Site;
use crate::trace::Hop;

/// What the author is told: nothing of what another server said, which may name an address.
pub(super) const WORDS: &str = "it was taken here and could not be passed on";

/// Whose budget pays for a question that no stranger caused.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Takes a report that came to a mediator.
///
/// # Errors
/// The store failed, or a mailbox is full.
pub(super) async fn take(
    caller: &Caller,
    envelope: &Envelope,
    mediated: &Mediated,
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    let text = taken(&caller.site.new_id(), &accepted);
    let about = original
        .about
        .iter()
        .find(|seal| is_from(seal, &mediated.address));
    if let (Some(seal), false) = (about, matches!(mediated.by, Mediator::List(_))) {
        let quoted = original.body_begins(&caller.site).await?;
        let told = tell(&caller.site, &mediated.address, seal, &quoted).await;
        told.map_err(|error| Rejection::LocalError {
            why: error.to_string(),
        })?;
        return Ok(text);
    }
    let copy = match reader(&caller.site, mediated).await.map_err(store_failed)? {
        Some(to) => copy(caller, envelope, &to, original, accepted),
        None => return Ok(text),
    };
    forward::pass_on(caller, &mediated.address, Some(copy), Vec::new()).await?;
    Ok(text)
}

fn is_from(seal: &Seal, by: &Address) -> bool {
    seal.reverse_path == ReversePath::Address(by.clone())
}

/// Who reads the report: the account's owner about their own letter, a list's owner about a
/// member.
async fn reader(site: &Site, mediated: &Mediated) -> Result<Option<Admitted>, StoreError> {
    let owner = match &mediated.by {
        Mediator::Forward(to, _) => &to.account.address,
        Mediator::Confirm(account) => &account.address,
        Mediator::List(list) => &list.owner,
        _ => return Ok(None),
    };
    let known = site.recipient_for(owner).await?;
    Ok(known.map(|known| admitted(site, mediated, known)))
}

fn admitted(site: &Site, mediated: &Mediated, known: Recipient) -> Admitted {
    let legacy = site.config.legacy_of(known.account.address.domain());
    Admitted {
        address: mediated.address.clone(),
        preferences: Preferences::of(&mediated.address, &known, legacy),
        account: known.account,
    }
}

fn copy(
    caller: &Caller,
    envelope: &Envelope,
    to: &Admitted,
    original: &Original,
    accepted: Accepted,
) -> Delivery {
    let now = caller.site.world.now();
    let hop = Hop::of(caller, envelope, now);
    accept::copy(&hop, to, accepted, &original.authors, &original.mail, now)
}

/// Tells whose mail it is that an entry of the queue failed: a list about itself, everybody else
/// the author.
///
/// # Errors
/// See [`ReportError`].
pub(crate) async fn of_entry(
    site: &Site,
    entry: &QueueEntry,
    header: &[u8],
    failed: &[&QueueRecipient],
) -> Result<(), ReportError> {
    let Some(by) = entry.mail_from.address() else {
        return Ok(());
    };
    if site.store.list(by).await?.is_some() {
        let report = Report {
            by: by.domain(),
            to: by,
            arrived: entry.created,
            until: entry.expires,
            kind: Kind::Failed,
            about: failed,
            header,
        };
        site.store
            .enqueue(vec![letter(site, &report).await?])
            .await?;
        site.departures.announce();
        return Ok(());
    }
    let seals = email2::seal::reported::reported(header);
    match seals.iter().find(|seal| seal.role == Role::Forward) {
        Some(seal) => tell(site, by, seal, header).await,
        None => Ok(()),
    }
}

/// Tells the author, once, of the message below our seal `ours` that stands in `quoted`.
async fn tell(site: &Site, by: &Address, ours: &Seal, quoted: &[u8]) -> Result<(), ReportError> {
    let Some(received) = Received::below(ours, quoted) else {
        return Ok(());
    };
    let below = &received.seal;
    let ReversePath::Address(author) = &below.reverse_path else {
        return Ok(());
    };
    let passed = site.store.passed(by, &below.key, below.nonce).await?;
    let is_known = passed.is_some_and(|passed| passed.digest == below.digest);
    if !is_known || !received.verifies(site).await {
        tracing::info!(%by, "a report about nothing that was passed on");
        return Ok(());
    }
    let failed = QueueRecipient {
        state: RecipientState::Refused,
        reply: Some(format!("{OTHER_STATUS} {WORDS}")),
        ..waiting(by.clone())
    };
    let report = Report {
        by: by.domain(),
        to: author,
        arrived: below.created,
        until: below.expires,
        kind: Kind::Failed,
        about: &[&failed],
        header: &received.header,
    };
    let entry = letter(site, &report).await?;
    let told = site
        .store
        .report_passage(by, &below.key, below.nonce, entry);
    if told.await? {
        site.departures.announce();
    }
    Ok(())
}

/// A report on its way, with an empty reverse-path (spec §4.13.1).
async fn letter(site: &Site, report: &Report<'_>) -> Result<NewEntry, ReportError> {
    let (signer, body) = dsn::write(site, report).await?;
    let now = site.world.now();
    Ok(NewEntry {
        group: site.new_id(),
        domain: report.to.domain().clone(),
        mail_from: ReversePath::Null,
        announced: Some((Role::Service, signer)),
        recipients: vec![waiting(report.to.clone())],
        body,
        front: Vec::new(),
        details: String::new(),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    })
}

/// A message as it had come here, found in what is quoted of it as it went on.
struct Received {
    seal: Seal,
    header: Vec<u8>,
    vouched: Option<Vouched>,
}

impl Received {
    /// What stands below `ours`: the next seal and all that follows, to the end of the section.
    fn below(ours: &Seal, quoted: &[u8]) -> Option<Received> {
        let fields = Fields::of(quoted);
        let is_ours = |field: &&[u8]| {
            value(field, SEAL_FIELD)
                .and_then(|value| Seal::parse(value).ok())
                .as_ref()
                == Some(ours)
        };
        let place = fields.0.iter().position(is_ours)?;
        let below = fields.0.get(place + 1..)?;
        let next = below
            .iter()
            .position(|field| value(field, SEAL_FIELD).is_some())?;
        let between = below.get(..next)?;
        let received = below.get(next..)?;
        let seal = Seal::parse(value(received.first()?, SEAL_FIELD)?).ok()?;
        let key = between.iter().find_map(|field| value(field, KEY_FIELD));
        Some(Received {
            seal,
            header: received.concat(),
            vouched: key.and_then(|key| Vouched::parse(key).ok()),
        })
    }

    /// Did whoever is told seal it? `k`, `n` and `h` are those of a message that was judged; by
    /// the same key, so is the rest.
    async fn verifies(&self, site: &Site) -> bool {
        let by = |certificate: &Certificate, flags: &KeyFlags| {
            verify(&self.seal, certificate, flags).is_ok()
        };
        let vouched = self.vouched.as_ref();
        if vouched.is_some_and(|vouched| by(&vouched.certificate, &vouched.flags)) {
            return true;
        }
        let (who, key) = (&self.seal.signer, &self.seal.key);
        // Of a stack only the author's key is vouched for; its mediator is our neighbour.
        let found = match site.answers_for(who) {
            true => signer::held(site, who, key).await,
            false => site.remote.signer(NOBODY, who, key).await,
        };
        match found {
            SignerEvidence::Known(key) => by(&key.certificate, &key.flags),
            _ => false,
        }
    }
}

/// The lines of a header section, put together to fields; what comes in front of it is left out.
struct Fields<'a>(Vec<&'a [u8]>);

impl<'a> Fields<'a> {
    fn of(quoted: &'a [u8]) -> Fields<'a> {
        let start = quoted
            .split_inclusive(|octet| *octet == b'\n')
            .scan(0, |offset, line| {
                let begin = *offset;
                *offset += line.len();
                Some((begin, line))
            })
            .find(|(_, line)| value(line, SEAL_FIELD).is_some())
            .map_or(quoted.len(), |(begin, _)| begin);
        let mut rest = quoted.get(start..).unwrap_or_default();
        let mut fields = Vec::new();
        while let Some(end) = field_end(rest) {
            let (field, others) = rest.split_at(end);
            fields.push(field);
            rest = others;
        }
        Fields(fields)
    }
}

/// Where the field that begins here ends; none at the end of the section.
fn field_end(text: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if end > 0 && !folded {
            return Some(end);
        }
        if end == 0 && (folded || line == b"\r\n" || line.starts_with(b"--")) {
            return None;
        }
        end += line.len();
    }
    (end > 0).then_some(end)
}

/// What stands behind the colon of a field of that name.
fn value<'a>(field: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (written, value) = field.split_at_checked(name.len())?;
    let is_named = written.eq_ignore_ascii_case(name.as_bytes());
    value.strip_prefix(b":").filter(|_| is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_begin_at_the_first_seal_and_end_with_the_section() {
        let quoted = b"--b\r\nContent-Type: x\r\n\r\nReceived: a\r\nEmail2-Seal: 1\r\n 2\r\nList-Id: <l>\r\n\r\n--b--\r\n";
        let fields = Fields::of(quoted).0;
        let expected: [&[u8]; 2] = [b"Email2-Seal: 1\r\n 2\r\n", b"List-Id: <l>\r\n"];
        assert_eq!(fields, expected);
        assert!(Fields::of(b"nothing").0.is_empty());
    }
}

//! The reverse-path of ordinary mail that is passed on (spec §14.2.6): an address of this domain
//! that names the sender, for a time, so that reports find back and nobody else's do.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use email2::address::{Address, Domain, ReversePath};
use email2::limits;
use email2::rejection::{OTHER_STATUS, Rejection};
use email2::verdict::Accepted;
use email2_store::queue::{NewEntry, QueueEntry, QueueRecipient, RecipientState};
use email2_store::{Passage, StoreError};

use super::onward::waiting;
use super::original::{Original, message_id};
use super::report::WORDS;
use super::{refuse_doubtful, secret, store_failed, taken};
use crate::inbound::envelope::Envelope;
use crate::outbound::dsn::{self, Kind, Report};
use crate::session::Caller;
use crate::site::Site;

/// How such a local part begins, where SPF let whoever sent it use the sender's domain.
const PROVED: &str = "s=";
/// And where anybody may have named the sender.
const UNPROVED: &str = "r=";
/// Octets of the code that are kept.
const CODE: usize = 10;
/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL_PART: usize = 64;
const DAY: u64 = 86_400;

/// Whose mail went on under a reverse-path of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The reverse-path that it came with.
    pub(crate) sender: Address,
    /// SPF passed for it when it came.
    pub(crate) proved: bool,
}

/// The reverse-path under which the mail of `sender` goes on from `by`: none for a report, `by`
/// itself where no local part holds the sender.
pub(super) fn ours(site: &Site, by: &Address, sender: &ReversePath, proved: bool) -> ReversePath {
    let ReversePath::Address(sender) = sender else {
        return ReversePath::Null;
    };
    let origin = Origin {
        sender: sender.clone(),
        proved,
    };
    let named = name(site, by.domain(), &origin);
    ReversePath::Address(named.unwrap_or_else(|| by.clone()))
}

fn name(site: &Site, domain: &Domain, origin: &Origin) -> Option<Address> {
    let day = site.world.now() / DAY;
    let code = code(site, domain, day, origin)?;
    let (mark, sender) = (mark(origin.proved), &origin.sender);
    let local = format!(
        "{mark}{code}={day:x}={}={}",
        sender.domain(),
        sender.local()
    );
    if local.len() > LOCAL_PART || sender.needs_smtputf8() {
        return None;
    }
    Address::from_parts(local, domain.clone()).ok()
}

fn mark(proved: bool) -> &'static str {
    if proved { PROVED } else { UNPROVED }
}

/// Whose mail went on under this reverse-path, if it is one of ours and its time is not over.
pub(crate) fn original(site: &Site, address: &Address) -> Option<Origin> {
    let marked = |proved| Some((proved, address.local().strip_prefix(mark(proved))?));
    let (proved, named) = marked(true).or_else(|| marked(false))?;
    let mut parts = named.splitn(4, '=');
    let (code, day) = (parts.next()?, parts.next()?);
    let (domain, local) = (parts.next()?, parts.next()?);
    let sender = Address::from_parts(local.to_owned(), Domain::parse(domain).ok()?).ok()?;
    let day = u64::from_str_radix(day, 16).ok()?;
    let today = site.world.now() / DAY;
    let over = today.saturating_sub(day).saturating_mul(DAY) > limits::RETURN_PATH_LIFETIME;
    let origin = Origin { sender, proved };
    let ours = self::code(site, address.domain(), day, &origin)?;
    (day <= today && !over && ours == code).then_some(origin)
}

/// What only this server can write: 80 bits in 16 characters (RFC 4648 §6, in lower case: some
/// servers write local parts so).
fn code(site: &Site, domain: &Domain, day: u64, origin: &Origin) -> Option<String> {
    let key = secret::octets(site, "return-path");
    let key = key.inspect_err(|error| tracing::error!(%error, "keys/return-path.key"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.ok()?);
    let (mark, sender) = (mark(origin.proved), &origin.sender);
    let said = format!("{mark}\0{domain}\0{day}\0{sender}");
    let code = hmac::sign(&key, said.as_bytes());
    let code = code.as_ref().get(..CODE)?;
    Some(BASE32_NOPAD.encode(code).to_ascii_lowercase())
}

/// Tells the sender of ordinary mail that could not be passed on from here, about the message as it
/// had come (spec §14.2.8): once, to however many domains it went. Nobody is told where that cannot
/// be read any more.
///
/// # Errors
/// The store failed.
pub(crate) async fn failed(
    site: &Site,
    entry: &QueueEntry,
    sender: &Address,
) -> Result<(), StoreError> {
    let header = dsn::original_header(site, entry).await?;
    let Some((by, header)) = as_it_came(&header) else {
        return Ok(());
    };
    let told = Told {
        by: &by,
        sender,
        arrived: entry.created,
        header,
    };
    let report = told.entry(site).await?;
    // All entries of one reception are over before that.
    let until = entry.created + limits::RETURN_PATH_LIFETIME;
    if site.store.report_once(&entry.group, until, report).await? {
        site.departures.announce();
    }
    Ok(())
}

/// To whom it had come, and its own fields: ours stand in front (spec §14.2.1).
fn as_it_came(header: &[u8]) -> Option<(Address, &[u8])> {
    let mut lines = header.split_inclusive(|octet| *octet == b'\n');
    let first = lines.next()?;
    let by = std::str::from_utf8(first.strip_prefix(DELIVERED_TO)?).ok()?;
    let by = Address::parse(by.trim()).ok()?;
    let received = lines.next().filter(|line| line.starts_with(b"Received:"))?;
    let folded = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    let ours = first.len() + received.len() + folded.map(<[u8]>::len).sum::<usize>();
    Some((by, header.get(ours..)?))
}

/// The field that every mediator writes first.
const DELIVERED_TO: &[u8] = b"Delivered-To:";

/// What a sender is told.
struct Told<'a> {
    by: &'a Address,
    sender: &'a Address,
    arrived: u64,
    header: &'a [u8],
}

impl Told<'_> {
    async fn entry(&self, site: &Site) -> Result<NewEntry, StoreError> {
        let failed = QueueRecipient {
            state: RecipientState::Refused,
            reply: Some(format!("{OTHER_STATUS} {WORDS}")),
            ..waiting(self.by.clone())
        };
        let report = Report {
            by: self.by.domain(),
            to: self.sender,
            arrived: self.arrived,
            until: site.world.now(),
            kind: Kind::Failed,
            about: &[&failed],
            header: self.header,
        };
        dsn::ordinary(site, &report).await
    }
}

/// A report about ordinary mail comes back from where it went: its sender is told anew, of the
/// address that they wrote to and of no other (spec §14.2.8). Nothing but a report is taken.
pub(super) async fn back(
    caller: &Caller,
    envelope: &Envelope,
    sender: &Address,
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    refuse_doubtful(&accepted)?;
    let path = accepted.mailbox().clone();
    let site = &*caller.site;
    let quoted = original.body_begins(site).await?;
    let quoted = Quoted::read(&quoted, path.domain());
    if envelope.mail_from().address().is_some() || !quoted.failed {
        return Err(Rejection::NoSuchMailbox { recipient: path });
    }
    let told = Told {
        by: quoted.by.as_ref().unwrap_or(&path),
        sender,
        arrived: site.world.now(),
        header: &quoted.message_id,
    };
    let entry = told.entry(site).await.map_err(store_failed)?;
    let text = taken(&site.new_id(), &accepted);
    let passage = Passage {
        by: path,
        accepted,
        entries: vec![entry],
        held: false,
    };
    let kept = site.store.pass_on(Vec::new(), vec![passage]).await;
    kept.map_err(store_failed)?;
    site.departures.announce();
    Ok(text)
}

/// What is believed of a report of another server (RFC 3464).
#[derive(Debug, Default, PartialEq, Eq)]
struct Quoted {
    /// It says that something failed for good.
    failed: bool,
    /// The address of ours that passed the message on.
    by: Option<Address>,
    /// The field of the message that it is about; empty when none is quoted.
    message_id: Vec<u8>,
}

impl Quoted {
    fn read(body: &[u8], ours: &Domain) -> Quoted {
        let text = String::from_utf8_lossy(body);
        let mut found = Quoted::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "action" => found.failed |= value.eq_ignore_ascii_case("failed"),
                "delivered-to" if found.by.is_none() => {
                    let by = Address::parse(value).ok();
                    found.by = by.filter(|by| by.domain() == ours);
                }
                // The last one: that of the report itself stands above its body.
                "message-id" => {
                    if let Some(id) = message_id(value) {
                        found.message_id = format!("Message-ID: {id}\r\n").into_bytes();
                    }
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_given_back_as_it_had_come() {
        let header = b"Delivered-To: alice@example.com\r\nReceived: from a\r\n by b;\r\n x\r\n\
            Received: from c\r\nFrom: d@e.f\r\n";
        let (by, rest) = as_it_came(header).unwrap();
        assert_eq!(by.to_string(), "alice@example.com");
        assert_eq!(rest, b"Received: from c\r\nFrom: d@e.f\r\n");
        assert_eq!(as_it_came(b"From: d@e.f\r\n"), None);
    }

    #[test]
    fn of_a_report_is_believed_that_it_failed_and_which_message() {
        let ours = Domain::parse("example.com").unwrap();
        let report = "--b\r\n\r\nSorry, hidden@far.net.\r\n--b\r\nFinal-Recipient: rfc822; \
            hidden@far.net\r\naction: Failed\r\n\r\n--b\r\nDelivered-To: hidden@far.net\r\n\
            Delivered-To: alice@example.com\r\nMessage-ID: <1@x>\r\nTo: alice@example.com\r\n";
        let quoted = Quoted::read(report.as_bytes(), &ours);
        assert!(quoted.failed);
        assert_eq!(quoted.by, "alice@example.com".parse().ok());
        assert_eq!(quoted.message_id, b"Message-ID: <1@x>\r\n");
        let late = report.replace("Failed", "delayed");
        assert!(!Quoted::read(late.as_bytes(), &ours).failed);
    }
}

//! The report to the author of what could not be delivered (RFC 3464), sealed by the domain's
//! service key (spec §4.13.1). It goes to the author's own mailbox here, so none is ever on its
//! way, and none causes another.

use std::fmt::Write as _;

use email2::address::{Address, Domain, Identity, ReversePath};
use email2::limits;
use email2::rejection::{OTHER_STATUS, TIME_OVER_STATUS};
use email2::seal::digest::ContentDigest;
use email2::seal::{Nonce, Role, SealError, SealRequest, sign};
use email2_store::mailbox::INBOX;
use email2_store::message::Generate;
use email2_store::queue::{QueueEntry, QueueRecipient};
use email2_store::{Generated, StoreError};
use rand_core::RngCore as _;

use crate::service_key::{self, ServiceKeyError};
use crate::site::Site;
use crate::trace;

/// Why a report cannot be made. What it is about stays in the queue until it can.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The domain's service key cannot be used.
    #[error(transparent)]
    ServiceKey(#[from] ServiceKeyError),
    /// The report cannot be sealed.
    #[error("the report cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

/// Octets of the original's header that are given back: its seal is among them (spec §4.13.2).
const HEADER_OCTETS: usize = 64 * 1024;
/// Characters of another server's words that are repeated.
const WORDS: usize = 400;

/// One report about these recipients, for the author of the entry; none when nobody failed, for
/// a null reverse-path, and for an author who has no account here any more.
///
/// # Errors
/// See [`ReportError`]: no report leaves unsealed (spec §4.13.1).
pub(super) async fn reports(
    site: &Site,
    entry: &QueueEntry,
    failed: &[&QueueRecipient],
) -> Result<Vec<Generate>, ReportError> {
    let Some(author) = entry.mail_from.address().filter(|_| !failed.is_empty()) else {
        return Ok(Vec::new());
    };
    let Some(account) = site.store.account(author).await? else {
        return Ok(Vec::new());
    };
    let header = original_header(site, entry).await?;
    let mut octets = compose(site, entry, author, failed, &header);
    let seal = seal(site, author, &octets).await?;
    octets.splice(0..0, seal.into_bytes());
    let mut writer = site.store.write_body().await?;
    writer.push(&octets).await?;
    Ok(vec![Generate {
        door: Generated::by(author.domain().clone()),
        account: account.id,
        mailbox: INBOX.to_owned(),
        body: writer.finish().await?,
        received: site.world.now(),
    }])
}

/// The original's header section, whole lines of it.
async fn original_header(site: &Site, entry: &QueueEntry) -> Result<Vec<u8>, StoreError> {
    let body = site.store.entry_body(entry.id).await?;
    let octets = body.read(0, HEADER_OCTETS).await?;
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.or_else(|| octets.windows(2).rposition(|two| two == b"\r\n"));
    let end = end.map_or(0, |end| end + 2);
    Ok(octets.get(..end).unwrap_or_default().to_vec())
}

fn compose(
    site: &Site,
    entry: &QueueEntry,
    author: &Address,
    failed: &[&QueueRecipient],
    header: &[u8],
) -> Vec<u8> {
    let mut rng = site.world.rng();
    let boundary = format!("report-{:016x}{:016x}", rng.next_u64(), rng.next_u64());
    let host = site.config.hostname.to_string();
    let date = trace::date(site.world.now());
    let domain = author.domain();
    let text = text(failed);
    let status = status(&host, &trace::date(entry.created), failed);
    let mut octets = format!(
        "From: {daemon}\r\nTo: {author}\r\nDate: {date}\r\nMessage-ID: <{id}@{domain}>\r\n\
         Subject: Not delivered\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\
         \r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n--{boundary}\r\n\
         Content-Type: message/delivery-status\r\n\r\n{status}\r\n--{boundary}\r\n\
         Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        daemon = daemon(domain),
        id = site.new_id(),
    )
    .into_bytes();
    octets.extend_from_slice(header);
    octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    octets
}

/// Who speaks for the domain's service (spec §4.5.3).
fn daemon(domain: &Domain) -> String {
    format!("mailer-daemon@{domain}")
}

fn text(failed: &[&QueueRecipient]) -> String {
    let mut text = "Your message could not be delivered to:\r\n".to_owned();
    for to in failed {
        let words = words(to);
        let _ = write!(text, "\r\n  {}\r\n    {words}\r\n", to.address);
        if words.contains("key-changed") {
            text.push_str("    The key of this recipient changed: send the message again.\r\n");
        }
    }
    text
}

fn status(host: &str, arrived: &str, failed: &[&QueueRecipient]) -> String {
    let mut status = format!("Reporting-MTA: dns; {host}\r\nArrival-Date: {arrived}\r\n");
    for to in failed {
        let kind = if to.address.needs_smtputf8() {
            "utf-8"
        } else {
            "rfc822"
        };
        let _ = write!(
            status,
            "\r\nFinal-Recipient: {kind}; {}\r\nAction: failed\r\nStatus: {}\r\n\
             Diagnostic-Code: smtp; {}\r\n",
            to.address,
            code(to),
            words(to)
        );
    }
    status
}

/// The enhanced code in a server's words; a temporary one means that the time was over.
fn code(to: &QueueRecipient) -> String {
    let words = words(to);
    let is_code = |word: &&str| {
        let mut numbers = word.split('.');
        let three = numbers.clone().count() == 3;
        three && numbers.all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    match words.split(' ').find(is_code) {
        Some(code) if code.starts_with('5') => code.to_owned(),
        Some(_) => TIME_OVER_STATUS.to_owned(),
        None if words.starts_with('5') => OTHER_STATUS.to_owned(),
        None => TIME_OVER_STATUS.to_owned(),
    }
}

/// A stranger's words as one line of printable ASCII.
fn words(to: &QueueRecipient) -> String {
    let said = to.reply.as_deref().unwrap_or("no reason was given");
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    said.chars().take(WORDS).map(plain).collect()
}

/// The seal of the domain's service.
async fn seal(site: &Site, author: &Address, content: &[u8]) -> Result<String, ReportError> {
    let (now, mut rng) = (site.world.now(), site.world.rng());
    let domain = author.domain();
    let data = &site.config.data_directory;
    let key = service_key::ensure(data, domain, &site.store, now, &mut rng).await?;
    let request = SealRequest {
        role: Role::Service,
        signer: Identity::Service(domain.clone()),
        reverse_path: ReversePath::Null,
        recipients: vec![author.clone()],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(content)?,
    };
    Ok(sign(&request, &key, &mut rng)?.field())
}

#[cfg(test)]
mod tests {
    use email2_store::queue::RecipientState;

    use super::*;

    fn refused(reply: &str) -> QueueRecipient {
        QueueRecipient {
            address: Address::parse("alice@example.com").unwrap(),
            etag: None,
            state: RecipientState::Refused,
            reply: Some(reply.to_owned()),
        }
    }

    #[test]
    fn the_status_is_the_servers_or_that_the_time_was_over() {
        assert_eq!(code(&refused("550 5.1.1 nobody")), "5.1.1");
        assert_eq!(code(&refused("5.7.5 key-changed 0a")), "5.7.5");
        assert_eq!(code(&refused("550 no")), "5.0.0");
        assert_eq!(code(&refused("451 4.3.0 later")), "4.4.7");
        assert_eq!(code(&refused("no answer from 192.0.2.1")), "4.4.7");
    }

    #[test]
    fn words_of_strangers_break_no_line() {
        let to = refused("550 5.1.1 a\r\nBcc: eve@example.net\u{1b}[2J");
        let status = status("mx.example.org", "then", &[&to]);
        assert!(!status.contains("\r\nBcc"), "{status}");
        assert!(
            status.ends_with("Diagnostic-Code: smtp; 550 5.1.1 a??Bcc: eve@example.net?[2J\r\n")
        );
        assert_eq!(words(&refused(&"x".repeat(1000))).len(), WORDS);
    }
}

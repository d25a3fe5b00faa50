//! The text of a report (RFC 3464).

use std::fmt::Write as _;

use email2::address::Domain;
use email2::rejection::{LATE_STATUS, OTHER_STATUS, TIME_OVER_STATUS};
use email2_store::queue::QueueRecipient;

use rand_core::RngCore as _;

use super::Report;
use crate::site::Site;
use crate::trace;

/// Characters of another server's words that are repeated.
const WORDS: usize = 400;

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is not delivered, and will not be.
    Failed,
    /// It is not delivered yet.
    Late,
}

impl Kind {
    fn subject(self) -> &'static str {
        match self {
            Kind::Failed => "Not delivered",
            Kind::Late => "Not delivered yet",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Late => "delayed",
        }
    }
}

/// The report without its seal.
pub(super) fn compose(site: &Site, report: &Report<'_>) -> Vec<u8> {
    let mut rng = site.world.rng();
    let boundary = format!("report-{:016x}{:016x}", rng.next_u64(), rng.next_u64());
    let host = site.config.hostname.to_string();
    let date = trace::date(site.world.now());
    let until = trace::date(report.until);
    let (kind, about) = (report.kind, report.about);
    let (author, domain) = (report.to, report.by);
    let text = text(kind, &until, about);
    let arrived = trace::date(report.arrived);
    let status = status(kind, (&host, &arrived, &until), about);
    let mut octets = format!(
        "From: {daemon}\r\nTo: {author}\r\nDate: {date}\r\nMessage-ID: <{id}@{domain}>\r\n\
         Subject: {subject}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\
         \r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n--{boundary}\r\n\
         Content-Type: message/delivery-status\r\n\r\n{status}\r\n--{boundary}\r\n\
         Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        daemon = daemon(domain),
        subject = kind.subject(),
        id = site.new_id(),
    )
    .into_bytes();
    octets.extend_from_slice(report.header);
    octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    octets
}

/// Who speaks for the domain's service (spec §4.5.3).
fn daemon(domain: &Domain) -> String {
    format!("mailer-daemon@{domain}")
}

fn text(kind: Kind, until: &str, about: &[&QueueRecipient]) -> String {
    let mut text = match kind {
        Kind::Failed => "Your message could not be delivered to:\r\n".to_owned(),
        Kind::Late => format!(
            "Your message is not delivered yet, and is tried until {until}.\r\n\
             There is nothing to do. It waits for:\r\n"
        ),
    };
    for to in about {
        let words = words(to);
        let _ = write!(text, "\r\n  {}\r\n    {words}\r\n", to.address);
        if words.contains("key-changed") {
            text.push_str("    The key of this recipient changed: send the message again.\r\n");
        }
    }
    text
}

fn status(
    kind: Kind,
    (host, arrived, until): (&str, &str, &str),
    about: &[&QueueRecipient],
) -> String {
    let mut status = format!("Reporting-MTA: dns; {host}\r\nArrival-Date: {arrived}\r\n");
    for to in about {
        let address = match to.address.needs_smtputf8() {
            true => "utf-8",
            false => "rfc822",
        };
        let _ = write!(
            status,
            "\r\nFinal-Recipient: {address}; {}\r\nAction: {}\r\nStatus: {}\r\n\
             Diagnostic-Code: smtp; {}\r\n",
            to.address,
            kind.action(),
            code(kind, to),
            words(to)
        );
        if kind == Kind::Late {
            let _ = write!(status, "Will-Retry-Until: {until}\r\n");
        }
    }
    status
}

/// The enhanced code in a server's words. Of what failed, a temporary one means that the time
/// was over.
fn code(kind: Kind, to: &QueueRecipient) -> String {
    let words = words(to);
    let is_code = |word: &&str| {
        let mut numbers = word.split('.');
        let three = numbers.clone().count() == 3;
        three && numbers.all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    match (kind, words.split(' ').find(is_code)) {
        (Kind::Late, Some(code)) if code.starts_with('4') => code.to_owned(),
        (Kind::Late, _) => LATE_STATUS.to_owned(),
        (Kind::Failed, Some(code)) if code.starts_with('5') => code.to_owned(),
        (Kind::Failed, None) if words.starts_with('5') => OTHER_STATUS.to_owned(),
        (Kind::Failed, _) => TIME_OVER_STATUS.to_owned(),
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

#[cfg(test)]
mod tests {
    use email2::address::Address;
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
        assert_eq!(code(Kind::Failed, &refused("550 5.1.1 nobody")), "5.1.1");
        assert_eq!(
            code(Kind::Failed, &refused("5.7.5 key-changed 0a")),
            "5.7.5"
        );
        assert_eq!(code(Kind::Failed, &refused("550 no")), "5.0.0");
        assert_eq!(code(Kind::Failed, &refused("451 4.3.0 later")), "4.4.7");
        assert_eq!(
            code(Kind::Failed, &refused("no answer from 192.0.2.1")),
            "4.4.7"
        );
    }

    #[test]
    fn what_is_late_has_a_temporary_status_and_says_until_when() {
        assert_eq!(code(Kind::Late, &refused("451 4.3.0 later")), "4.3.0");
        assert_eq!(code(Kind::Late, &refused("no answer")), "4.4.0");
        let times = ("mx.example.org", "then", "at last");
        let status = status(Kind::Late, times, &[&refused("no answer")]);
        assert!(status.contains("Action: delayed\r\n"), "{status}");
        assert!(
            status.ends_with("Will-Retry-Until: at last\r\n"),
            "{status}"
        );
    }

    #[test]
    fn words_of_strangers_break_no_line() {
        let to = refused("550 5.1.1 a\r\nBcc: eve@example.net\u{1b}[2J");
        let status = status(Kind::Failed, ("mx.example.org", "then", "later"), &[&to]);
        assert!(!status.contains("\r\nBcc"), "{status}");
        assert!(
            status.ends_with("Diagnostic-Code: smtp; 550 5.1.1 a??Bcc: eve@example.net?[2J\r\n")
        );
        assert_eq!(words(&refused(&"x".repeat(1000))).len(), WORDS);
    }
}

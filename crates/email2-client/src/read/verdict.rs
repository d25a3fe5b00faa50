//! What a reader's server says of a message, and what that means for the reader.

use email2::Address;
use email2::verdict::{Provenance, UnverifiedReason, Via};
use serde::Serialize;

use super::Person;
use crate::way::{self, Checked, Step};

/// What the server's column says of a message (spec §10.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The author, where it is proved who that is.
    pub author: Option<String>,
    /// The author whom a mediator of the reader's checked, and which one: a class below.
    pub checked: Option<Checked>,
    /// The way that it took, from its author on; empty when it came directly.
    pub way: Vec<Step>,
    /// In words.
    pub words: String,
    /// Why it is not verified, and what its reader can do: register the mediator that it came by
    /// (spec §11.6.2), or know why it is where it is (spec §12.6.9).
    pub advice: Option<String>,
}

/// The field that the server puts in front of a message, and no message can
/// write: below a seal it is refused, elsewhere it is renamed (spec §10.3).
const VERDICT_FIELD: &[u8] = b"Email2-Verdict:";

impl Verdict {
    /// Splits the server's field off a message.
    pub(super) fn take(raw: &[u8]) -> (Verdict, &[u8]) {
        let none = Verdict::unproved("the server says nothing about this message");
        let end = raw.windows(2).position(|pair| pair == b"\r\n");
        let Some((line, rest)) = end.and_then(|end| raw.split_at_checked(end)) else {
            return (none, raw);
        };
        let Some(value) = line.strip_prefix(VERDICT_FIELD) else {
            return (none, raw);
        };
        let verdict = Verdict::of(String::from_utf8_lossy(value).trim());
        (verdict, rest.strip_prefix(b"\r\n").unwrap_or(rest))
    }

    fn of(words: &str) -> Verdict {
        let provenance = words.parse().ok();
        Verdict {
            author: match &provenance {
                Some(Provenance::Verified { author, .. }) => Some(author.to_string()),
                _ => None,
            },
            checked: provenance.as_ref().and_then(Checked::of),
            way: provenance.as_ref().map(way::of).unwrap_or_default(),
            words: words.to_owned(),
            advice: provenance.as_ref().and_then(advice),
        }
    }

    fn unproved(words: &str) -> Verdict {
        Verdict {
            author: None,
            checked: None,
            way: Vec::new(),
            words: words.to_owned(),
            advice: None,
        }
    }

    /// The verdict is about one author: it holds for no other that is shown.
    pub(super) fn for_author(self, shown: Option<&Person>) -> Verdict {
        let checked = self.checked.as_ref().map(|checked| &checked.author);
        match self.author.as_ref().or(checked) {
            Some(proved) if shown.is_none_or(|person| person.address != *proved) => {
                Verdict::unproved("the author who was proved is not the one in From")
            }
            _ => self,
        }
    }

    /// Whether the message came as ordinary mail, and nothing proves its author.
    pub(super) fn is_ordinary(&self) -> bool {
        self.class() == "unverified"
    }

    /// Whether a key that it tells may be kept: not of mail that the server has a reason to take for
    /// a forgery (spec §12.6.7).
    pub(super) fn may_tell_a_key(&self) -> bool {
        let unsealed = UnverifiedReason::Unsealed;
        matches!(self.words.parse(), Ok(Provenance::Unverified { reason, .. }) if reason == unsealed)
    }

    /// Whether a server may report, and not a person: of a report only the status is shown.
    pub(super) fn may_be_report(&self) -> bool {
        matches!(self.class(), "unverified" | "service" | "generated")
    }

    fn class(&self) -> &str {
        self.words.split(';').next().unwrap_or_default()
    }
}

fn advice(provenance: &Provenance) -> Option<String> {
    match provenance {
        Provenance::ForOthers { author, via, .. } => {
            let address = via.iter().find_map(sent_to)?;
            Some(format!(
                "{author} sealed this for {address}, not for you; if that is your address or a \
                 list of yours, run: email2 contact via {address}"
            ))
        }
        Provenance::Unverified { reason, .. } => Some(why(*reason).to_owned()),
        Provenance::CheckedBy { author, domain, .. } => Some(format!(
            "{domain} passed this on and checked that {author} wrote it; your own server did not"
        )),
        Provenance::Verified { .. } | Provenance::Service { .. } => None,
    }
}

/// For whom a message was that came by somebody who is not registered.
fn sent_to(via: &Via) -> Option<&Address> {
    match via {
        Via::Unregistered { address, .. } | Via::UnsealedHopFor { address } => Some(address),
        Via::Forwarder { .. } | Via::UnsealedHop => None,
    }
}

/// Why nothing proves who wrote a message, in a sentence.
fn why(reason: UnverifiedReason) -> &'static str {
    match reason {
        UnverifiedReason::Unsealed => "ordinary mail: anybody can have written it",
        UnverifiedReason::SealedBefore => {
            "its author has sealed mail to you before, and this has no seal: probably forged"
        }
        UnverifiedReason::PolicyUnconfirmed => {
            "its author's domain may always seal, which nobody can confirm: probably forged"
        }
        UnverifiedReason::PolicyUnknown => {
            "ordinary mail, and it could not be found out whether its author always seals"
        }
        UnverifiedReason::DmarcFailed => {
            "its author's domain asks not to believe it (DMARC): probably forged"
        }
        UnverifiedReason::Forwarded => {
            "a list or alias of yours passed it on and broke its seal: anybody can have written it"
        }
        UnverifiedReason::Report => "a report about a message of yours, by a server without seals",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_mail_is_unverified_with_its_reason() {
        for (reason, begins) in [
            ("unsealed", "ordinary mail"),
            ("sealed-before", "its author has sealed"),
            ("dmarc-failed", "its author's domain asks"),
            ("report", "a report"),
        ] {
            let raw = format!("Email2-Verdict: unverified; reason={reason}; at=1\r\nFrom: x\r\n");
            let (verdict, rest) = Verdict::take(raw.as_bytes());
            assert_eq!(
                (verdict.author.as_deref(), rest),
                (None, &b"From: x\r\n"[..])
            );
            assert!(verdict.advice.as_ref().unwrap().starts_with(begins));
            assert!(verdict.is_ordinary() && verdict.may_be_report());
            assert_eq!(verdict.may_tell_a_key(), reason == "unsealed");
        }
        let later = Verdict::of("unverified; reason=of-a-later-version; at=1");
        assert!(later.is_ordinary() && later.author.is_none());
    }

    #[test]
    fn whom_a_mediator_checked_is_told_with_it_and_for_nobody_else() {
        let words = "checked; author=bob@example.org; by=example.com; at=1; \
                     via=@example.com/club@example.com";
        let verdict = Verdict::of(words);
        assert_eq!(verdict.author, None, "a class below verified");
        assert_eq!(verdict.checked.as_ref().unwrap().by, "example.com");
        assert_eq!(verdict.way.len(), 1);
        let advice = verdict.advice.as_deref().unwrap();
        assert!(advice.starts_with("example.com passed this on"), "{advice}");
        let other = Person::new(None, "eve@example.org");
        let verdict = verdict.for_author(Some(&other));
        assert_eq!((verdict.checked, verdict.way), (None, Vec::new()));
    }

    #[test]
    fn what_is_sealed_is_no_ordinary_mail() {
        let words = "verified; author=bob@example.org; assurance=dnssec; at=1; via=unsealed-hop";
        let verdict = Verdict::of(words);
        assert!(!verdict.is_ordinary() && !verdict.may_be_report());
        assert_eq!(
            (verdict.author.as_deref(), verdict.advice),
            (Some("bob@example.org"), None)
        );
    }
}

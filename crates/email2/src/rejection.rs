//! Every refusal there is (spec §7.1.1): reply code, enhanced code (RFC 3463), one
//! public sentence, private detail and the section that demands it. No reply
//! code of 400 or above stands anywhere else.

mod catalogue;

use std::fmt;

pub use catalogue::Rejection;

/// An enhanced status code: class, subject, detail (RFC 3463).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// One line of the table in the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The stable name.
    pub id: &'static str,
    /// The reply code.
    pub code: u16,
    /// The enhanced code.
    pub enhanced: Enhanced,
    /// The sentence, with `{names}` for what is filled in.
    pub sentence: &'static str,
    /// The section that demands it.
    pub section: &'static str,
}

/// What every line of an answer to KEY and KEYPUT begins with (RFC 2034 §4).
pub const GRANTED_STATUS: &str = "2.0.0 ";

/// The enhanced code of "this recipient in the next transaction" (spec §3.9.4).
pub const NEXT_TRANSACTION_STATUS: &str = "4.5.3";

/// In a report, the status of a recipient whom no server took in time (RFC 3463 §3.5).
pub const TIME_OVER_STATUS: &str = "4.4.7";

/// The status of a recipient whose domain does not exist (RFC 3463 §3.2).
pub const NO_DOMAIN_STATUS: &str = "5.1.2";

/// The status of a recipient whose domain takes no mail (RFC 7505 §4.2).
pub const NULL_MX_STATUS: &str = "5.1.10";

/// The status when the next server does not take octets above 127 (RFC 6152 §3, RFC 3463 §3.7).
pub const NO_EIGHT_BIT_STATUS: &str = "5.6.3";

/// The status when the next server does not take international addresses or headers
/// (RFC 6531 §3.5).
pub const NO_UTF8_STATUS: &str = "5.6.7";

/// In a report that a message is late, the status when no server said one (RFC 3463 §3.5).
pub const LATE_STATUS: &str = "4.4.0";

/// In a report, the status when a server refused without one (RFC 3463 §3.1).
pub const OTHER_STATUS: &str = "5.0.0";

/// In the sentence of a refusal that is about time: the server's clock follows,
/// Unix seconds (spec §4.9).
pub const CLOCK_WORD: &str = "clock=";

/// In the sentence of a refusal because the certificate changed: the etag of the
/// new one follows (spec §3.3).
pub const KEY_CHANGED_WORD: &str = "key-changed ";

impl Rejection {
    /// Whether trying again later can help: the code is 4xx.
    pub fn is_temporary(&self) -> bool {
        self.code() < 500
    }

    /// One sentence for everybody: ASCII, no control characters, bounded.
    pub fn sentence(&self) -> String {
        let text = self.text();
        text.chars()
            .flat_map(visible)
            .take(SENTENCE_CHARACTERS)
            .collect()
    }

    /// For the log: the stable name and everything known. Not for the peer.
    pub fn detail(&self) -> String {
        format!("{}: {self:?}", self.id())
    }

    /// The whole table, in the order of the catalogue.
    pub fn table() -> Vec<Row> {
        catalogue::ROWS.to_vec()
    }
}

/// A reply line may hold 512 octets (RFC 5321 §4.5.3.1.5).
const SENTENCE_CHARACTERS: usize = 400;

/// Escapes what an SMTP reply may not carry.
fn visible(character: char) -> impl Iterator<Item = char> {
    let plain = character == ' ' || character.is_ascii_graphic();
    let escaped = (!plain).then(|| character.escape_unicode());
    plain
        .then_some(character)
        .into_iter()
        .chain(escaped.into_iter().flatten())
}

/// Reads the clock out of a refusal's sentence (spec §4.9), Unix seconds.
pub fn clock_in(sentence: &str) -> Option<u64> {
    let (_, rest) = sentence.split_once(CLOCK_WORD)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Reads the etag out of a `key-changed` refusal (spec §3.3).
pub fn changed_etag_in(sentence: &str) -> Option<crate::key_query::Etag> {
    let (_, rest) = sentence.split_once(KEY_CHANGED_WORD)?;
    rest.split(|c: char| !c.is_ascii_hexdigit())
        .next()?
        .parse()
        .ok()
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl fmt::Display for Rejection {
    /// As in a reply: `550 5.7.1 sentence`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code(), self.enhanced(), self.sentence())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_complete() {
        let mut ids = HashSet::new();
        for row in Rejection::table() {
            assert!(ids.insert(row.id), "{} stands twice", row.id);
            assert!(
                row.id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
            );
            assert_eq!(row.code / 100, u16::from(row.enhanced.0), "{}", row.id);
            assert!((400..600).contains(&row.code), "{}", row.id);
            assert!(
                row.enhanced.1 <= 7,
                "{}: RFC 3463 knows subjects 0 to 7",
                row.id
            );
            assert!(
                row.sentence.is_ascii() && row.sentence.len() < 200,
                "{}",
                row.id
            );
            assert!(
                row.section.starts_with("spec §") || row.section.starts_with("RFC "),
                "{}",
                row.id
            );
        }
    }

    #[test]
    fn sentences_are_ascii() {
        let signer = "b\u{fc}cher@example.org".parse().unwrap();
        let rejection = Rejection::NoSuchKey { signer };
        assert_eq!(
            rejection.to_string(),
            "550 5.7.5 b\\u{fc}cher@example.org has no such key"
        );
        assert!(!rejection.is_temporary());
    }

    #[test]
    fn what_a_client_reads_comes_back() {
        let dated = Rejection::SealInFuture {
            clock: 1_763_990_000,
        };
        assert_eq!(clock_in(&dated.sentence()), Some(1_763_990_000));
        let etag: crate::key_query::Etag = "0a1b".parse().unwrap();
        let changed = Rejection::KeyChanged { etag: etag.clone() };
        assert_eq!(changed_etag_in(&changed.sentence()), Some(etag));
    }
}

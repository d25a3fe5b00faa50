//! The strict scan of a message's own header section (spec §4.7, §4.8): trace
//! fields, seals, the one From. It refuses ambiguity.

mod authors;
mod encoded_word;
mod foreign;
mod from;
mod section;

use crate::address::Address;
use crate::rejection::Rejection;
use crate::seal::{Seal, SealError};

pub use authors::parse_authors;
pub use foreign::without_ours;
pub use from::parse_from;
pub(crate) use section::HeaderScan;

/// What is known of a header section when it has ended.
#[derive(Clone, Debug)]
pub struct HeaderFacts {
    /// Fields above the top seal, top first; all of them trace fields unless
    /// `fault` says otherwise. Empty when there is no seal.
    pub above: Vec<Field>,
    /// The seals, top first; none in ordinary mail.
    pub seals: Vec<SealField>,
    /// The one author of sealed mail (spec §4.8.1), or why there is none.
    pub from: Result<From, Rejection>,
    /// Every address in any From field, read leniently: for the policy of
    /// ordinary mail. Empty when a From does not parse.
    pub authors: Vec<Address>,
    /// How many `Received` fields there are (RFC 5321 §6.3).
    pub received: usize,
    /// Fields whose values later steps read, in order: Message-ID, Date,
    /// Subject, To, Cc, Reply-To, Sender, Resent-From, Resent-Sender, In-Reply-To, References, Content-Type,
    /// Auto-Submitted, Delivered-To, List-Id, Authentication-Results.
    pub kept: Vec<Field>,
    /// Whether a field of a mailing list (`List-*`, `Precedence`) stands anywhere.
    pub listed: bool,
    /// Whether any octet of the section is not ASCII.
    pub non_ascii: bool,
    /// Octets of the section with its final empty line.
    pub octets: u64,
    /// The first breach of the rules for sealed mail (spec §4.7, §4.8). Under
    /// sealed rules it is returned as an error instead.
    pub fault: Option<Rejection>,
}

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name as written.
    pub name: String,
    /// What follows the colon, without the final CRLF, folds kept.
    pub value: Vec<u8>,
    /// Whether it stands below the top seal.
    pub below_seal: bool,
}

/// One seal field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealField {
    /// What follows the colon, without the final CRLF, folds kept.
    pub value: Vec<u8>,
    /// The same, read: once, for all who want to know what it says.
    pub seal: Result<Seal, SealError>,
    /// Where its name begins: the offset of the content that a mediator seals on.
    pub start: u64,
    /// Where the content below it begins: the offset behind its own CRLF.
    pub end: u64,
    /// The value of an `Email2-Key` field directly below it (spec §4.6.5).
    pub key: Option<Vec<u8>>,
}

/// The one author of a sealed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// The addr-spec, in normal form.
    pub address: Address,
    /// The display name, decoded, control characters replaced.
    pub display_name: Option<String>,
}

impl HeaderFacts {
    /// The raw value of the first kept field of that name (any case).
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.kept
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_slice())
    }

    /// Whether it is the header of a delivery status notification: one
    /// multipart/report of delivery-status (RFC 3464 §2).
    pub fn is_delivery_report(&self) -> bool {
        let value = self.value("Content-Type").unwrap_or_default();
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        let mut parts = value.split(';').map(str::trim);
        parts.next() == Some("multipart/report")
            && parts.any(|parameter| match parameter.split_once('=') {
                Some((name, value)) => {
                    let value = value.trim().trim_matches('"');
                    name.trim() == "report-type" && value == "delivery-status"
                }
                None => false,
            })
    }

    /// Whether a field below a seal claims to be our own check of the message
    /// (spec §4.7.3): an `Authentication-Results` whose identifier is `ours`.
    pub fn claims_results_of(&self, ours: &str) -> bool {
        self.kept
            .iter()
            .filter(|field| field.below_seal)
            .filter(|field| field.name.eq_ignore_ascii_case("Authentication-Results"))
            .any(|field| results_id(&field.value).eq_ignore_ascii_case(ours))
    }
}

/// The authserv-id of an Authentication-Results field: a word or what stands in quotes, behind
/// comments and blanks (RFC 8601 §2.2, RFC 2045 §5.1).
fn results_id(value: &[u8]) -> String {
    let (mut id, mut depth, mut quoted, mut escaped) = (String::new(), 0usize, false, false);
    for character in String::from_utf8_lossy(value).chars() {
        let special = !std::mem::take(&mut escaped);
        match character {
            '\\' if special && (quoted || depth > 0) => escaped = true,
            '"' if special && depth == 0 => quoted = !quoted,
            '(' if special && !quoted => depth += 1,
            ')' if special && !quoted => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ';' | '/' if !quoted => break,
            c if !quoted && c.is_whitespace() && id.is_empty() => {}
            c if !quoted && c.is_whitespace() => break,
            c => id.push(c),
        }
    }
    id
}

//! What is needed of a message to pass it on, beside its verdict.

use email2::address::{Address, Identity};
use email2::evidence::{Evidence, SignerEvidence};
use email2::header::{Field, HeaderFacts};
use email2::limits;
use email2::rejection::Rejection;
use email2::seal::vouched::Vouched;
use email2::seal::{Role, Seal, chain};
use email2::verdict::Verdict;
use email2_store::BodyReader;

use super::store_failed;
use crate::inbound::ordinary::{self, Mail};
use crate::site::Site;

/// Octets read at once.
const PIECE: usize = 64 * 1024;
/// Octets of a Message-ID that is repeated.
const MESSAGE_ID: usize = 500;

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    /// Its octets, and what was found out about ordinary mail.
    pub(crate) mail: Mail,
    /// Who wrote it, as far as it says so.
    pub(crate) authors: Vec<Identity>,
    /// Where its top seal begins; 0 for ordinary mail.
    start: u64,
    /// Octets of its header section.
    header: u64,
    /// The `Email2-Key` field about the author's key (spec §4.6.5).
    key: String,
    /// The subject as it stands, if there is one.
    pub(crate) subject: String,
    /// Its Message-ID, with its brackets, if it is one.
    pub(crate) message_id: Option<String>,
    /// To and Cc, in lower case.
    named: String,
    /// A field of a list stands in it.
    pub(crate) listed: bool,
    /// It says that a program wrote it (RFC 3834 §5).
    pub(crate) automatic: bool,
    /// Its seals, top first.
    pub(crate) seals: Vec<Seal>,
    /// The seals of messages passed on here that a report is about (spec §4.13.3).
    pub(crate) about: Vec<Seal>,
}

impl Original {
    /// From what the judge will see; `mail` is the same message.
    pub(crate) fn of(evidence: &Evidence, mail: &Mail) -> Original {
        let header = &evidence.scanned.header;
        let value = |name| header.value(name).map(String::from_utf8_lossy);
        let submitted = value("Auto-Submitted").unwrap_or_default();
        let passed_on = |seal: &&Seal| seal.role == Role::Forward;
        let inside = evidence.reported.iter().map(|reported| &reported.seal);
        Original {
            mail: mail.clone(),
            authors: Vec::new(),
            start: header.seals.first().map_or(0, |seal| seal.start),
            header: header.octets,
            key: key_field(evidence),
            subject: value("Subject").unwrap_or_default().trim().to_owned(),
            message_id: value("Message-ID").and_then(|id| message_id(&id)),
            named: named(header),
            listed: header.listed,
            automatic: !matches!(submitted.trim(), "" | "no"),
            seals: chain::read(header).unwrap_or_default(),
            about: inside.filter(passed_on).cloned().collect(),
        }
    }

    /// The same after the verdict: ordinary mail without what claims to be ours.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn judged(
        &self,
        site: &Site,
        verdict: &Verdict,
    ) -> Result<Original, Rejection> {
        Ok(Original {
            mail: ordinary::without_claims(site, verdict, self.mail.clone()).await?,
            authors: verdict.authors().to_vec(),
            ..self.clone()
        })
    }

    /// Does To or Cc name this address?
    pub(crate) fn names(&self, address: &Address) -> bool {
        let address = address.to_string().to_ascii_lowercase();
        self.named.split(' ').any(|named| named == address)
    }

    /// The fields above its top seal, the newest of them, with `most` octets at most.
    pub(crate) async fn above(&self, site: &Site, most: usize) -> Result<Vec<u8>, Rejection> {
        let length = usize::try_from(self.start).unwrap_or(usize::MAX);
        let reader = site.store.read_spooled(&self.mail.body).await;
        let read = reader
            .map_err(store_failed)?
            .read(0, length.min(most))
            .await;
        let mut fields = read.map_err(store_failed)?;
        if length > most {
            fields.truncate(whole_fields(&fields));
        }
        Ok(fields)
    }

    /// The field that says by which key the author was verified; empty for ordinary mail.
    pub(crate) fn key_field(&self) -> &str {
        &self.key
    }

    /// The beginning of its body, where a report says what it is about (spec §4.13.4).
    pub(crate) async fn body_begins(&self, site: &Site) -> Result<Vec<u8>, Rejection> {
        let reader = site.store.read_spooled(&self.mail.body).await;
        let reader = reader.map_err(store_failed)?;
        let read = reader.read(self.header, limits::REPORT_OCTETS).await;
        read.map_err(store_failed)
    }

    /// Its octets from the top seal on, piece by piece.
    pub(crate) async fn sealed(&self, site: &Site) -> Result<Pieces, Rejection> {
        self.pieces(site, self.start).await
    }

    async fn pieces(&self, site: &Site, offset: u64) -> Result<Pieces, Rejection> {
        let reader = site.store.read_spooled(&self.mail.body).await;
        let reader = reader.map_err(store_failed)?;
        Ok(Pieces { reader, offset })
    }

    /// The addresses by which the mediators below the top were reached.
    pub(crate) fn mediators(&self) -> Vec<Address> {
        let below = self.seals.iter().skip(1);
        below.flat_map(|seal| seal.recipients.clone()).collect()
    }
}

/// Octets of a message, read when they are needed.
pub(crate) struct Pieces {
    reader: Box<dyn BodyReader>,
    offset: u64,
}

impl Pieces {
    /// The next piece; empty at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>, Rejection> {
        let read = self.reader.read(self.offset, PIECE).await;
        let piece = read.map_err(store_failed)?;
        self.offset += piece.len() as u64;
        Ok(piece)
    }
}

/// Where the last field ends of which the beginning of another shows that it is whole.
fn whole_fields(fields: &[u8]) -> usize {
    let mut ends = fields.windows(3).enumerate().filter(
        |(_, three)| matches!(three, [b'\r', b'\n', next] if !matches!(next, b' ' | b'\t')),
    );
    ends.next_back().map_or(0, |(at, _)| at + 2)
}

/// RFC 5322 §3.6.4, as far as it may be repeated.
pub(super) fn message_id(value: &str) -> Option<String> {
    let id = value.trim();
    let inner = id.strip_prefix('<')?.strip_suffix('>')?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    (inner.len() <= MESSAGE_ID && inner.chars().all(plain)).then(|| id.to_owned())
}

/// The addresses in To and Cc, apart by single spaces.
fn named(header: &HeaderFacts) -> String {
    let shown = |field: &&Field| {
        ["To", "Cc"]
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name))
    };
    let fields = header.kept.iter().filter(shown);
    let text: String = fields
        .flat_map(|field| {
            [
                String::from_utf8_lossy(&field.value).to_ascii_lowercase(),
                " ".to_owned(),
            ]
        })
        .collect();
    let parts = text.split([' ', '\t', '\r', '\n', ',', ';', '<', '>', ':']);
    let parts: Vec<&str> = parts.filter(|part| part.contains('@')).collect();
    parts.join(" ")
}

/// The certificate that verified the author here; where a mediator below was believed, the one
/// that it vouched for.
fn key_field(evidence: &Evidence) -> String {
    let known = match evidence.signers.last() {
        Some(SignerEvidence::Known(key)) => key.assurance.map(|assurance| Vouched {
            assurance,
            flags: key.flags.clone(),
            fetched: key.fetched,
            certificate: key.certificate.clone(),
        }),
        _ => None,
    };
    let top = evidence.scanned.header.seals.first();
    let below = || Vouched::parse(top?.key.as_deref()?).ok();
    let vouched = known.or_else(below);
    vouched.map(|vouched| vouched.field()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_cut_is_left_out() {
        let whole = b"Received: a\r\n b\r\n".len();
        assert_eq!(whole_fields(b"Received: a\r\n b\r\nRece"), whole);
        assert_eq!(whole_fields(b"Received: a\r\n b\r\n"), 0, "it may go on");
        assert_eq!(whole_fields(b"Received: a\r\n b"), 0);
    }
}

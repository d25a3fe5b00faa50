//! A header section as its lines come: which field stands where (spec §4.7).

use super::{Field, HeaderFacts, SealField, parse_authors, parse_from};
use crate::address::Address;
use crate::capability;
use crate::limits;
use crate::line::{is_folded, lax_field};
use crate::rejection::Rejection;
use crate::seal::Seal;

/// Fields that people are shown: never above a seal (spec §4.7.2).
const RENDERING: [&str; 12] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "reply-to",
    "message-id",
    "references",
    "in-reply-to",
    "sender",
    "mime-version",
    "content-",
];

/// Fields that may not stand below a seal (spec §4.7.3).
const FORBIDDEN_BELOW: [&str; 4] = ["email2-verdict", "bcc", "return-path", "content-length"];

/// Fields that a message has once at most (spec §4.8.3, RFC 5322
/// §3.6, RFC 2045 §3).
const SINGLETONS: [&str; 16] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "Date",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Disposition",
];

/// Fields whose values later steps read.
const KEPT: [&str; 16] = [
    "message-id",
    "date",
    "subject",
    "to",
    "cc",
    "reply-to",
    "sender",
    "resent-from",
    "resent-sender",
    "in-reply-to",
    "references",
    "content-type",
    "auto-submitted",
    "delivered-to",
    "list-id",
    "authentication-results",
];

/// Reads a header section line by line.
#[derive(Debug)]
pub(crate) struct HeaderScan {
    sealed_rules: bool,
    offset: u64,
    field: Option<Open>,
    /// The last field was a seal.
    behind_seal: bool,
    /// The first rendering field above all seals so far.
    rendering: Option<String>,
    /// A field behind the last seal that may not stand between seals.
    between: Option<String>,
    seen: Vec<&'static str>,
    from_fields: usize,
    facts: HeaderFacts,
}

/// The field that the next line may continue.
#[derive(Debug)]
struct Open {
    written: String,
    name: String,
    value: Vec<u8>,
    /// Where its line begins.
    start: u64,
}

impl HeaderScan {
    pub(crate) fn new(sealed_rules: bool) -> Self {
        let facts = HeaderFacts {
            above: Vec::new(),
            seals: Vec::new(),
            from: Err(Rejection::FromMissing),
            authors: Vec::new(),
            received: 0,
            kept: Vec::new(),
            listed: false,
            non_ascii: false,
            octets: 0,
            fault: None,
        };
        Self {
            sealed_rules,
            offset: 0,
            field: None,
            behind_seal: false,
            rendering: None,
            between: None,
            seen: Vec::new(),
            from_fields: 0,
            facts,
        }
    }

    /// How many seal fields have ended.
    pub(crate) fn seals(&self) -> usize {
        self.facts.seals.len()
    }

    /// Takes one line without its end; `true` when it ended the section.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<bool, Rejection> {
        if line.len() > limits::LINE_OCTETS {
            return Err(Rejection::LineTooLong {
                limit: limits::LINE_OCTETS,
            });
        }
        if let (true, Some(field)) = (is_folded(line), &mut self.field) {
            field.value.extend_from_slice(b"\r\n");
            field.value.extend_from_slice(line);
            let blank = line.trim_ascii().is_empty();
            self.count(line)?;
            return if blank {
                self.fault(Rejection::MalformedField)
            } else {
                Ok(())
            }
            .map(|()| false);
        }
        self.end_field()?;
        self.count(line)?;
        if line.is_empty() {
            return Ok(true);
        }
        self.begin_field(line)?;
        Ok(false)
    }

    fn count(&mut self, line: &[u8]) -> Result<(), Rejection> {
        self.offset += line.len() as u64 + 2;
        if line.is_ascii() {
            return Ok(());
        }
        self.facts.non_ascii = true;
        if std::str::from_utf8(line).is_err() {
            return self.fault(Rejection::HeaderOctets);
        }
        Ok(())
    }

    /// Ends the section and tells what was found.
    pub(crate) fn finish(mut self) -> Result<HeaderFacts, Rejection> {
        self.end_field()?;
        if self.from_fields > 1 {
            self.facts.from = Err(Rejection::FieldTwice { field: "From" });
        }
        if self.facts.seals.is_empty() {
            self.facts.above.clear();
            self.fault(Rejection::SealMissing)?;
        }
        if let Err(rejection) = self.facts.from.clone() {
            self.fault(rejection)?;
        }
        self.facts.octets = self.offset;
        Ok(self.facts)
    }

    /// Notes a breach of the rules for sealed mail, or refuses it.
    fn fault(&mut self, rejection: Rejection) -> Result<(), Rejection> {
        if self.sealed_rules {
            return Err(rejection);
        }
        self.facts.fault.get_or_insert(rejection);
        Ok(())
    }

    fn begin_field(&mut self, line: &[u8]) -> Result<(), Rejection> {
        let Some((name, value)) = lax_field(line) else {
            return self.fault(Rejection::MalformedField);
        };
        let written = line.get(..line.len() - value.len() - 1).unwrap_or_default();
        let proper = written
            .iter()
            .all(|octet| octet.is_ascii_graphic() && *octet != b':');
        let written = String::from_utf8_lossy(written).into_owned();
        self.field = Some(Open {
            written,
            name,
            value: value.to_vec(),
            start: self.offset - line.len() as u64 - 2,
        });
        if proper {
            Ok(())
        } else {
            self.fault(Rejection::MalformedField)
        }
    }

    /// Files the field that has ended.
    fn end_field(&mut self) -> Result<(), Rejection> {
        let Some(field) = self.field.take() else {
            return Ok(());
        };
        let behind_seal = std::mem::take(&mut self.behind_seal);
        if field.is(capability::SEAL_FIELD) {
            return self.file_seal(field);
        }
        self.check_singleton(&field)?;
        self.facts.listed |= field.name.starts_with("list-") || field.is("Precedence");
        match self.facts.seals.last_mut() {
            Some(seal) if behind_seal && field.is(capability::KEY_FIELD) => {
                seal.key = Some(field.value);
                return Ok(());
            }
            Some(_) => self.check_below(&field)?,
            None => self.note_above(&field),
        }
        self.file(field)
    }

    /// A seal: nothing that people are shown may stand above it, and between two
    /// seals only what a mailing list adds.
    fn file_seal(&mut self, field: Open) -> Result<(), Rejection> {
        self.behind_seal = true;
        if let Some(field) = self.rendering.clone() {
            self.fault(Rejection::FieldAboveSeal { field })?;
        }
        if let Some(field) = self.between.take() {
            self.fault(Rejection::FieldBetweenSeals { field })?;
        }
        if field.written.len() + field.value.len() + 3 > limits::SEAL_OCTETS {
            self.fault(Rejection::SealMalformed {
                what: "longer than 8 KiB",
            })?;
        }
        if self.seals() >= limits::SEALS {
            self.fault(Rejection::TooManySeals)?;
        }
        if self.seals() < limits::SEALS {
            self.facts.seals.push(SealField {
                seal: Seal::parse(&field.value),
                value: field.value,
                start: field.start,
                end: self.offset,
                key: None,
            });
        }
        Ok(())
    }

    fn check_singleton(&mut self, field: &Open) -> Result<(), Rejection> {
        let Some(name) = SINGLETONS.into_iter().find(|name| field.is(name)) else {
            return Ok(());
        };
        if self.seen.contains(&name) {
            return self.fault(Rejection::FieldTwice { field: name });
        }
        self.seen.push(name);
        Ok(())
    }

    fn check_below(&mut self, field: &Open) -> Result<(), Rejection> {
        if self.rendering.is_none() && field.is_rendering() {
            self.rendering = Some(field.written.clone());
        }
        if self.between.is_none() && !field.may_stand_between() {
            self.between = Some(field.written.clone());
        }
        if FORBIDDEN_BELOW.contains(&field.name.as_str()) {
            return self.fault(Rejection::FieldBelowSeal {
                field: field.written.clone(),
            });
        }
        Ok(())
    }

    /// A trace field (spec §4.7.1), or the first field of ordinary mail that is none.
    fn note_above(&mut self, field: &Open) {
        if self.rendering.is_some() {
            return;
        }
        if field.is_rendering() {
            self.rendering = Some(field.written.clone());
        } else {
            self.facts.above.push(field.to_field(false));
        }
    }

    fn file(&mut self, field: Open) -> Result<(), Rejection> {
        match field.name.as_str() {
            "received" => self.count_received(),
            "from" => {
                self.file_from(&field.value);
                Ok(())
            }
            name if KEPT.contains(&name) => {
                let below_seal = !self.facts.seals.is_empty();
                self.facts.kept.push(field.into_field(below_seal));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count_received(&mut self) -> Result<(), Rejection> {
        self.facts.received += 1;
        if self.facts.received > limits::RECEIVED_FIELDS {
            Err(Rejection::Loop)
        } else {
            Ok(())
        }
    }

    fn file_from(&mut self, value: &[u8]) {
        self.from_fields += 1;
        self.facts.from = parse_from(value);
        // One From that does not parse spoils all: nobody knows who is named.
        let authors: Option<Vec<Address>> = parse_authors(value);
        match authors {
            Some(authors) if self.from_fields == 1 || !self.facts.authors.is_empty() => {
                self.facts.authors.extend(authors);
            }
            _ => self.facts.authors.clear(),
        }
    }
}

impl Open {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_rendering(&self) -> bool {
        RENDERING.iter().any(|name| match name.strip_suffix('-') {
            Some(_) => self.name.starts_with(name),
            None => self.name == *name,
        })
    }

    /// What a mailing list or a forwarder may put on a sealed message
    /// (spec §4.6.3).
    fn may_stand_between(&self) -> bool {
        self.name.starts_with("list-")
            || matches!(self.name.as_str(), "archived-at" | "precedence")
            || self.is(capability::KEY_FIELD)
    }

    fn to_field(&self, below_seal: bool) -> Field {
        Field {
            name: self.written.clone(),
            value: self.value.clone(),
            below_seal,
        }
    }

    fn into_field(self, below_seal: bool) -> Field {
        Field {
            name: self.written,
            value: self.value,
            below_seal,
        }
    }
}

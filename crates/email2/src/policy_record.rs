//! The domain record, `_email2.D TXT` (spec §2.3).

use std::fmt;
use std::str::FromStr;

use crate::limits;

/// Whether a domain always seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strictness {
    /// Unsealed mail from it may exist.
    Open,
    /// Unsealed mail from it is forged.
    Strict,
}

/// What a domain says of itself in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The domain's own policy.
    pub p: Strictness,
    /// The policy of subdomains without a record of their own; `p` if absent.
    pub sp: Option<Strictness>,
    /// An opaque word, letters and digits, that changes whenever the policy does;
    /// empty if absent.
    pub id: String,
    /// Memory in seconds; `Some(0)` withdraws (only if DNSSEC-secure).
    pub ma: Option<u32>,
}

/// Why a TXT record is no domain record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyRecordError {
    /// It does not begin with `v=EMAIL2`: some other TXT record.
    #[error("not a domain record of Email 2.0")]
    OtherRecord,
    /// It begins like one and breaks its grammar.
    #[error("the domain record is malformed at {0}")]
    Malformed(&'static str),
}

impl PolicyRecord {
    /// Reads the TXT record's joined strings.
    ///
    /// # Errors
    /// See [`PolicyRecordError`].
    pub fn parse(text: &str) -> Result<Self, PolicyRecordError> {
        if text.len() > limits::RECORD_OCTETS {
            return Err(PolicyRecordError::Malformed("length"));
        }
        let mut tags = text.split(';').map(|tag| tag.trim_matches([' ', '\t']));
        if tags.next() != Some(VERSION_TAG) {
            return Err(PolicyRecordError::OtherRecord);
        }
        let mut read = Tags::default();
        let mut tags = tags.peekable();
        while let Some(tag) = tags.next() {
            let last = tags.peek().is_none();
            if !(tag.is_empty() && last) {
                read.take(tag)?;
            }
        }
        Ok(read.into_record())
    }

    /// The policy of subdomains without a record of their own.
    pub fn for_subdomains(&self) -> Strictness {
        self.sp.unwrap_or(self.p)
    }
}

/// The first tag of every domain record (spec §2.3).
const VERSION_TAG: &str = "v=EMAIL2";

/// The tags read so far; each may stand once.
#[derive(Default)]
struct Tags {
    p: Option<Strictness>,
    sp: Option<Strictness>,
    id: Option<String>,
    ma: Option<u32>,
}

impl Tags {
    fn take(&mut self, tag: &str) -> Result<(), PolicyRecordError> {
        let (name, value) = tag
            .split_once('=')
            .ok_or(PolicyRecordError::Malformed("tag"))?;
        match name {
            "p" => once("p", &mut self.p, value.parse().ok()),
            "sp" => once("sp", &mut self.sp, value.parse().ok()),
            "id" => once("id", &mut self.id, is_id(value).then(|| value.to_owned())),
            "ma" => once("ma", &mut self.ma, seconds(value)),
            "v" => Err(PolicyRecordError::Malformed("v")),
            _ => Ok(()),
        }
    }

    fn into_record(self) -> PolicyRecord {
        PolicyRecord {
            p: self.p.unwrap_or(Strictness::Open),
            sp: self.sp,
            id: self.id.unwrap_or_default(),
            ma: self.ma,
        }
    }
}

/// Puts a value in its empty place.
fn once<T>(
    name: &'static str,
    place: &mut Option<T>,
    value: Option<T>,
) -> Result<(), PolicyRecordError> {
    if place.is_some() || value.is_none() {
        return Err(PolicyRecordError::Malformed(name));
    }
    *place = value;
    Ok(())
}

fn is_id(value: &str) -> bool {
    (1..=limits::RECORD_ID_OCTETS).contains(&value.len())
        && value.bytes().all(|octet| octet.is_ascii_alphanumeric())
}

/// 1 to 8 digits; more than the longest memory is read as that (spec §2.3.7).
pub(crate) fn seconds(value: &str) -> Option<u32> {
    let digits = (1..=8).contains(&value.len()) && value.bytes().all(|o| o.is_ascii_digit());
    let seconds: u32 = digits.then(|| value.parse().ok())??;
    Some(seconds.min(limits::MEMORY_MAX))
}

impl Strictness {
    /// `strict` or `open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Strictness {
    type Err = PolicyRecordError;
    fn from_str(word: &str) -> Result<Self, PolicyRecordError> {
        match word {
            "open" => Ok(Self::Open),
            "strict" => Ok(Self::Strict),
            _ => Err(PolicyRecordError::Malformed("p")),
        }
    }
}

impl fmt::Display for PolicyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION_TAG}; p={}", self.p)?;
        if let Some(sp) = self.sp {
            write!(f, "; sp={sp}")?;
        }
        if !self.id.is_empty() {
            write!(f, "; id={}", self.id)?;
        }
        self.ma.map_or(Ok(()), |ma| write!(f, "; ma={ma}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_as_published() {
        let record = PolicyRecord::parse("v=EMAIL2; p=strict; sp=open; id=20251124").unwrap();
        assert_eq!(
            (record.p, record.sp),
            (Strictness::Strict, Some(Strictness::Open))
        );
        assert_eq!(
            record.to_string(),
            "v=EMAIL2; p=strict; sp=open; id=20251124"
        );
        let bare = PolicyRecord::parse("v=EMAIL2").unwrap();
        assert_eq!(
            (bare.p, bare.for_subdomains(), bare.ma),
            (Strictness::Open, Strictness::Open, None)
        );
        let later = PolicyRecord::parse("v=EMAIL2;p=open ; new=1;ma=99999999;").unwrap();
        assert_eq!(later.ma, Some(limits::MEMORY_MAX));
    }

    #[test]
    fn other_and_broken_records() {
        for text in [
            "",
            "v=spf1 -all",
            "v=EMAIL20",
            "p=strict; v=EMAIL2",
            "V=email2",
        ] {
            assert_eq!(
                PolicyRecord::parse(text),
                Err(PolicyRecordError::OtherRecord),
                "{text:?}"
            );
        }
        for text in [
            "v=EMAIL2; p=maybe",
            "v=EMAIL2; p=open; p=open",
            "v=EMAIL2;; p=open",
            "v=EMAIL2; ma=-1",
            "v=EMAIL2; p",
            "v=EMAIL2; id=",
        ] {
            assert!(
                matches!(
                    PolicyRecord::parse(text),
                    Err(PolicyRecordError::Malformed(_))
                ),
                "{text:?}"
            );
        }
    }

    fn strictness() -> impl Strategy<Value = Strictness> {
        prop_oneof![Just(Strictness::Open), Just(Strictness::Strict)]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(
            p in strictness(),
            sp in proptest::option::of(strictness()),
            id in "[a-zA-Z0-9]{0,32}",
            ma in proptest::option::of(0..=limits::MEMORY_MAX),
        ) {
            let record = PolicyRecord { p, sp, id, ma };
            prop_assert_eq!(PolicyRecord::parse(&record.to_string()), Ok(record));
        }

        #[test]
        fn anything_is_read_without_panic(text in "(v=EMAIL2)?[;=a-z0-9 \t]{0,80}") {
            let _ = PolicyRecord::parse(&text);
        }
    }
}

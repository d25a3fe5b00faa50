//! One record that a domain should have.

use std::fmt;
use std::net::IpAddr;

use email2_io::dns::Tlsa;

use crate::dkim_key::DkimRecord;

/// Characters of one string of a TXT record (RFC 1035 §3.3.14).
const STRING: usize = 255;

/// One record, as in a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Record {
    /// Where it stands, without the last dot.
    pub(in crate::command) name: String,
    pub(in crate::command) data: Data,
    /// Is mail lost, refused or unsigned without it? Else it is a suggestion.
    pub(in crate::command) needed: bool,
    pub(in crate::command) comment: &'static str,
}

/// What it says; names without the last dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) enum Data {
    Mx(String),
    /// `None`: all that is known is that this host has one.
    Address(Option<IpAddr>),
    Alias(String),
    Text(String),
    Service(u16, String),
    Pin(Tlsa),
}

impl Record {
    /// One without which something fails.
    pub(super) fn needed(name: impl Into<String>, data: Data, comment: &'static str) -> Record {
        Record {
            name: name.into(),
            data,
            needed: true,
            comment,
        }
    }

    /// One that is good to have.
    pub(super) fn suggested(name: impl Into<String>, data: Data, comment: &'static str) -> Record {
        Record {
            needed: false,
            ..Record::needed(name, data, comment)
        }
    }
}

impl From<DkimRecord> for Record {
    fn from(record: DkimRecord) -> Record {
        Record::needed(record.name, Data::Text(record.text), "")
    }
}

impl Data {
    /// The type, as in a zone file.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Data::Mx(_) => "MX",
            Data::Address(Some(IpAddr::V6(_))) => "AAAA",
            Data::Address(_) => "A",
            Data::Alias(_) => "CNAME",
            Data::Text(_) => "TXT",
            Data::Service(..) => "SRV",
            Data::Pin(_) => "TLSA",
        }
    }
}

impl fmt::Display for Data {
    /// As in a zone file; a text longer than a string is several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Mx(host) => write!(f, "10 {host}."),
            Data::Address(Some(address)) => write!(f, "{address}"),
            Data::Address(None) => f.write_str("(the address of this host)"),
            Data::Alias(host) => write!(f, "{host}."),
            Data::Text(text) => {
                let strings = text.as_bytes().chunks(STRING);
                let strings = strings.map(|part| format!("\"{}\"", String::from_utf8_lossy(part)));
                f.write_str(&strings.collect::<Vec<_>>().join(" "))
            }
            Data::Service(port, host) => write!(f, "0 0 {port} {host}."),
            Data::Pin(pin) => {
                write!(f, "{} {} {} ", pin.usage, pin.selector, pin.matching)?;
                pin.data
                    .iter()
                    .try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl fmt::Display for Record {
    /// A line of a zone file; a comment where the value is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.data == Data::Address(None) {
            f.write_str("; ")?;
        }
        write!(f, "{}. {} {}", self.name, self.data.kind(), self.data)?;
        match self.comment {
            "" => Ok(()),
            comment => write!(f, "  ; {comment}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_several_strings() {
        let text = "v=DKIM1; k=rsa; p=".to_owned() + &"A".repeat(392);
        let line = Record::needed("s._domainkey.example.org", Data::Text(text.clone()), "");
        let line = line.to_string();
        let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert_eq!(strings.concat(), text);
        assert!(strings.len() == 2 && strings.iter().all(|part| part.len() <= STRING));
    }

    #[test]
    fn what_is_not_known_is_a_comment() {
        let unknown = Record::needed("mail.example.org", Data::Address(None), "and AAAA");
        assert_eq!(
            unknown.to_string(),
            "; mail.example.org. A (the address of this host)  ; and AAAA"
        );
    }
}

//! Where the mail system behind this server takes mail.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use email2_smtp::lmtp::Dialect;
use serde::Deserialize;

/// The mail system that has a domain's mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inner {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it listens.
    pub place: InnerPlace,
}

/// Where it listens: near enough that nobody is between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InnerPlace {
    /// At an address.
    Address(SocketAddr),
    /// At a port of a host with this name, which is looked up whenever it is connected to.
    Host(String, u16),
    /// At a socket of Unix.
    Path(PathBuf),
}

/// What may stand there.
const FORMS: &str = "allowed are \"lmtp://HOST:PORT\", \"smtp://HOST:PORT\" (HOST: an address, \
    IPv6 in brackets, or a name) and \"lmtp:/PATH\"";

/// The longest name of a host (RFC 1035 §2.3.4), characters.
const NAME_LIMIT: usize = 253;

impl FromStr for Inner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: {FORMS}");
        let (dialect, rest) = match text.split_once(':').ok_or_else(wrong)? {
            ("lmtp", rest) => (Dialect::Lmtp, rest),
            ("smtp", rest) => (Dialect::Smtp, rest),
            _ => return Err(wrong()),
        };
        let place = match (rest.strip_prefix("//"), dialect) {
            (Some(at), _) => place(at).ok_or_else(wrong)?,
            (None, Dialect::Lmtp) if rest.starts_with('/') => InnerPlace::Path(rest.into()),
            _ => return Err(wrong()),
        };
        Ok(Inner { dialect, place })
    }
}

/// An address or a name, and a port.
fn place(at: &str) -> Option<InnerPlace> {
    if let Ok(address) = at.parse() {
        return Some(InnerPlace::Address(address));
    }
    let (name, port) = at.split_once(':')?;
    let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(letter);
    // Digits and dots that are no address are no name either.
    let named = name.bytes().any(|c| c.is_ascii_alphabetic());
    let good = named && name.len() <= NAME_LIMIT && name.split('.').all(is_label);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    good.then(|| InnerPlace::Host(name.to_ascii_lowercase(), port))
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dialect = match self.dialect {
            Dialect::Lmtp => "lmtp",
            Dialect::Smtp => "smtp",
        };
        match &self.place {
            InnerPlace::Address(address) => write!(f, "{dialect}://{address}"),
            InnerPlace::Host(name, port) => write!(f, "{dialect}://{name}:{port}"),
            InnerPlace::Path(path) => write!(f, "{dialect}:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_come_back() {
        for text in [
            "lmtp://127.0.0.1:24",
            "smtp://[::1]:25",
            "lmtp:/run/dovecot/lmtp",
            "lmtp://dovecot:24",
            "smtp://mail.example.lan:2525",
        ] {
            assert_eq!(text.parse::<Inner>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "lmtp",
            "smtp:/run/x",
            "http://127.0.0.1:80",
            "lmtp://mx.example",
            "lmtp://mx.example:0",
            "smtp://127.0.0:25",
            "smtp://mx..example:25",
            "smtp://bob@mx.example:25",
        ] {
            let said = wrong.parse::<Inner>().unwrap_err();
            assert!(said.contains("allowed are"), "{said}");
        }
    }
}

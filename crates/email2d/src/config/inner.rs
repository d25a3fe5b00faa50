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
    /// At a socket of Unix.
    Path(PathBuf),
}

/// What may stand there.
const FORMS: &str =
    "allowed are \"lmtp://ADDRESS:PORT\", \"smtp://ADDRESS:PORT\" and \"lmtp:/PATH\"";

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
            (Some(address), _) => InnerPlace::Address(address.parse().map_err(|_| wrong())?),
            (None, Dialect::Lmtp) if rest.starts_with('/') => InnerPlace::Path(rest.into()),
            _ => return Err(wrong()),
        };
        Ok(Inner { dialect, place })
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dialect = match self.dialect {
            Dialect::Lmtp => "lmtp",
            Dialect::Smtp => "smtp",
        };
        match &self.place {
            InnerPlace::Address(address) => write!(f, "{dialect}://{address}"),
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
    fn the_three_forms_come_back() {
        for text in [
            "lmtp://127.0.0.1:24",
            "smtp://[::1]:25",
            "lmtp:/run/dovecot/lmtp",
        ] {
            assert_eq!(text.parse::<Inner>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "lmtp",
            "smtp:/run/x",
            "http://127.0.0.1:80",
            "lmtp://mx.example:24",
        ] {
            let said = wrong.parse::<Inner>().unwrap_err();
            assert!(said.contains("allowed are"), "{said}");
        }
    }
}

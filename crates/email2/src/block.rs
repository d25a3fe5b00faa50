//! What a person or a server does not want to hear from (spec §10.1).

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, AddressError, Domain, Identity};
use crate::limits;

/// One line of a block list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BlockPattern {
    /// One mailbox: `eve@example.net`.
    Address(Address),
    /// A domain with its service and its subdomains: `@example.net`.
    Domain(Domain),
    /// A pattern over the whole address, `*` for any run of characters.
    Glob(String),
}

impl BlockPattern {
    /// Reads an address, `@domain` or a pattern with `*`.
    ///
    /// # Errors
    /// See [`AddressError`]; a pattern of stars alone is refused, as it blocks
    /// everybody.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ADDRESS_INPUT_OCTETS {
            return Err(AddressError::TooLong);
        }
        if text.contains('*') {
            return glob(text);
        }
        match Identity::parse(text)? {
            Identity::Address(address) => Ok(Self::Address(address)),
            Identity::Service(domain) => Ok(Self::Domain(domain)),
        }
    }

    /// Whether mail claimed by `who` is blocked. Local parts are compared in
    /// their loose form, so that no change of case escapes a block.
    pub fn matches(&self, who: &Identity) -> bool {
        match self {
            Self::Address(blocked) => who
                .address()
                .is_some_and(|address| address.loose() == blocked.loose()),
            Self::Domain(blocked) => who.domain().is_subdomain_of(blocked),
            Self::Glob(pattern) => glob_matches(pattern, &who.to_string().to_lowercase()),
        }
    }
}

/// Takes a pattern, in lower case, if it says anything.
fn glob(text: &str) -> Result<BlockPattern, AddressError> {
    let printable = |c: char| c.is_ascii_graphic() || !c.is_ascii() && !c.is_control();
    let says_something = text.chars().any(|c| !matches!(c, '*' | '@' | '.'));
    if says_something && text.chars().all(printable) {
        Ok(BlockPattern::Glob(text.to_lowercase()))
    } else {
        Err(AddressError::LocalPart)
    }
}

/// Matches piece by piece, each at its first place: linear in practice, and
/// bounded by pattern times address (both are short).
fn glob_matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for BlockPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Glob(pattern) => f.write_str(pattern),
        }
    }
}

impl FromStr for BlockPattern {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(pattern: &str, who: &str) -> bool {
        BlockPattern::parse(pattern)
            .unwrap()
            .matches(&Identity::parse(who).unwrap())
    }

    #[test]
    fn what_is_blocked() {
        assert!(blocks("eve@example.net", "Eve+new@example.net"));
        assert!(!blocks("eve@example.net", "eve@example.org"));
        assert!(blocks("@example.net", "eve@mail.example.net"));
        assert!(blocks("@example.net", "@example.net"));
        assert!(!blocks("@example.net", "eve@notexample.net"));
        assert!(blocks("*@*.example.net", "eve@a.example.net"));
        assert!(!blocks("*@*.example.net", "eve@example.net"));
        assert!(blocks("news*@example.net", "Newsletter@example.net"));
        assert!(blocks("a*a@example.net", "aa@example.net"));
        assert!(!blocks("a*a@example.net", "a@example.net"));
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["", "*", "*@*", "**.*", "eve", "e\nve*", "@"] {
            assert!(BlockPattern::parse(text).is_err(), "{text:?}");
        }
    }
}

//! What a person or a server does not want to hear from (spec §10.1).

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, AddressError, Domain, Identity};

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
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        todo!("{text}")
    }

    /// Whether mail claimed by `who` is blocked.
    pub fn matches(&self, who: &Identity) -> bool {
        todo!("{who}")
    }
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

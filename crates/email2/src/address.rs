//! Addresses and domains in normal form (spec §1.3, RFC 5321, RFC 6531).

use std::fmt;
use std::str::FromStr;

/// A mail domain: lower-case A-labels, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// A mailbox in normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    local: String,
    domain: Domain,
}

/// Who seals: a mailbox, or a domain's service (`@example.org`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A mailbox.
    Address(Address),
    /// The domain itself.
    Service(Domain),
}

/// The argument of MAIL FROM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReversePath {
    /// `<>`: reports, which nobody answers.
    Null,
    /// A mailbox.
    Address(Address),
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No `@`, or nothing on one side of it.
    #[error("an address is local-part@domain")]
    NotAnAddress,
    /// The local part is neither a Dot-string nor a Quoted-string.
    #[error("the part before the @ is neither a Dot-string nor a Quoted-string")]
    LocalPart,
    /// The domain is no host name by IDNA2008 (address literals are not taken).
    #[error("the part after the @ is not a domain name")]
    Domain,
    /// Longer than RFC 5321 §4.5.3.1 allows.
    #[error("the address is too long")]
    TooLong,
}

impl Domain {
    /// Brings a domain name to lower-case A-labels.
    ///
    /// # Errors
    /// [`AddressError::Domain`] when it is no name by UTS 46 (strict).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        todo!("{text}")
    }

    /// Lower-case A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain without its first label; `None` for a single label.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .split_once('.')
            .map(|(_, parent)| Self(parent.to_owned()))
    }

    /// Whether this is `other` or lies below it.
    pub fn is_subdomain_of(&self, other: &Self) -> bool {
        self.0
            .strip_suffix(other.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl Address {
    /// Reads an addr-spec (no display name, no brackets) and brings it to
    /// normal form.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        todo!("{text}")
    }

    /// The local part without quotes, in NFC.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the local part needs no quotes (RFC 5321 §4.1.2).
    pub fn is_dot_string(&self) -> bool {
        todo!()
    }

    /// Whether the address needs SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl Identity {
    /// Reads `local@domain` or `@domain`.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('@') {
            Some(domain) => Domain::parse(domain).map(Self::Service),
            None => Address::parse(text).map(Self::Address),
        }
    }

    /// The domain, of either kind.
    pub fn domain(&self) -> &Domain {
        match self {
            Self::Address(address) => address.domain(),
            Self::Service(domain) => domain,
        }
    }

    /// The mailbox, if it is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Service(_) => None,
        }
    }
}

impl ReversePath {
    /// Reads what stands between the brackets of MAIL FROM; nothing is `Null`.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            Ok(Self::Null)
        } else {
            Address::parse(text).map(Self::Address)
        }
    }

    /// The mailbox, if there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Address {
    /// The addr-spec; quotes stand only where the local part needs them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Service(domain) => write!(f, "@{domain}"),
        }
    }
}

impl fmt::Display for ReversePath {
    /// The address without brackets; nothing for `Null`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl FromStr for Identity {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl From<Address> for Identity {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

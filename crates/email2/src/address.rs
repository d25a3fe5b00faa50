//! Addresses and domains in normal form (spec §1.3, RFC 5321, RFC 6531).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// A mail domain: lower-case A-labels, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// A mailbox in normal form: the same when its octets are (spec §1.3.4).
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
    /// Longer than RFC 5321 §4.5.3.1 allows (spec §1.3.3).
    #[error("the address is too long")]
    TooLong,
}

impl Domain {
    /// Brings a domain name to lower-case A-labels: UTS 46 non-transitional
    /// processing with the STD 3 rules (spec §1.3.1). An IPv4 address, an address
    /// literal and a trailing dot are refused; a single label is taken.
    ///
    /// # Errors
    /// [`AddressError::Domain`] when it is no such name,
    /// [`AddressError::TooLong`] beyond 253 octets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ADDRESS_INPUT_OCTETS {
            return Err(AddressError::TooLong);
        }
        let name = Uts46::new()
            .to_ascii(
                text.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::Check,
                DnsLength::Ignore,
            )
            .map_err(|_| AddressError::Domain)?;
        if name.len() > limits::DOMAIN_OCTETS {
            return Err(AddressError::TooLong);
        }
        // A name whose last label is a number is an address in disguise.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|octet| octet.is_ascii_digit());
        if numeric || !name.split('.').all(is_label) {
            return Err(AddressError::Domain);
        }
        Ok(Self(name.into_owned()))
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
    /// Reads an addr-spec (no display name, no brackets, no comments) and brings
    /// it to normal form: a quoted string that is a Dot-string loses its quotes,
    /// the local part is composed (NFC), the domain becomes A-labels (spec §1.3.2).
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ADDRESS_INPUT_OCTETS {
            return Err(AddressError::TooLong);
        }
        let (local, domain) = match text.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => split_plain(text)?,
        };
        Self::from_parts(local, Domain::parse(domain)?)
    }

    /// Makes an address of a local part (without quotes) and a domain.
    ///
    /// # Errors
    /// [`AddressError::LocalPart`] when the local part is empty or has
    /// characters that no mailbox may have, [`AddressError::TooLong`].
    pub fn from_parts(local: String, domain: Domain) -> Result<Self, AddressError> {
        if local.is_empty() || !local.chars().all(is_local_character) {
            return Err(AddressError::LocalPart);
        }
        let address = Self { local, domain };
        let too_long = address.local.len() > limits::LOCAL_PART_OCTETS
            || address.to_string().len() > limits::ADDRESS_OCTETS;
        if too_long {
            Err(AddressError::TooLong)
        } else {
            Ok(address)
        }
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
        is_dot_string(&self.local)
    }

    /// Whether the address needs SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }

    /// The loose form for blocks and for the policy of ordinary mail, and for
    /// nothing else (spec §10.1): lower case, without `+` and what follows it.
    pub fn loose(&self) -> Self {
        let base = match self.local.split_once('+') {
            Some((base, _)) if !base.is_empty() => base,
            _ => &self.local,
        };
        let local = composed(&base.to_lowercase());
        Self {
            local,
            domain: self.domain.clone(),
        }
    }
}

/// A label of letters, digits and hyphens, 1 to 63 octets; the hyphens were
/// checked before.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|o| o.is_ascii_lowercase() || o.is_ascii_digit() || o == b'-')
}

/// Splits `local@domain`; what is no Dot-string needs quotes.
fn split_plain(text: &str) -> Result<(String, &str), AddressError> {
    let (local, domain) = text.split_once('@').ok_or(AddressError::NotAnAddress)?;
    // Composing can make an ASCII character, so the grammar comes after it.
    let local = composed(local);
    if is_dot_string(&local) {
        Ok((local, domain))
    } else {
        Err(AddressError::LocalPart)
    }
}

/// Splits `local"@domain`, the opening quote taken off, and takes the quoting
/// out of the local part (RFC 5321 §4.1.2 Quoted-string).
fn split_quoted(quoted: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next().ok_or(AddressError::LocalPart)? {
            '"' => break,
            '\\' => match rest.next() {
                Some(escaped @ ' '..='~') => local.push(escaped),
                _ => return Err(AddressError::LocalPart),
            },
            plain => local.push(plain),
        }
    }
    let domain = rest
        .as_str()
        .strip_prefix('@')
        .ok_or(AddressError::NotAnAddress)?;
    Ok((composed(&local), domain))
}

/// In NFC; ASCII is.
fn composed(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_owned(),
        false => text.nfc().collect(),
    }
}

/// Atoms joined by single dots (RFC 5321 §4.1.2, RFC 6531 §3.3).
fn is_dot_string(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `atext` of RFC 5322 §3.2.3 and RFC 6532 §3.2.
pub(crate) fn is_atext(character: char) -> bool {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '\0'..='\x7f' => "!#$%&'*+-/=?^_`{|}~".contains(character),
        _ => is_local_character(character),
    }
}

/// What a local part may hold at all, quoted or not. Beyond ASCII, whatever is
/// not seen or reorders its neighbours is refused: an address that people cannot
/// tell from another is a spoof (the joiners that some scripts need stay).
fn is_local_character(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{206f}' => false,
        '\u{2028}'..='\u{202e}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' => false,
        '\u{e0000}'.. => false,
        _ => !character.is_control() && !character.is_whitespace(),
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
        write!(f, "{}@{}", in_quotes_if_needed(&self.local), self.domain)
    }
}

/// Writes a local part as RFC 5321 §4.1.2 wants it.
fn in_quotes_if_needed(local: &str) -> Cow<'_, str> {
    if is_dot_string(local) {
        return Cow::Borrowed(local);
    }
    let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
    Cow::Owned(format!("\"{escaped}\""))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Result<String, AddressError> {
        Address::parse(text).map(|address| address.to_string())
    }

    #[test]
    fn domains_become_lower_case_a_labels() {
        for (text, expected) in [
            ("Example.ORG", "example.org"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("ex\u{ff0e}ample", "ex.ample"),
            ("stra\u{df}e.example", "xn--strae-oqa.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let label = "a".repeat(64);
        for text in [
            "",
            ".",
            "example.org.",
            "a..b",
            "-a.org",
            "a-.org",
            "a_b.org",
            "127.0.0.1",
            "[127.0.0.1]",
            "xn--a.org",
            "exa mple.org",
            "good(x)evil",
            "a.org\r\n",
            "\u{202e}a.org",
            "a@b.org",
            &label,
        ] {
            assert_eq!(Domain::parse(text), Err(AddressError::Domain), "{text:?}");
        }
        assert_eq!(Domain::parse(&"a.".repeat(126)), Err(AddressError::Domain));
        assert_eq!(
            Domain::parse(&("a.".repeat(130) + "org")),
            Err(AddressError::TooLong)
        );
    }

    #[test]
    fn local_parts_keep_their_octets() {
        for (text, expected) in [
            ("Bob@Example.ORG", "Bob@example.org"),
            ("\"bob\"@example.org", "bob@example.org"),
            ("\"b\\ob\"@example.org", "bob@example.org"),
            ("\"bob smith\"@example.org", "\"bob smith\"@example.org"),
            ("\"a\\\"b\\\\\"@example.org", "\"a\\\"b\\\\\"@example.org"),
            ("\"a@b\"@example.org", "\"a@b\"@example.org"),
            ("\"a..b\"@example.org", "\"a..b\"@example.org"),
            ("o'neil+x@example.org", "o'neil+x@example.org"),
            ("jose\u{301}@example.org", "jos\u{e9}@example.org"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn texts_that_are_no_addresses_are_refused() {
        let long = "a".repeat(65) + "@example.org";
        for text in [
            "",
            "bob",
            "@example.org",
            "bob@",
            "bob@@example.org",
            "bob smith@example.org",
            ".bob@example.org",
            "bob.@example.org",
            "b..b@example.org",
            "<bob@example.org>",
            "bob@example.org>",
            "bob(x)@example.org",
            "user@good(x)evil.example",
            "\"bob@example.org",
            "\"bob\"x@example.org",
            "\"\"@example.org",
            "\"b\r\nb\"@example.org",
            "b\0b@example.org",
            "bob@[192.0.2.1]",
            "b\u{202e}b@example.org",
            // Composition makes a semicolon of the Greek question mark.
            "b\u{37e}b@example.org",
            &long,
        ] {
            assert!(normal(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn identities_and_paths() {
        assert_eq!(
            Identity::parse("@Example.org").unwrap().to_string(),
            "@example.org"
        );
        assert_eq!(ReversePath::parse("").unwrap(), ReversePath::Null);
        let below = Domain::parse("a.b.example.org").unwrap();
        let above = Domain::parse("example.org").unwrap();
        assert!(below.is_subdomain_of(&above) && above.is_subdomain_of(&above));
        assert!(
            !Domain::parse("notexample.org")
                .unwrap()
                .is_subdomain_of(&above)
        );
        assert_eq!(above.parent().unwrap().as_str(), "org");
        assert_eq!(
            Address::parse("Bob+x@example.org")
                .unwrap()
                .loose()
                .to_string(),
            "bob@example.org"
        );
    }
}

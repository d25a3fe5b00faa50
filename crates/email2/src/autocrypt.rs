//! Autocrypt (Level 1): the field by which a message of today's mail tells its author's key
//! (spec §12.6.7). Nothing vouches for what it says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::address::{Address, Identity};
use crate::capability;
use crate::certificate::Certificate;
use crate::content::entity::Entity;
use crate::header::parse_from;
use crate::limits;
use crate::skeleton::Skeleton;

/// The field's name.
pub const FIELD: &str = "Autocrypt";

/// Column at which the key is folded, octets.
const FOLD: usize = 76;

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autocrypt {
    /// Whose key it is said to be.
    pub address: Address,
    /// The author would rather have every answer encrypted (`prefer-encrypt=mutual`).
    pub mutual: bool,
    /// An OpenPGP certificate as it came, not looked at yet.
    pub key: Vec<u8>,
}

/// Why a field says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AutocryptError {
    /// Longer than any key that is read.
    #[error("the field is too long")]
    TooLong,
    /// Octets that are not ASCII.
    #[error("the field is not ASCII")]
    NotAscii,
    /// What stands between two semicolons has no name and value.
    #[error("an attribute has no name or no value")]
    Attribute,
    /// An attribute that is not known, and whose name does not begin with `_`.
    #[error("an attribute is not known, and may not be passed over")]
    Critical,
    /// An attribute stands twice.
    #[error("an attribute stands twice")]
    Twice,
    /// No address, or none that is one.
    #[error("the field names no address")]
    Address,
    /// No key, or none in base64.
    #[error("the field has no key")]
    Key,
}

impl Autocrypt {
    /// Reads the value of a field, folds and all.
    ///
    /// # Errors
    /// See [`AutocryptError`].
    pub fn parse(value: &[u8]) -> Result<Self, AutocryptError> {
        if value.len() > limits::AUTOCRYPT_OCTETS_RECEIVED {
            return Err(AutocryptError::TooLong);
        }
        let ascii = value.is_ascii().then(|| std::str::from_utf8(value).ok());
        let text = ascii.flatten().ok_or(AutocryptError::NotAscii)?;
        let attributes = Attributes::read(text)?;
        let address = attributes.address.map(Address::parse);
        let address = address
            .and_then(Result::ok)
            .ok_or(AutocryptError::Address)?;
        let key = attributes
            .key
            .and_then(decoded)
            .ok_or(AutocryptError::Key)?;
        Ok(Self {
            address,
            mutual: attributes.preference == Some("mutual"),
            key,
        })
    }

    /// What the fields of one message by `from` say: nothing, unless exactly one of them is valid
    /// and about that address, in any case of its letters.
    pub fn only<'a>(fields: impl IntoIterator<Item = &'a [u8]>, from: &Address) -> Option<Self> {
        let (from, mut only) = (from.to_string(), None);
        for field in fields {
            let valid = Self::parse(field)
                .ok()
                .filter(|said| said.address.to_string().eq_ignore_ascii_case(&from));
            match valid {
                Some(_) if only.is_some() => return None,
                Some(said) => only = Some(said),
                None => {}
            }
        }
        only
    }

    /// What a message says of its author's key, as it came over ordinary mail. Nothing in a report,
    /// nor beside a seal: who seals publishes the key (spec §12.6.7).
    pub fn of_message(message: &[u8]) -> Option<Self> {
        Skeleton::check(message).ok()?;
        let entity = Entity::parse(message);
        let from = parse_from(entity.only("From")?).ok()?.address;
        let kind = entity.content_type().map(|kind| kind.kind);
        let apart = kind.as_deref() == Some("multipart/report")
            || entity.named(capability::SEAL_FIELD).next().is_some();
        let fields = entity.named(FIELD).map(|field| field.value);
        let said = Self::only(fields, &from)?;
        (!apart).then_some(Self {
            address: from,
            ..said
        })
    }

    /// The field of a message by `address`, whose certificate this is: the form without
    /// post-quantum subkeys (spec §6.10), which everybody's software reads. `None` when no User ID
    /// is the address, or the field would be longer than others read.
    pub fn of(address: &Address, certificate: &Certificate) -> Option<Self> {
        let named = certificate.reduced_to(&Identity::Address(address.clone()))?;
        let said = Self {
            address: address.clone(),
            mutual: true,
            key: named.without_post_quantum().octets().to_vec(),
        };
        let fits =
            address.to_string().is_ascii() && said.to_string().len() <= limits::AUTOCRYPT_OCTETS;
        fits.then_some(said)
    }
}

impl fmt::Display for Autocrypt {
    /// The whole field, folded, with its CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FIELD}: addr={};", self.address)?;
        if self.mutual {
            f.write_str(" prefer-encrypt=mutual;")?;
        }
        f.write_str("\r\n keydata=")?;
        let mut base64 = STANDARD.encode(&self.key);
        while !base64.is_empty() {
            let rest = base64.split_off(FOLD.min(base64.len()));
            write!(f, "\r\n {base64}")?;
            base64 = rest;
        }
        f.write_str("\r\n")
    }
}

/// The attributes that are known, as they stand.
#[derive(Default)]
struct Attributes<'a> {
    address: Option<&'a str>,
    preference: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    fn read(text: &'a str) -> Result<Self, AutocryptError> {
        let mut read = Self::default();
        let all = text.split(';').map(str::trim);
        for attribute in all.filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(AutocryptError::Attribute)?;
            read.take(name.trim_end(), value.trim_start())?;
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: &'a str) -> Result<(), AutocryptError> {
        let place = match name {
            "addr" => &mut self.address,
            "prefer-encrypt" => &mut self.preference,
            "keydata" => &mut self.key,
            name if name.starts_with('_') => return Ok(()),
            _ => return Err(AutocryptError::Critical),
        };
        match place.replace(value) {
            Some(_) => Err(AutocryptError::Twice),
            None => Ok(()),
        }
    }
}

/// Base64 with the white space of folds in it.
fn decoded(value: &str) -> Option<Vec<u8>> {
    let dense: String = value.split_ascii_whitespace().collect();
    let octets = STANDARD.decode(dense).ok()?;
    (!octets.is_empty()).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "addr=alice@example.com; prefer-encrypt=mutual; keydata=AAEC\r\n Aw==";

    fn alice() -> Address {
        Address::parse("alice@example.com").unwrap()
    }

    #[test]
    fn a_field_is_read_and_written_again() {
        let said = Autocrypt::parse(ALICE.as_bytes()).unwrap();
        assert!(said.mutual && said.address == alice() && said.key == [0, 1, 2, 3]);
        let field = said.to_string();
        let value = field.strip_prefix("Autocrypt:").unwrap();
        assert_eq!(Autocrypt::parse(value.as_bytes()), Ok(said));
    }

    #[test]
    fn what_is_not_known_counts_only_below_a_line() {
        let with = |more: &str| Autocrypt::parse(format!("{more}; {ALICE}").as_bytes());
        assert!(with("_color=blue").is_ok());
        assert_eq!(with("color=blue"), Err(AutocryptError::Critical));
        assert_eq!(with("type=1"), Err(AutocryptError::Critical));
        assert_eq!(with("color"), Err(AutocryptError::Attribute));
        assert_eq!(
            with("addr=bob@example.org"),
            Err(AutocryptError::Twice),
            "whose is it?"
        );
    }

    #[test]
    fn a_field_without_address_or_key_says_nothing() {
        let of = |value: &str| Autocrypt::parse(value.as_bytes()).unwrap_err();
        assert_eq!(of("keydata=AAEC"), AutocryptError::Address);
        assert_eq!(of("addr=alice; keydata=AAEC"), AutocryptError::Address);
        assert_eq!(of("addr=a@example.com"), AutocryptError::Key);
        assert_eq!(of("addr=a@example.com; keydata=!"), AutocryptError::Key);
        assert_eq!(of("addr=a@example.com; keydata="), AutocryptError::Key);
        assert_eq!(of("addr=ä@example.com"), AutocryptError::NotAscii);
    }

    #[test]
    fn another_preference_is_none() {
        let said = Autocrypt::parse(b"addr=a@example.com; prefer-encrypt=x; keydata=AAEC");
        assert!(!said.unwrap().mutual);
    }

    #[test]
    fn of_two_valid_fields_neither_counts() {
        let other = "addr=alice@example.com; keydata=AAED";
        let (one, other) = (ALICE.as_bytes(), other.as_bytes());
        assert!(Autocrypt::only([one], &alice()).is_some());
        assert_eq!(Autocrypt::only([one, other], &alice()), None);
        assert!(Autocrypt::only([one, b"addr=alice@example.com".as_slice()], &alice()).is_some());
        let bob = Address::parse("bob@example.org").unwrap();
        assert_eq!(Autocrypt::only([one], &bob), None, "about somebody else");
        let shouted = ALICE.replace("alice@", "Alice@");
        assert!(Autocrypt::only([shouted.as_bytes()], &alice()).is_some());
    }

    #[test]
    fn a_message_tells_its_authors_key_only() {
        let said = |from: &str, more: &str| {
            let message = format!("From: {from}\r\n{more}Autocrypt: {ALICE}\r\n\r\nHello\r\n");
            Autocrypt::of_message(message.as_bytes()).map(|said| said.address)
        };
        assert_eq!(said("Alice <alice@example.com>", ""), Some(alice()));
        assert_eq!(said("bob@example.org", ""), None);
        let two = "From: alice@example.com\r\n";
        assert_eq!(said("alice@example.com", two), None, "two authors");
        assert_eq!(said("alice@example.com, bob@example.org", ""), None);
        let report = "Content-Type: multipart/report; boundary=x\r\n";
        assert_eq!(said("alice@example.com", report), None);
        assert_eq!(said("alice@example.com", "Email2-Seal: v=1\r\n"), None);
    }

    #[test]
    fn a_field_longer_than_any_key_is_not_read() {
        let long = |octets: usize| {
            let key = "A".repeat(octets - "addr=a@example.com;keydata=".len());
            Autocrypt::parse(format!("addr=a@example.com;keydata={key}").as_bytes())
        };
        let most = limits::AUTOCRYPT_OCTETS_RECEIVED;
        assert_ne!(long(most), Err(AutocryptError::TooLong));
        assert_eq!(long(most + 1), Err(AutocryptError::TooLong));
    }
}

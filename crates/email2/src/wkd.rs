//! The Web Key Directory: where on the web the certificate of an address is
//! (draft-koch-openpgp-webkey-service §3.1). Here are the names; who asks and who answers is
//! elsewhere.

use pgp::crypto::hash::HashAlgorithm;

use crate::address::{Address, Domain};

/// The label of the advanced method's host: `openpgpkey.D`.
pub const HOST_LABEL: &str = "openpgpkey";

/// Where the directory begins on its host.
pub const WELL_KNOWN: &str = "/.well-known/openpgpkey/";

/// Below this stand the certificates.
pub const HASHED_USERS: &str = "hu/";

/// The name of the file that says how the directory is to be used; it may be empty.
pub const POLICY_FILE: &str = "policy";

/// The alphabet of z-base-32.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// One of the two ways to ask; a writer asks the second only where the first has no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// At `openpgpkey.D`, which serves the keys of *D* alone.
    Advanced,
    /// At *D* itself.
    Direct,
}

impl Method {
    /// The host that is asked.
    #[must_use]
    pub fn host(self, domain: &Domain) -> String {
        match self {
            Method::Advanced => format!("{HOST_LABEL}.{domain}"),
            Method::Direct => domain.to_string(),
        }
    }

    /// The path and query of an address's certificate; `None` for a local part that was made to
    /// collide under SHA-1.
    #[must_use]
    pub fn target(self, address: &Address) -> Option<String> {
        let domain = match self {
            Method::Advanced => format!("{}/", address.domain()),
            Method::Direct => String::new(),
        };
        let (hash, local) = (hash(address.local())?, escaped(address.local()));
        Some(format!(
            "{WELL_KNOWN}{domain}{HASHED_USERS}{hash}?l={local}"
        ))
    }
}

/// The name of a local part in the directory: z-base-32 over SHA-1 of its lower-case form, in
/// which only ASCII letters change; `None` when it was made to collide.
#[must_use]
pub fn hash(local: &str) -> Option<String> {
    let lower = local.to_ascii_lowercase();
    let digest = HashAlgorithm::Sha1.digest(lower.as_bytes()).ok()?;
    Some(z_base_32(&digest))
}

/// Five bits a character; the 160 of a digest leave none over.
fn z_base_32(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 8 / 5);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for octet in octets {
        bits = (bits << 8 | u32::from(*octet)) & 0xFFF;
        held += 8;
        while held >= 5 {
            held -= 5;
            let index = usize::try_from(bits >> held & 31).unwrap_or_default();
            text.extend(ALPHABET.get(index).copied().map(char::from));
        }
    }
    text
}

/// Percent-encoded (RFC 3986 §2.1): all but the unreserved characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(octet));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

/// Takes percent-encoding away; `None` where it is broken, or is no UTF-8.
#[must_use]
pub fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the draft, §3.1.
    #[test]
    fn the_example_of_the_draft_has_its_names() {
        let joe = Address::parse("Joe.Doe@Example.ORG").unwrap();
        assert_eq!(
            Method::Advanced.host(joe.domain()),
            "openpgpkey.example.org"
        );
        assert_eq!(
            Method::Advanced.target(&joe).unwrap(),
            "/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
        );
        assert_eq!(Method::Direct.host(joe.domain()), "example.org");
        assert_eq!(
            Method::Direct.target(&joe).unwrap(),
            "/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
        );
    }

    #[test]
    fn a_local_part_is_written_as_typed() {
        let target = |address: &str| {
            let address = Address::parse(address).unwrap();
            Method::Direct.target(&address).unwrap()
        };
        assert!(target("bob+tag@example.org").ends_with("?l=bob%2Btag"));
        assert!(!target("\"a b\"@example.org").contains(' '));
    }

    #[test]
    fn what_is_escaped_comes_back() {
        for local in ["bob", "a+b", "jürg", "\"a b\"", "x%41"] {
            assert_eq!(unescaped(&escaped(local)).as_deref(), Some(local));
        }
        for broken in ["%", "%4", "%zz", "%FF"] {
            assert_eq!(unescaped(broken), None, "{broken}");
        }
    }
}

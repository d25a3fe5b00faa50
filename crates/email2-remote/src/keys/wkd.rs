//! The Web Key Directory (draft-koch-openpgp-webkey-service §3.1): where an address has its
//! certificate, and whether what was answered there agrees with what its mail host answers
//! (spec §2.2, way d).

use email2::certificate::Certificate;
use email2::certificate::succession::{Succession, succeed};
use email2::{Address, Identity};
use email2_io::aside::aside;
use sha1::{Digest, Sha1};

use crate::https::{FetchError, Page};
use crate::remote::Remote;

/// The alphabet of z-base-32 (RFC 6189 §5.1.6).
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// What a directory says of an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoEntry {
    /// There is no directory: its host does not exist.
    #[error("{0}")]
    NoDirectory(String),
    /// The directory, or the host in its place, has nothing for the address.
    #[error("{0}")]
    Nothing(String),
    /// Its host shows a certificate of another name.
    #[error("{0}")]
    WrongName(String),
    /// It cannot be asked, or answers what is none.
    #[error("{0}")]
    Failed(String),
}

/// What the advanced host of a directory has for an address, for way (d) of spec §2.2.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// These certificates bind the address.
    Has(Vec<Certificate>),
    /// Definitely nothing (spec §2.2.2).
    Absent(String),
    /// It could not be asked.
    Unasked(String),
}

impl Remote {
    /// The certificates that the directory of the address has for it: by the advanced method; by
    /// the direct one only where the advanced host does not exist in DNS (spec §12.3.2).
    pub(super) async fn in_directory(
        &self,
        address: &Address,
    ) -> Result<Vec<Certificate>, NoEntry> {
        match self.in_page(address, advanced(address)).await {
            Err(NoEntry::NoDirectory(_)) => self.in_page(address, direct(address)).await,
            other => other,
        }
    }

    /// What the directory's advanced host has for `address`; the direct method, which any web host
    /// of the domain could answer, authenticates nothing (spec §2.2.6).
    pub(super) async fn directory_entry(&self, address: &Address) -> Entry {
        match self.in_page(address, advanced(address)).await {
            Ok(there) => Entry::Has(there),
            Err(NoEntry::Failed(why)) => Entry::Unasked(why),
            Err(absent) => Entry::Absent(absent.to_string()),
        }
    }

    async fn in_page(&self, address: &Address, page: Page) -> Result<Vec<Certificate>, NoEntry> {
        let host = page.host.clone();
        let answered = self.fetch(&page).await?;
        let failed = |why: &str| NoEntry::Failed(format!("https://{host}: {why}"));
        let kind = answered.media_type.as_deref().unwrap_or_default();
        if kind.starts_with("text/html") {
            return Err(failed("a web page, not a key"));
        }
        let found = bound(answered.body, address).await;
        let found = found.map_err(|why| failed(&why))?;
        if found.is_empty() {
            let why = format!("https://{host}: its key is not one of {address}");
            return Err(NoEntry::Failed(why));
        }
        Ok(found)
    }
}

/// The certificates in `octets` that bind `address`, each reduced to that User ID; read away from
/// the I/O threads.
pub(super) async fn bound(octets: Vec<u8>, address: &Address) -> Result<Vec<Certificate>, String> {
    let who = Identity::Address(address.clone());
    let read = aside(move || {
        let all = Certificate::parse_all(&octets)?;
        Ok(all.iter().filter_map(|one| one.reduced_to(&who)).collect())
    });
    match read.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err::<_, email2::certificate::CertificateError>(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

impl From<FetchError> for NoEntry {
    fn from(error: FetchError) -> Self {
        let why = error.to_string();
        match error {
            FetchError::NoHost(_) => NoEntry::NoDirectory(why),
            FetchError::NoPage(_) => NoEntry::Nothing(why),
            FetchError::WrongName { .. } => NoEntry::WrongName(why),
            FetchError::Fenced { .. } | FetchError::Failed { .. } => NoEntry::Failed(why),
        }
    }
}

/// Whether one of `there` has the primary key of `here`, or a signed transition links them.
pub(super) fn is_linked_to_any(there: &[Certificate], here: &Certificate) -> bool {
    let leads = |old, new| matches!(succeed(old, new), Ok(Succession::Transition(_)));
    there
        .iter()
        .any(|there| there.primary() == here.primary() || leads(there, here) || leads(here, there))
}

fn advanced(address: &Address) -> Page {
    let domain = address.domain();
    Page {
        host: format!("openpgpkey.{domain}"),
        path: format!("/.well-known/openpgpkey/{domain}/{}", entry(address)),
        domain: domain.clone(),
        exact: true,
    }
}

fn direct(address: &Address) -> Page {
    let domain = address.domain();
    Page {
        host: domain.to_string(),
        path: format!("/.well-known/openpgpkey/{}", entry(address)),
        domain: domain.clone(),
        exact: false,
    }
}

/// `hu/<hash of the lower-cased local part>?l=<as typed>`.
fn entry(address: &Address) -> String {
    let local = address.local();
    let digest = Sha1::digest(local.to_ascii_lowercase().as_bytes());
    format!("hu/{}?l={}", z_base_32(&digest), percent(local))
}

fn z_base_32(octets: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0_u32);
    for &octet in octets {
        held = (held << 8) | u32::from(octet);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(value: u32) -> char {
    let letter = ALPHABET.get(value as usize & 31);
    letter.map_or('y', |&letter| char::from(letter))
}

/// RFC 3986 §2.1.
fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(octet));
            }
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_where_the_draft_puts_it() {
        let joe = Address::parse("Joe.Doe@Example.ORG").unwrap();
        let hash = "iy9q119eutrkn8s1mk4r39qejnbu3n5q";
        let page = advanced(&joe);
        assert_eq!(page.host, "openpgpkey.example.org");
        let path = format!("/.well-known/openpgpkey/example.org/hu/{hash}?l=Joe.Doe");
        assert_eq!(page.path, path);
        let page = direct(&joe);
        assert_eq!(page.host, "example.org");
        assert_eq!(
            page.path,
            format!("/.well-known/openpgpkey/hu/{hash}?l=Joe.Doe")
        );
    }

    #[test]
    fn a_local_part_is_written_as_typed() {
        let tagged = Address::parse("bob+tag@example.org").unwrap();
        assert!(entry(&tagged).ends_with("?l=bob%2Btag"));
        let quoted = Address::parse("\"a b\"@example.org").unwrap();
        assert!(!entry(&quoted).contains(' '));
    }

    #[test]
    fn z_base_32_has_its_known_values() {
        assert_eq!(z_base_32(&[]), "");
        assert_eq!(z_base_32(&[0]), "yy");
        assert_eq!(z_base_32(&[0xf0, 0xbf, 0xc7]), "6n9hq");
        assert_eq!(z_base_32(&[0xd4, 0x7a, 0x04]), "4t7ye");
    }
}

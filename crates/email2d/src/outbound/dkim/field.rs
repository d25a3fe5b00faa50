//! The DKIM-Signature field (RFC 6376 §3.5, §3.7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::Domain;

use super::canonical;
use crate::dkim_key::{DkimKeyError, Signer};

/// What is signed where it stands, and once more than it stands, so that none can be added
/// (RFC 6376 §5.4.2, spec §13.5.1; case D02).
const SIGNED: [&str; 18] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Autocrypt",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Email2-Seal",
];

/// The longest line of the field, octets.
const FOLD: usize = 76;

/// A header section, taken apart.
#[derive(Debug)]
pub(super) struct Header {
    /// Name and value of each field, top first.
    fields: Vec<(String, Vec<u8>)>,
}

impl Header {
    /// Reads the lines of a header section, each with its CRLF.
    pub(super) fn parse(octets: &[u8]) -> Header {
        let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            let folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if let Some((_, value)) = fields.last_mut().filter(|_| folded) {
                value.extend_from_slice(line);
                continue;
            }
            let Some(colon) = line.iter().position(|octet| *octet == b':') else {
                continue;
            };
            let (name, value) = line.split_at(colon);
            let name = String::from_utf8_lossy(name).trim_end().to_owned();
            fields.push((name, value.get(1..).unwrap_or_default().to_vec()));
        }
        Header { fields }
    }

    /// The fields of that name, the lowest first (RFC 6376 §5.4.2).
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a (String, Vec<u8>)> {
        let fields = self.fields.iter().rev();
        fields.filter(move |(known, _)| known.eq_ignore_ascii_case(name))
    }
}

/// What a signature says before it is made.
#[derive(Debug)]
pub(super) struct Unsigned {
    /// `d`.
    pub(super) domain: Domain,
    /// `t`, Unix seconds.
    pub(super) time: u64,
    /// `bh`.
    pub(super) body_hash: [u8; 32],
    /// The header section that is signed.
    pub(super) header: Header,
}

impl Unsigned {
    /// The whole field with its final CRLF, signed.
    ///
    /// # Errors
    /// The key refused.
    pub(super) fn signed(&self, signer: &Signer) -> Result<Vec<u8>, DkimKeyError> {
        let unsigned = self.value(signer);
        let mut octets = Vec::new();
        for name in SIGNED {
            for (name, value) in self.header.named(name) {
                octets.extend_from_slice(&canonical::field(name, value));
                octets.extend_from_slice(b"\r\n");
            }
        }
        octets.extend_from_slice(&canonical::field(NAME, unsigned.as_bytes()));
        let signature = STANDARD.encode(signer.sign(&octets)?);
        let mut field = format!("{NAME}:{unsigned}");
        fold_into(&mut field, &signature);
        Ok((field + "\r\n").into_bytes())
    }

    /// The value up to its empty `b=`.
    fn value(&self, signer: &Signer) -> String {
        let (domain, time) = (&self.domain, self.time);
        let (algorithm, selector) = (signer.algorithm(), signer.selector());
        let mut value = format!(
            " v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={domain}; s={selector}; t={time};\r\n h="
        );
        let mut column = 3;
        for (at, name) in self.names().iter().enumerate() {
            let gap = if at == 0 { "" } else { ":" };
            if column + gap.len() + name.len() >= FOLD {
                value += "\r\n  ";
                column = 2;
            }
            value += gap;
            value += name;
            column += gap.len() + name.len();
        }
        value += &format!(";\r\n bh={};\r\n b=", STANDARD.encode(self.body_hash));
        value
    }

    /// `h`: the lowest of a name comes first.
    fn names(&self) -> Vec<&'static str> {
        let times = |name: &'static str| {
            let once_more = usize::from(!REPEATED.contains(&name));
            std::iter::repeat_n(name, self.header.named(name).count() + once_more)
        };
        SIGNED.into_iter().flat_map(times).collect()
    }
}

const NAME: &str = "DKIM-Signature";

/// Fields that are signed only where they stand: others may add one, as a mediator its seal.
const REPEATED: [&str; 5] = [
    "Content-Disposition",
    "Autocrypt",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Email2-Seal",
];

fn fold_into(field: &mut String, signature: &str) {
    let mut column = 3;
    for character in signature.chars() {
        if column >= FOLD {
            field.push_str("\r\n ");
            column = 1;
        }
        field.push(character);
        column += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"Received: x\r\nFrom: Bob\r\n <bob@example.org>\r\nTo: a@x\r\n\
        Subject: s\r\nList-Unsubscribe: <mailto:u@x>\r\n";

    #[test]
    fn fields_are_signed_where_they_stand_and_once_more() {
        let unsigned = Unsigned {
            domain: "example.org".parse().unwrap(),
            time: 1_764_000_000,
            body_hash: [0; 32],
            header: Header::parse(HEADER),
        };
        let names = unsigned.names();
        let count = |name: &str| names.iter().filter(|known| **known == name).count();
        assert_eq!((count("From"), count("To"), count("Cc")), (2, 2, 1));
        assert_eq!((count("Email2-Seal"), count("Autocrypt")), (0, 0));
        assert_eq!(count("List-Unsubscribe"), 1);
        let value = unsigned.value(&Signer::for_tests());
        assert!(
            value.starts_with(" v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=example.org; ")
        );
        assert!(value.lines().all(|line| line.len() <= FOLD + 2), "{value}");
        assert!(!value.contains("l="), "{value}");
        let field = String::from_utf8(unsigned.signed(&Signer::for_tests()).unwrap()).unwrap();
        assert!(
            field.starts_with("DKIM-Signature: v=1; ") && field.ends_with("=\r\n"),
            "{field}"
        );
    }

    #[test]
    fn folded_fields_stay_together() {
        let header = Header::parse(HEADER);
        let from: Vec<_> = header.named("from").collect();
        assert_eq!(from.len(), 1);
        assert_eq!(from[0].1, b" Bob\r\n <bob@example.org>\r\n");
    }
}

//! A protected message becomes what a person reads (spec §5.6).

use super::entity::Entity;
use super::layers::{self, Layer};
use super::packets::{self, LITERAL, ONE_PASS, SIGNATURE};
use super::shown::{Found, author_of, protection_of, show, unprotected};
use super::standing::{Question, judge, states_no_recipient};
use super::{ContentError, Flaw, Standing, cipher};
use crate::address::Address;
use crate::capability;
use crate::certificate::{Certificate, Fingerprint};
use crate::secret::SecretKey;
use crate::skeleton::Skeleton;

/// Who reads, and when.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The reader's keys; may be empty.
    pub keys: &'a [&'a SecretKey],
    /// Where certificates of authors are found.
    pub known: &'a dyn Known,
    /// Unix seconds.
    pub now: u64,
}

/// The certificates that a reader knows. Any
/// `Fn(&Address) -> Option<Certificate>` is one.
pub trait Known {
    /// The certificate of an address, authenticated as its own.
    fn author(&self, address: &Address) -> Option<Certificate>;

    /// Any certificate that holds this key: only to say who somebody else is.
    fn holder(&self, key: &Fingerprint) -> Option<Certificate> {
        let _ = key;
        None
    }
}

impl<F: Fn(&Address) -> Option<Certificate>> Known for F {
    fn author(&self, address: &Address) -> Option<Certificate> {
        self(address)
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the signature is worth.
    pub standing: Standing,
    /// Whether the whole was encrypted.
    pub encrypted: bool,
    /// Whether it was encrypted to post-quantum keys only.
    pub post_quantum: bool,
    /// How the header was protected.
    pub header_protection: HeaderProtection,
    /// The header to show, in order, without MIME fields: from inside the
    /// protection where there is one.
    pub header: Vec<Field>,
    /// The entity to show: its MIME fields, an empty line, its content.
    pub body: Vec<u8>,
    /// Outer fields that say something else: shown on demand (spec §5.6.3).
    pub differing_outer: Vec<Differing>,
    /// What the reader must be told.
    pub warnings: Vec<Warning>,
}

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name as written.
    pub name: String,
    /// What follows the colon, without the final CRLF, folds kept.
    pub value: Vec<u8>,
}

/// How a header was protected (RFC 9788).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProtection {
    /// Not at all: the outer fields are shown.
    None,
    /// Signed, `hp="clear"`.
    Clear,
    /// Signed and encrypted, `hp="cipher"`.
    Cipher,
    /// The older `protected-headers="v1"`.
    Older,
}

/// A field whose outer value is not the inner one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The field's name.
    pub name: String,
    /// Inside.
    pub inner: Vec<u8>,
    /// Outside.
    pub outer: Vec<u8>,
    /// Whether the author meant it so (`HP-Outer`, RFC 9788).
    pub intended: bool,
}

/// What the reader must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// None of the reader's keys is among the intended recipients: someone may
    /// have given the author a false key (spec §5.3.2).
    IntendedRecipientMissing,
    /// The signature states no intended recipient, as programs outside of
    /// Email 2.0 make it: a false key for the reader would go unnoticed
    /// (spec §5.3.3).
    NoIntendedRecipients,
    /// The inner From is not the outer one (spec §5.2.4).
    OtherFrom {
        /// The address inside.
        inner: String,
    },
    /// Inside are more signed or encrypted parts: they are closed attachments
    /// and lend nothing (spec §5.6.1).
    NestedProtection,
    /// A server on the way changed the structure; it was read as it must have
    /// been (spec §12.6.10).
    Repaired,
}

impl Reading {
    /// The raw value of the first header field of that name (any case).
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.header
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_slice())
    }

    /// The message as a whole (RFC 5322): the header shown, then the body.
    pub fn message(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 1024);
        for field in &self.header {
            out.extend_from_slice(field.name.as_bytes());
            out.push(b':');
            out.extend_from_slice(&field.value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// Takes the protection off. Bounds the structure before any parser sees it,
/// and gives nothing of a ciphertext before its end was authenticated.
///
/// # Errors
/// [`ContentError::Refused`], [`ContentError::NotForTheseKeys`],
/// [`ContentError::Ciphertext`]. A message without protection is no error: its
/// standing is [`Standing::Unsigned`].
pub fn unprotect(message: &[u8], reader: &Reader<'_>) -> Result<Reading, ContentError> {
    Skeleton::check(message).map_err(ContentError::Refused)?;
    let whole = Entity::parse(message);
    let sealed = whole.named(capability::SEAL_FIELD).next().is_some();
    let outer = below_seals(whole);
    match layers::outermost(&outer) {
        Layer::None => Ok(unprotected(&outer, Standing::Unsigned)),
        Layer::Malformed => Ok(unprotected(&outer, Standing::Broken(Flaw::Structure))),
        Layer::Signed { content, signature } => {
            Ok(signed(&outer, content, signature.as_deref(), reader))
        }
        Layer::Encrypted(packets) => encrypted(&outer, &packets, reader),
        // Below a seal nobody honest changes anything.
        Layer::Mangled(_) if sealed => Ok(unprotected(&outer, Standing::Unsigned)),
        Layer::Mangled(packets) => {
            let mut reading = encrypted(&outer, &packets, reader)?;
            reading.warnings.push(Warning::Repaired);
            Ok(reading)
        }
    }
}

/// Fields above the innermost seal are never shown (spec §4.7.1); nor is what
/// servers put below it for each other.
fn below_seals(mut message: Entity<'_>) -> Entity<'_> {
    let seal = message
        .fields
        .iter()
        .rposition(|field| field.is("Email2-Seal"));
    if let Some(seal) = seal {
        message.fields.drain(..=seal);
    }
    let ours = ["Email2-Key", "Email2-Verdict"];
    message
        .fields
        .retain(|field| !ours.iter().any(|name| field.is(name)));
    message
}

fn signed(
    outer: &Entity<'_>,
    content: &[u8],
    signature: Option<&[u8]>,
    reader: &Reader<'_>,
) -> Reading {
    let from = author_of(outer);
    let signatures = signature.map(signature_bodies).unwrap_or_default();
    let standing = judge(
        &Question {
            content,
            signatures: &signatures,
            from: from.as_ref(),
            intended: None,
        },
        reader.known,
        reader.now,
    );
    let inner = Entity::parse(content);
    let trusted = matches!(standing, Standing::Verified { .. });
    let protection = if trusted {
        protection_of(&inner)
    } else {
        HeaderProtection::None
    };
    show(
        outer,
        &inner,
        Found {
            standing,
            protection,
            encrypted: None,
        },
    )
}

/// The bodies of the signature packets; none when there is another packet.
fn signature_bodies(octets: &[u8]) -> Vec<Vec<u8>> {
    let packets = packets::split(octets).unwrap_or_default();
    if packets.iter().any(|packet| packet.tag != SIGNATURE) {
        return Vec::new();
    }
    packets
        .into_iter()
        .map(|packet| packet.body.into_owned())
        .collect()
}

fn encrypted(
    outer: &Entity<'_>,
    octets: &[u8],
    reader: &Reader<'_>,
) -> Result<Reading, ContentError> {
    let opened = cipher::decrypt(octets, reader.keys)?;
    let packets = packets::split(&opened.octets)?;
    let tags: Vec<u8> = packets.iter().map(|packet| packet.tag).collect();
    let (literal, signature) = match (tags.as_slice(), packets.as_slice()) {
        ([ONE_PASS, LITERAL, SIGNATURE], [_, literal, signature]) => (literal, Some(signature)),
        ([LITERAL], [literal]) => (literal, None),
        _ => {
            return Err(ContentError::Ciphertext(
                "it holds more than one signed text",
            ));
        }
    };
    let broken = ContentError::Ciphertext("the text inside is broken");
    let content = cipher::literal_of(literal).ok_or(broken)?;
    Skeleton::check(content).map_err(ContentError::Refused)?;
    let from = author_of(outer);
    let standing = match signature {
        None => Standing::Unsigned,
        Some(signature) => judge(
            &Question {
                content,
                signatures: &[signature.body.to_vec()],
                from: from.as_ref(),
                intended: Some(reader.keys),
            },
            reader.known,
            reader.now,
        ),
    };
    let inner = Entity::parse(content);
    let protection = protection_of(&inner);
    let encrypted = Some(opened.post_quantum);
    let unstated = signature.is_some_and(|signature| states_no_recipient(&signature.body));
    let found = Found {
        standing,
        protection,
        encrypted,
    };
    let mut reading = show(outer, &inner, found);
    reading
        .warnings
        .extend(unstated.then_some(Warning::NoIntendedRecipients));
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::certificate::generate::generate;
    use crate::content::armor::{self, Block};
    use crate::content::signature;

    const NOW: u64 = 1_795_705_199;

    /// What is read of `content`, signed by Bob, in a message from Bob.
    fn signed_by_bob(content: &str) -> Reading {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let who = "bob@example.org".parse().unwrap();
        let bob = generate(&who, NOW - 60, &mut rng).unwrap();
        let packets = signature::detached(content.as_bytes(), &bob, NOW, &mut rng).unwrap();
        let armor = String::from_utf8(armor::write(Block::Signature, &packets)).unwrap();
        let message = format!(
            "From: bob@example.org\r\nSubject: outside\r\nContent-Type: multipart/signed; \
             protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n--b\r\n{content}\r\n--b\r\n\
             Content-Type: application/pgp-signature\r\n\r\n{armor}\r\n--b--\r\n"
        );
        let known = |_: &Address| Some(bob.certificate().clone());
        let reader = Reader {
            keys: &[],
            known: &known,
            now: NOW,
        };
        unprotect(message.as_bytes(), &reader).unwrap()
    }

    const HP: &str = "Content-Type: text/plain; hp=\"clear\"\r\n\r\ntext\r\n";

    #[test]
    fn a_header_inside_that_reads_one_way_is_shown() {
        let reading = signed_by_bob(&format!("From: bob@example.org\r\nSubject: in\r\n{HP}"));
        assert!(matches!(reading.standing, Standing::Verified { .. }));
        assert_eq!(reading.field("Subject"), Some(&b" in"[..]));
    }

    #[test]
    fn a_field_twice_inside_ends_the_verdict() {
        let twice = "From: bob@example.org\r\nSubject: a\r\nSubject: b\r\n";
        let reading = signed_by_bob(&format!("{twice}{HP}"));
        assert_eq!(reading.standing, Standing::Broken(Flaw::Structure));
    }

    #[test]
    fn two_authors_inside_are_nobody() {
        let twice = "From: bob@example.org\r\nFrom: ceo@example.org\r\n";
        let reading = signed_by_bob(&format!("{twice}{HP}"));
        assert_eq!(reading.standing, Standing::Broken(Flaw::OtherFrom));
        assert_eq!(reading.field("From"), Some(&b" bob@example.org"[..]));
        assert!(reading.body.starts_with(b"Content-Type: message/rfc822"));
    }

    #[test]
    fn a_signature_without_the_header_is_not_verified() {
        let reading = signed_by_bob("Content-Type: text/plain\r\n\r\ntext\r\n");
        assert_eq!(reading.standing, Standing::Broken(Flaw::HeaderNotCovered));
        assert_eq!(reading.field("Subject"), Some(&b" outside"[..]));
    }
}

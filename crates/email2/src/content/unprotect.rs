//! A protected message becomes what a person reads (spec §5.6).

use super::entity::{Entity, RawField};
use super::layers::{self, Layer};
use super::outline::outline;
use super::packets::{self, LITERAL, ONE_PASS, SIGNATURE};
use super::standing::{Question, judge, states_no_recipient};
use super::{ContentError, Flaw, Standing, cipher, fields};
use crate::address::Address;
use crate::certificate::{Certificate, Fingerprint};
use crate::header;
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
    let outer = below_seals(Entity::parse(message));
    match layers::outermost(&outer) {
        Layer::None => Ok(unprotected(&outer, Standing::Unsigned)),
        Layer::Malformed => Ok(unprotected(&outer, Standing::Broken(Flaw::Structure))),
        Layer::Signed { content, signature } => {
            Ok(signed(&outer, content, signature.as_deref(), reader))
        }
        Layer::Encrypted(packets) => encrypted(&outer, &packets, reader),
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

/// A message as it stands.
fn unprotected(outer: &Entity<'_>, standing: Standing) -> Reading {
    let nested = outline(&body_of(outer)).nested_protection;
    Reading {
        standing,
        encrypted: false,
        post_quantum: false,
        header_protection: HeaderProtection::None,
        header: header_of(outer),
        body: body_of(outer),
        differing_outer: Vec::new(),
        warnings: Vec::from_iter(nested.then_some(Warning::NestedProtection)),
    }
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

/// What is known of the protection before its inside is shown.
struct Found {
    standing: Standing,
    protection: HeaderProtection,
    /// Whether it was encrypted, and if so to post-quantum keys only.
    encrypted: Option<bool>,
}

fn show(outer: &Entity<'_>, inner: &Entity<'_>, found: Found) -> Reading {
    let mut reading = Reading {
        encrypted: found.encrypted.is_some(),
        post_quantum: found.encrypted == Some(true),
        ..unprotected(inner, found.standing)
    };
    if inner
        .content_type()
        .is_some_and(|kind| kind.is_protection())
    {
        reading.warnings = vec![Warning::NestedProtection];
    }
    if reading.standing == Standing::Broken(Flaw::NotIntendedForYou) {
        reading.warnings.push(Warning::IntendedRecipientMissing);
    }
    reading.header_protection = found.protection;
    reading.header = shown_header(outer, inner, found.protection);
    if found.protection == HeaderProtection::None || found.protection == HeaderProtection::Older {
        uncover(&mut reading.standing);
    }
    if let Some(other) = other_author(outer, inner, found.protection) {
        close(&mut reading, outer, inner, other);
    } else {
        reading.differing_outer = differing(outer, inner, found.protection);
    }
    reading
}

/// A good signature that does not cover the header shown (spec §5.1.1).
fn uncover(standing: &mut Standing) {
    if matches!(standing, Standing::Verified { .. }) {
        *standing = Standing::Broken(Flaw::HeaderNotCovered);
    }
}

/// How the root inside says that it protects the header.
fn protection_of(inner: &Entity<'_>) -> HeaderProtection {
    let Some(content_type) = inner.content_type() else {
        return HeaderProtection::None;
    };
    match (
        content_type.parameter("hp"),
        content_type.parameter("protected-headers"),
    ) {
        (Some("clear"), _) => HeaderProtection::Clear,
        (Some("cipher"), _) => HeaderProtection::Cipher,
        (_, Some("v1")) => HeaderProtection::Older,
        _ => HeaderProtection::None,
    }
}

/// The inner From when it is not the outer one, or not exactly one
/// (spec §5.2.4).
fn other_author(
    outer: &Entity<'_>,
    inner: &Entity<'_>,
    protection: HeaderProtection,
) -> Option<String> {
    let silent = inner.named("From").next().is_none();
    let may_be_silent = matches!(protection, HeaderProtection::None | HeaderProtection::Older);
    if may_be_silent && (silent || protection == HeaderProtection::None) {
        return None;
    }
    match (author_of(inner), author_of(outer)) {
        (Some(inner), Some(outer)) if inner == outer => None,
        (Some(inner), _) => Some(inner.to_string()),
        (None, _) => Some("nobody".to_owned()),
    }
}

/// Somebody else's protected message inside this one: an attachment that lends
/// nothing, under the outer header.
fn close(reading: &mut Reading, outer: &Entity<'_>, inner: &Entity<'_>, author: String) {
    reading.standing = Standing::Broken(Flaw::OtherFrom);
    reading.header = header_of(outer);
    reading.header_protection = HeaderProtection::None;
    reading.body = [
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n",
        whole(inner).as_slice(),
    ]
    .concat();
    reading.warnings.push(Warning::OtherFrom { inner: author });
}

fn whole(entity: &Entity<'_>) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for field in &entity.fields {
        out.extend_from_slice(field.octets);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(entity.body);
    out
}

fn shown_header(
    outer: &Entity<'_>,
    inner: &Entity<'_>,
    protection: HeaderProtection,
) -> Vec<Field> {
    match protection {
        HeaderProtection::Clear | HeaderProtection::Cipher => header_of(inner),
        HeaderProtection::None => header_of(outer),
        HeaderProtection::Older => {
            let mut shown = header_of(inner);
            let only_outside = |field: &Field| inner.named(&field.name).next().is_none();
            shown.extend(header_of(outer).into_iter().filter(only_outside));
            shown
        }
    }
}

/// The fields that describe the message.
fn header_of(entity: &Entity<'_>) -> Vec<Field> {
    let shown = |field: &&RawField<'_>| !field.is_structural() && !field.is("HP-Outer");
    let fields = entity.fields.iter().filter(shown);
    fields
        .map(|field| Field {
            name: field.name.to_owned(),
            value: field.value.to_vec(),
        })
        .collect()
}

/// The fields that describe the body, and the body.
fn body_of(entity: &Entity<'_>) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(entity.body.len() + 256);
    for field in entity.fields.iter().filter(|field| field.is_structural()) {
        if field.is("Content-Type") {
            out.extend_from_slice(fields::unmarked(field));
            out.extend_from_slice(b"\r\n");
        } else if !field.is("MIME-Version") {
            out.extend_from_slice(field.octets);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(entity.body);
    out
}

fn author_of(entity: &Entity<'_>) -> Option<Address> {
    let from = header::parse_from(entity.only("From")?).ok()?;
    Some(from.address)
}

/// Outer fields that say something else than the inner ones, and whether the
/// author put them there (RFC 9788 §2.2).
fn differing(
    outer: &Entity<'_>,
    inner: &Entity<'_>,
    protection: HeaderProtection,
) -> Vec<Differing> {
    if protection == HeaderProtection::None {
        return Vec::new();
    }
    let mut found = Vec::new();
    for field in outer.fields.iter().filter(|field| !field.is_structural()) {
        let Some(value) = inner.only(field.name) else {
            continue;
        };
        if words(value) != words(field.value) {
            found.push(Differing {
                name: field.name.to_owned(),
                inner: value.to_vec(),
                outer: field.value.to_vec(),
                intended: is_announced(inner, field),
            });
        }
    }
    found
}

/// A value without folds and doubled blanks.
fn words(value: &[u8]) -> Vec<&[u8]> {
    let words = value.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether an HP-Outer field inside announces this outer field.
fn is_announced(inner: &Entity<'_>, outer: &RawField<'_>) -> bool {
    inner.named("HP-Outer").any(|field| {
        let announced = Entity::parse(field.value.trim_ascii_start());
        let mut fields = announced.fields.iter();
        fields.any(|field| field.is(outer.name) && words(field.value) == words(outer.value))
    })
}

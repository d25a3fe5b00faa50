//! What a reader sees: which header, which body, and what differs outside
//! (spec §5.6.3, RFC 9788).

use super::entity::{Entity, RawField};
use super::outline::outline;
use super::unprotect::{Differing, Field, HeaderProtection, Reading, Warning};
use super::{Flaw, Standing, fields};
use crate::address::Address;
use crate::header;

/// A message as it stands.
pub(super) fn unprotected(outer: &Entity<'_>, standing: Standing) -> Reading {
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

/// What is known of the protection before its inside is shown.
pub(super) struct Found {
    pub(super) standing: Standing,
    pub(super) protection: HeaderProtection,
    /// Whether it was encrypted, and if so to post-quantum keys only.
    pub(super) encrypted: Option<bool>,
}

/// What a reader sees of a protected message.
pub(super) fn show(outer: &Entity<'_>, inner: &Entity<'_>, found: Found) -> Reading {
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
        spoil(&mut reading.standing, Flaw::HeaderNotCovered);
    } else if fields::doubled(inner).is_some() {
        spoil(&mut reading.standing, Flaw::Structure);
    }
    if let Some(other) = other_author(outer, inner, found.protection) {
        close(&mut reading, outer, inner, other);
    } else {
        reading.differing_outer = differing(outer, inner, found.protection);
    }
    reading
}

/// Takes a good signature's verdict away: it does not cover what is shown, or
/// the header can be read in two ways (spec §5.6.8).
fn spoil(standing: &mut Standing, flaw: Flaw) {
    if matches!(standing, Standing::Verified { .. }) {
        *standing = Standing::Broken(flaw);
    }
}

/// How the root inside says that it protects the header.
pub(super) fn protection_of(inner: &Entity<'_>) -> HeaderProtection {
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

/// The one address in From.
pub(super) fn author_of(entity: &Entity<'_>) -> Option<Address> {
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

//! Reading a seal field by its grammar (spec §4.1): whatever is outside it is
//! refused, so that a seal has one text only.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Nonce, Seal, SealError};
use crate::address::{Address, Identity, ReversePath};
use crate::capability::SEAL_FIELD;
use crate::certificate::Fingerprint;
use crate::limits;

type Result<T> = std::result::Result<T, SealError>;

/// Most digits of `t` and `x` (spec §4.1.5).
const TIME_DIGITS: usize = 12;

pub(super) fn read(value: &[u8]) -> Result<Seal> {
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    let around = SEAL_FIELD.len() + ":\r\n".len();
    if value.len() + around > limits::SEAL_OCTETS {
        return Err(SealError::Grammar("the field is larger than 8 KiB"));
    }
    let text = unfold(value)?;
    let mut tags = Tags {
        rest: &text,
        any: false,
    };
    if tags.take("v")? != "1" {
        return Err(SealError::Version);
    }
    let seal = Seal {
        role: tags.take("f")?.parse()?,
        signer: normal(tags.take("s")?, Identity::parse)?,
        reverse_path: reverse_path(tags.take("m")?)?,
        recipients: recipients(tags.take("r")?)?,
        created: seconds(tags.take("t")?)?,
        expires: seconds(tags.take("x")?)?,
        nonce: nonce(tags.take("n")?)?,
        key: fingerprint(tags.take("k")?)?,
        digest: digest(tags.take("h")?)?,
        signature: signature(tags.take("b")?)?,
    };
    if seal.created >= seal.expires {
        return Err(SealError::Grammar("t is not before x"));
    }
    seal.created_octets()?;
    tags.end()?;
    Ok(seal)
}

/// Removes CRLF WSP, SP and HTAB wherever they stand (spec §4.1.2); what is
/// left is printable ASCII.
pub(super) fn unfold(value: &[u8]) -> Result<String> {
    let mut text = String::with_capacity(value.len());
    let mut octets = value.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b' ' | b'\t' => {}
            b'\r' => {
                let folds = octets.next() == Some(b'\n')
                    && octets
                        .next_if(|next| matches!(next, b' ' | b'\t'))
                        .is_some();
                if !folds {
                    return Err(SealError::Grammar("a line end that is no fold"));
                }
            }
            octet if octet.is_ascii_graphic() => text.push(char::from(octet)),
            _ => return Err(SealError::Grammar("an octet outside the grammar")),
        }
    }
    Ok(text)
}

/// The tags that are still to be read; each stands once, in its order
/// (spec §4.1.1).
pub(super) struct Tags<'a> {
    rest: &'a str,
    any: bool,
}

impl<'a> Tags<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            any: false,
        }
    }

    pub(super) fn take(&mut self, tag: &str) -> Result<&'a str> {
        let wrong = SealError::Grammar("a tag is missing, in another place or too much");
        if self.any {
            self.rest = self.rest.strip_prefix(';').ok_or(wrong.clone())?;
        }
        self.any = true;
        let value = self
            .rest
            .strip_prefix(tag)
            .and_then(|rest| rest.strip_prefix('='));
        let value = value.ok_or(wrong)?;
        let length = value.find(';').unwrap_or(value.len());
        let (value, rest) = value.split_at_checked(length).unwrap_or((value, ""));
        self.rest = rest;
        Ok(value)
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(SealError::Grammar("something stands behind the last tag"))
    }
}

/// Decodes base64url and reads a text that must be in normal form already
/// (spec §4.1.4).
fn normal<T: ToString, E>(
    value: &str,
    parse: impl Fn(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    let octets = URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|_| SealError::Grammar("base64url"))?;
    let text = String::from_utf8(octets).map_err(|_| SealError::Grammar("not UTF-8"))?;
    let parsed = parse(&text).map_err(|_| SealError::Grammar("not an address"))?;
    if parsed.to_string() != text {
        return Err(SealError::Grammar("an address that is not in normal form"));
    }
    Ok(parsed)
}

fn reverse_path(value: &str) -> Result<ReversePath> {
    if value.is_empty() {
        return Ok(ReversePath::Null);
    }
    normal(value, Address::parse).map(ReversePath::Address)
}

fn recipients(value: &str) -> Result<Vec<Address>> {
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    for part in value.split(',') {
        if recipients.len() == limits::SEAL_RECIPIENTS {
            return Err(SealError::Grammar("more than 100 recipients"));
        }
        if !seen.insert(part) {
            return Err(SealError::Grammar("a recipient stands twice"));
        }
        recipients.push(normal(part, Address::parse)?);
    }
    Ok(recipients)
}

pub(super) fn seconds(value: &str) -> Result<u64> {
    let canonical = value == "0" || !value.starts_with('0');
    let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    if !canonical || !digits || value.len() > TIME_DIGITS {
        return Err(SealError::Grammar("a time is not decimal seconds"));
    }
    value
        .parse()
        .map_err(|_| SealError::Grammar("a time is not decimal seconds"))
}

/// spec §4.1.3: unpadded, unused bits zero, 16 octets.
fn nonce(value: &str) -> Result<Nonce> {
    let wrong = SealError::Grammar("n is not 16 octets of base64url");
    let octets = URL_SAFE_NO_PAD.decode(value).map_err(|_| wrong.clone())?;
    octets.try_into().map(Nonce).map_err(|_| wrong)
}

fn fingerprint(value: &str) -> Result<Fingerprint> {
    value
        .parse()
        .map_err(|_| SealError::Grammar("k is not a fingerprint in lower-case hex"))
}

fn digest(value: &str) -> Result<[u8; 32]> {
    let wrong = SealError::Grammar("h is not sha-256: with 32 octets of base64");
    let value = value.strip_prefix("sha-256:").ok_or(wrong.clone())?;
    let octets = STANDARD.decode(value).map_err(|_| wrong.clone())?;
    octets.try_into().map_err(|_| wrong)
}

fn signature(value: &str) -> Result<Vec<u8>> {
    match STANDARD.decode(value) {
        Ok(octets) if !octets.is_empty() => Ok(octets),
        _ => Err(SealError::Grammar("b is not base64")),
    }
}

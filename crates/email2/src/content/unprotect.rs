//! A protected message becomes what a person reads (spec §5.6).

use super::{ContentError, Standing};
use crate::address::Address;
use crate::certificate::{Certificate, Fingerprint};
use crate::secret::SecretKey;

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
    /// Inside; `None` when it is only outside.
    pub inner: Option<Vec<u8>>,
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
    /// The inner From is not the outer one (spec §5.2.4).
    OtherFrom {
        /// The address inside.
        inner: String,
    },
    /// Inside are more signed or encrypted parts: they are closed attachments
    /// and lend nothing (spec §5.6.1).
    NestedProtection,
    /// The signature is good; its time is more than the tolerance ahead.
    ClockAhead,
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
        todo!()
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
    todo!("{} {}", message.len(), reader.now)
}

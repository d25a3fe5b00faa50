//! Content protection (spec §5): OpenPGP (RFC 9580) in MIME (RFC 3156) with
//! header protection (RFC 9788). Sealing is another layer, around this one.

mod date;
pub(crate) mod entity;
mod outline;
mod transfer;

mod armor;
mod packets;

pub mod audience;
mod cipher;
mod fields;
mod fit;
pub mod protect;
mod signature;

mod layers;
mod shown;
pub mod standing;
pub mod unprotect;

pub use audience::{Audience, audiences};
pub use date::format_date;
pub use entity::Parts;
pub use protect::{Container, Mode, OuterTo, Protect, protect};
pub use standing::{Flaw, Standing};
pub use unprotect::{
    Differing, Field, HeaderProtection, Known, Reader, Reading, Warning, unprotect,
};

use crate::certificate::{CertificateError, Fingerprint};
use crate::rejection::Rejection;
use crate::secret::SecretKeyError;

/// Why a message cannot be protected or read. Nothing is lost: the octets stay
/// with the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The structure passes a bound, or is ambiguous (spec §5.6.7).
    #[error("the message is refused: {0}")]
    Refused(Rejection),
    /// A header field that cannot leave as it is, and why.
    #[error("the field {name} {why}")]
    Header {
        /// The field's name, or `header` when it is none in particular.
        name: String,
        /// What is wrong, as the end of a sentence.
        why: &'static str,
    },
    /// The From of the message is not the author's address.
    #[error("the message is from {found}, the author is {author}")]
    OtherAuthor {
        /// The address in the message, or `nobody`.
        found: String,
        /// The address whose key would sign.
        author: String,
    },
    /// A part that mail cannot carry and that may not be encoded (spec §5.1.2).
    #[error("part {part} {why}")]
    Part {
        /// Which leaf, counted from 1 in the order of the message.
        part: usize,
        /// What is wrong, as the end of a sentence.
        why: &'static str,
    },
    /// Recipients with and without post-quantum keys in one ciphertext
    /// (spec §5.8.1): make one for each of [`audiences`].
    #[error("recipients with and without post-quantum keys need separate messages")]
    MixedAudience,
    /// Nobody to encrypt to.
    #[error("there is nobody to encrypt to")]
    NoRecipient,
    /// A recipient's certificate cannot be encrypted to.
    #[error("the certificate {0} cannot be used: {1}")]
    Recipient(Fingerprint, CertificateError),
    /// The author's key cannot sign.
    #[error("the author's key cannot sign: {0}")]
    Author(SecretKeyError),
    /// Encrypted, and none of the keys at hand opens it.
    #[error("the message is encrypted, and none of your keys opens it")]
    NotForTheseKeys,
    /// A ciphertext that was altered, cut short or is no ciphertext
    /// (spec §5.2.3): nothing of it is shown.
    #[error("the encrypted part is damaged or was altered: {0}")]
    Ciphertext(&'static str),
    /// The library that does the arithmetic refused.
    #[error("OpenPGP: {0}")]
    OpenPgp(String),
}

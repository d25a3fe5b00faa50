//! A message becomes a protected one, ready to be sealed (spec §5.1, §5.2).

use rand_core::{CryptoRng, RngCore};

use super::ContentError;
use crate::address::Address;
use crate::certificate::Certificate;
use crate::secret::SecretKey;

/// What is to be protected, by whom and for whom.
#[derive(Debug)]
pub struct Protect<'a> {
    /// The whole message (RFC 5322), lines ended by CRLF.
    pub message: &'a [u8],
    /// The author's unlocked key.
    pub author: &'a SecretKey,
    /// The author's address: From must be it.
    pub from: &'a Address,
    /// How.
    pub mode: Mode<'a>,
    /// What the outer To says of an encrypted message.
    pub outer_to: OuterTo,
    /// Time of the signature, Unix seconds.
    pub now: u64,
}

/// Signed only, or signed and encrypted.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// `multipart/signed` (spec §5.1); the outer header stays readable.
    SignOnly,
    /// Signed, then encrypted (spec §5.2).
    Encrypt {
        /// Certificates to encrypt to: one of [`super::audiences`].
        to: &'a [Certificate],
        /// Whether the author's certificate is one more recipient.
        also_self: bool,
        /// The container of the ciphertext.
        container: Container,
    },
}

/// The symmetrically encrypted packet (RFC 9580 §5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Container {
    /// Version 1, integrity by MDC: what every OpenPGP program reads.
    V1,
    /// Version 2, AEAD.
    V2,
}

/// The To field outside of an encrypted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OuterTo {
    /// Bare addr-specs.
    Visible(Vec<Address>),
    /// `hidden-recipients:;`.
    Hidden,
}

/// Signs, or signs and encrypts. What comes out is ready to be sealed: CRLF,
/// lines of at most 998 octets, no NUL, no Bcc, no line that begins with
/// `From ` in what is signed. Nothing below the top header is changed, except
/// that parts which mail cannot carry are encoded (spec §5.1.2).
///
/// # Errors
/// See [`ContentError`]; the reason names the field or part.
pub fn protect(
    request: &Protect<'_>,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let _ = rng;
    todo!("{request:?}")
}

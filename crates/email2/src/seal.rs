//! The seal: one header field that binds envelope, time and content
//! (spec §4.1).

pub mod chain;
pub mod digest;
mod packet;
mod read;
pub mod reported;
pub mod sign;
pub mod verify;
pub mod vouched;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand_core::{CryptoRng, RngCore};

use crate::address::{Address, Identity, ReversePath};
use crate::capability::SEAL_FIELD;
use crate::certificate::{Fingerprint, KeyFault};
use crate::limits;

pub use digest::ContentDigest;
pub use sign::{SealRequest, sign};
pub use verify::verify;

/// What the signer of a seal is to the message (spec §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Wrote it: the innermost seal.
    Author,
    /// Passed it on.
    Forward,
    /// Reports about another message.
    Service,
}

/// The 16 random octets of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub [u8; 16]);

/// A seal as it was read or made; its signature is not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// `f`: the role.
    pub role: Role,
    /// `s`: who seals.
    pub signer: Identity,
    /// `m`: the reverse-path.
    pub reverse_path: ReversePath,
    /// `r`: the recipients, 1 to 100, none twice.
    pub recipients: Vec<Address>,
    /// `t`: when it was made, Unix seconds (at most 2³² − 1, as OpenPGP counts).
    pub created: u64,
    /// `x`: until when it is valid, Unix seconds.
    pub expires: u64,
    /// `n`.
    pub nonce: Nonce,
    /// `k`: the key that signed.
    pub key: Fingerprint,
    /// `h`: SHA-256 of the content below.
    pub digest: [u8; 32],
    /// `b`: the signature packet.
    signature: Vec<u8>,
}

/// Why a seal cannot be read, made or verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Outside the grammar of spec §4.1.
    #[error("the seal does not follow its grammar: {0}")]
    Grammar(&'static str),
    /// A version that this library does not know.
    #[error("the seal is of another version")]
    Version,
    /// `b` is not encoded in the one canonical way (spec §4.2.3).
    #[error("the signature packet is not in its canonical form: {0}")]
    Packet(&'static str),
    /// The signature is not one by this key over these octets.
    #[error("the signature is wrong")]
    Signature,
    /// The key may not seal for `s` at `t`.
    #[error("{0}")]
    Key(KeyFault),
    /// The content cannot be sealed as it is (spec §4.3.2).
    #[error("the content cannot be sealed: {0}")]
    Content(&'static str),
    /// The seal that was asked for would break a rule.
    #[error("such a seal is not allowed: {0}")]
    Request(&'static str),
}

/// What is signed begins with this and a NUL (spec §4.2).
const DOMAIN_SEPARATOR: &[u8] = b"EMAIL2-SEAL-1\0";

impl Seal {
    /// Reads the value of an `Email2-Seal` field: what stands behind the colon,
    /// folded as it came, with or without its final CRLF.
    ///
    /// # Errors
    /// [`SealError::Grammar`] for anything outside spec §4.1;
    /// [`SealError::Version`].
    pub fn parse(value: &[u8]) -> Result<Self, SealError> {
        read::read(value)
    }

    /// The canonical text, which ends in `b=`.
    pub fn canonical(&self) -> String {
        let reverse_path = URL_SAFE_NO_PAD.encode(self.reverse_path.to_string());
        let recipients: Vec<String> = self
            .recipients
            .iter()
            .map(|r| URL_SAFE_NO_PAD.encode(r.to_string()))
            .collect();
        format!(
            "v=1;f={};s={};m={};r={};t={};x={};n={};k={};h=sha-256:{};b=",
            self.role,
            URL_SAFE_NO_PAD.encode(self.signer.to_string()),
            reverse_path,
            recipients.join(","),
            self.created,
            self.expires,
            URL_SAFE_NO_PAD.encode(self.nonce.0),
            self.key,
            STANDARD.encode(self.digest),
        )
    }

    /// The signed octets: `EMAIL2-SEAL-1`, NUL, canonical text (spec §4.2).
    pub fn signed_octets(&self) -> Vec<u8> {
        [DOMAIN_SEPARATOR, self.canonical().as_bytes()].concat()
    }

    /// The whole field, folded at 76 octets, with its final CRLF.
    pub fn field(&self) -> String {
        let text = format!("{}{}", self.canonical(), STANDARD.encode(&self.signature));
        fold(SEAL_FIELD, &text)
    }

    /// The signature packet `b`, as a detached OpenPGP signature.
    pub fn signature_packet(&self) -> &[u8] {
        &self.signature
    }

    /// `t` as OpenPGP counts it.
    fn created_octets(&self) -> Result<u32, SealError> {
        u32::try_from(self.created).map_err(|_| SealError::Grammar("t is past the year 2106"))
    }
}

/// Writes a field of tags, folded at 76 octets behind `;` and `,` and, where a
/// value is longer than a line, anywhere (spec §4.1.6).
fn fold(name: &str, text: &str) -> String {
    let mut field = format!("{name}:");
    let mut column = field.len();
    for token in text.split_inclusive([';', ',']) {
        if column + 1 + token.len() > limits::SEAL_FOLD {
            field.push_str("\r\n");
            column = 0;
        }
        field.push(' ');
        column = put_folded(&mut field, token, column + 1);
    }
    field.push_str("\r\n");
    field
}

/// Writes a token that may be longer than a line; gives the column behind it.
fn put_folded(field: &mut String, token: &str, mut column: usize) -> usize {
    for character in token.chars() {
        if column >= limits::SEAL_FOLD {
            field.push_str("\r\n ");
            column = 1;
        }
        field.push(character);
        column += 1;
    }
    column
}

impl Nonce {
    /// A fresh one.
    pub fn random(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut octets = [0; 16];
        rng.fill_bytes(&mut octets);
        Self(octets)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Author => "author",
            Self::Forward => "forward",
            Self::Service => "service",
        })
    }
}

impl std::str::FromStr for Role {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        match text {
            "author" => Ok(Self::Author),
            "forward" => Ok(Self::Forward),
            "service" => Ok(Self::Service),
            _ => Err(SealError::Grammar("f is none of author, forward, service")),
        }
    }
}

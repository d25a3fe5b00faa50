//! The seal: one header field that binds envelope, time and content
//! (spec §4.1).

pub mod chain;
pub mod digest;
pub mod sign;
pub mod verify;

use crate::address::{Address, Identity, ReversePath};
use crate::certificate::Fingerprint;

pub use digest::ContentDigest;
pub use sign::{SealRequest, sign};
pub use verify::{KeyFault, verify};

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
    /// `r`: the recipients, 1 to 100, all of one domain, none twice.
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

impl Seal {
    /// Reads the value of an `Email2-Seal` field: what stands behind the colon,
    /// folded as it came, with or without its final CRLF.
    ///
    /// # Errors
    /// [`SealError::Grammar`] for anything outside spec §4.1.
    pub fn parse(value: &[u8]) -> Result<Self, SealError> {
        todo!("{}", value.len())
    }

    /// The canonical text, which ends in `b=`.
    pub fn canonical(&self) -> String {
        todo!()
    }

    /// The signed octets: `EMAIL2-SEAL-1`, NUL, canonical text (spec §4.2).
    pub fn signed_octets(&self) -> Vec<u8> {
        todo!()
    }

    /// The whole field, folded at 76 octets, with its final CRLF.
    pub fn field(&self) -> String {
        todo!()
    }

    /// The signature packet `b`, as a detached OpenPGP signature.
    pub fn signature_packet(&self) -> &[u8] {
        &self.signature
    }
}

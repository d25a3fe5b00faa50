//! What a signature is worth to the reader: by a key bound to From, or not
//! (spec §5.6).

use crate::address::Address;
use crate::certificate::Fingerprint;

/// What the content's own protection says of the author. The seal's verdict is
/// another thing and is not lent to it, nor the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Exactly one layer covers everything shown, by a key bound to From.
    Verified {
        /// The address in From.
        author: Address,
        /// The key that signed.
        key: Fingerprint,
        /// When it signed, Unix seconds.
        at: u64,
    },
    /// A good signature, and not by the author (spec §5.6.4).
    SignedBySomebodyElse {
        /// The key that signed.
        key: Fingerprint,
        /// The signer's first User ID.
        signer: String,
    },
    /// A signature by a key that is not at hand: neither good nor bad.
    UnknownKey {
        /// The key that the signature names.
        key: Option<Fingerprint>,
    },
    /// No signature covers the whole.
    Unsigned,
    /// There is a signature, and it does not hold.
    Broken(Flaw),
}

/// Why a signature does not hold. None of them says that somebody forged it:
/// most come from programs on the way (spec §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The octets are not those that were signed.
    #[error("the signature does not fit the text")]
    DoesNotFit,
    /// The signature packet cannot be read, or is of a kind that is not accepted.
    #[error("the signature cannot be read or is of a kind that is not accepted")]
    NotAccepted,
    /// The key was revoked or had expired when it signed, or may not sign.
    #[error("the key was not valid when it signed")]
    KeyNotValid,
    /// Dated further in the future than clocks differ.
    #[error("the signature is dated in the future")]
    InFuture,
    /// The structure is not exactly one layer around everything.
    #[error("the signature does not cover all of the message")]
    Structure,
    /// The signed From is not the outer From (spec §5.2.4).
    #[error("the author inside is not the author outside")]
    OtherFrom,
    /// None of the reader's keys is among the intended recipients (spec §5.3.2).
    #[error("it was not written to your key")]
    NotIntendedForYou,
}

//! What a signature is worth to the reader: by a key bound to From, or not
//! (spec §5.6).

use std::fmt;

use pgp::packet::{Signature, SignatureType, Subpacket, SubpacketData};

use super::Known;
use crate::address::{Address, Identity};
use crate::certificate::assemble::read_signature;
use crate::certificate::policy::check_critical;
use crate::certificate::usable::KeyFault;
use crate::certificate::{Certificate, CertificateError, Fingerprint};
use crate::limits;
use crate::secret::SecretKey;

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

impl Standing {
    /// Stable name, kebab-case: for programs.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::SignedBySomebodyElse { .. } => "somebody-else",
            Self::UnknownKey { .. } => "unknown-key",
            Self::Unsigned => "unsigned",
            Self::Broken(_) => "broken",
        }
    }
}

impl fmt::Display for Standing {
    /// In words, for people; a signer's User ID is as its owner wrote it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { author, key, .. } => write!(f, "signed by {author}, key {key}"),
            Self::SignedBySomebodyElse { key, signer } => {
                write!(f, "signed by somebody else: {signer}, key {key}")
            }
            Self::UnknownKey { key: Some(key) } => {
                write!(f, "signed by the key {key}, which is not known")
            }
            Self::UnknownKey { key: None } => f.write_str("signed by a key that is not known"),
            Self::Unsigned => f.write_str("not signed"),
            Self::Broken(flaw) => flaw.fmt(f),
        }
    }
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
    /// The signature covers the text and not the header that is shown with it
    /// (spec §5.1.1).
    #[error("the signature covers the text, but not its header")]
    HeaderNotCovered,
    /// The signed From is not the outer From (spec §5.2.4).
    #[error("the author inside is not the author outside")]
    OtherFrom,
    /// None of the reader's keys is among the intended recipients (spec §5.3.2).
    #[error("it was not written to your key")]
    NotIntendedForYou,
}

/// What a signature is judged by.
pub(super) struct Question<'a> {
    /// The octets that were signed.
    pub(super) content: &'a [u8],
    /// The bodies of the signature packets: exactly one is accepted.
    pub(super) signatures: &'a [Vec<u8>],
    /// The author whom the reader is shown.
    pub(super) from: Option<&'a Address>,
    /// Of encrypted mail: the reader's keys, one of which it must be meant for.
    pub(super) intended: Option<&'a [&'a SecretKey]>,
}

/// Judges a signature: good, by a key bound to From, made for this reader.
pub(super) fn judge(question: &Question<'_>, known: &dyn Known, now: u64) -> Standing {
    let [body] = question.signatures else {
        return Standing::Broken(Flaw::NotAccepted);
    };
    let Some(signature) = read_signature(body).filter(is_accepted) else {
        return Standing::Broken(Flaw::NotAccepted);
    };
    let at = signature.created().map(|time| u64::from(time.as_secs()));
    if at.is_none_or(|at| at > now.saturating_add(limits::SEAL_AHEAD)) {
        return Standing::Broken(Flaw::InFuture);
    }
    let standing = match question.from.and_then(|from| author(from, known)) {
        Some((from, certificate)) => by_author(from, &certificate, &signature, question.content),
        None => None,
    };
    let standing = standing.unwrap_or_else(|| by_other(&signature, question.content, known));
    match (&standing, question.intended) {
        (Standing::Verified { .. }, Some(keys)) if is_for_others(&signature, keys) => {
            Standing::Broken(Flaw::NotIntendedForYou)
        }
        _ => standing,
    }
}

/// Document signatures without a critical subpacket that is not understood: the
/// notation of a seal is critical, so no seal passes for content.
fn is_accepted(signature: &Signature) -> bool {
    let kind = matches!(
        signature.typ(),
        Some(SignatureType::Binary | SignatureType::Text)
    );
    let subpackets = signature.config().map(|config| &config.hashed_subpackets);
    let understood = |subpacket: &Subpacket| {
        let ours = matches!(
            subpacket.data,
            SubpacketData::IntendedRecipientFingerprint(_) | SubpacketData::SignersUserID(_)
        );
        ours || check_critical(subpacket).is_ok()
    };
    kind && subpackets.is_some_and(|subpackets| subpackets.iter().all(understood))
}

/// The certificate of an address, if it is bound to it (spec §5.6.1).
fn author<'a>(from: &'a Address, known: &dyn Known) -> Option<(&'a Address, Certificate)> {
    let certificate = known.author(from)?;
    let bound = certificate.binds(&Identity::Address(from.clone()));
    bound.then_some((from, certificate))
}

/// `None`: the signature names another key than the author's.
fn by_author(
    from: &Address,
    certificate: &Certificate,
    signature: &Signature,
    content: &[u8],
) -> Option<Standing> {
    match certificate.verify_data(signature, content) {
        Ok((key, at)) => Some(Standing::Verified {
            author: from.clone(),
            key,
            at,
        }),
        Err(CertificateError::Key(KeyFault::NotASigningKey)) => None,
        Err(error) => Some(Standing::Broken(flaw(&error))),
    }
}

fn flaw(error: &CertificateError) -> Flaw {
    match error {
        CertificateError::Key(_) => Flaw::KeyNotValid,
        CertificateError::OpenPgp(_) => Flaw::DoesNotFit,
        _ => Flaw::NotAccepted,
    }
}

/// A signature that does not name a key of the author (spec §5.6.4).
fn by_other(signature: &Signature, content: &[u8], known: &dyn Known) -> Standing {
    let named = signature.issuer_fingerprint();
    let key = named
        .first()
        .and_then(|named| Fingerprint::from_bytes(named.as_bytes()).ok());
    let holder = key.as_ref().and_then(|key| known.holder(key));
    let Some(certificate) = holder else {
        return Standing::UnknownKey { key };
    };
    match certificate.verify_data(signature, content) {
        Ok((key, _)) => Standing::SignedBySomebodyElse {
            key,
            signer: certificate.user_ids().first().cloned().unwrap_or_default(),
        },
        Err(error) => Standing::Broken(flaw(&error)),
    }
}

/// Whether a list of intended recipients is there and lacks the reader
/// (spec §5.3.2). Programs that are not of Email 2.0 often state none.
fn is_for_others(signature: &Signature, keys: &[&SecretKey]) -> bool {
    let intended = intended_recipients(signature);
    let is_mine = |fingerprint: &[u8]| keys.iter().any(|key| key.is_or_was(fingerprint));
    !intended.is_empty() && !intended.into_iter().any(is_mine)
}

/// Whether the signature in this packet states no intended recipient.
pub(super) fn states_no_recipient(body: &[u8]) -> bool {
    read_signature(body).is_some_and(|signature| intended_recipients(&signature).is_empty())
}

fn intended_recipients(signature: &Signature) -> Vec<&[u8]> {
    let subpackets = signature
        .config()
        .map(|config| config.hashed_subpackets.as_slice());
    let subpackets = subpackets.unwrap_or_default().iter();
    subpackets
        .filter_map(|subpacket| match &subpacket.data {
            SubpacketData::IntendedRecipientFingerprint(fingerprint) => {
                Some(fingerprint.as_bytes())
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::certificate::generate::generate;
    use crate::content::{packets, signature};

    const NOW: u64 = 1_795_705_199;

    fn key(address: &str, seed: u64) -> SecretKey {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        generate(&address.parse().unwrap(), NOW - 60, &mut rng).unwrap()
    }

    /// Bob signs for whoever the certificate belongs to; Alice reads.
    fn read_by_alice(signed_for: &[Certificate]) -> Standing {
        let (bob, alice) = (key("bob@example.org", 1), key("alice@example.com", 2));
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let octets = signature::enclosed(b"x", &bob, signed_for, NOW, &mut rng).unwrap();
        let packets = packets::split(&octets).unwrap();
        let from = "bob@example.org".parse().unwrap();
        let question = Question {
            content: b"x",
            signatures: &[packets[2].body.to_vec()],
            from: Some(&from),
            intended: Some(&[&alice]),
        };
        let known = |_: &Address| Some(bob.certificate().clone());
        judge(&question, &known, NOW)
    }

    #[test]
    fn what_was_written_to_a_false_key_of_mine_is_not_verified() {
        let false_alice = key("alice@example.com", 66).certificate().clone();
        let standing = read_by_alice(std::slice::from_ref(&false_alice));
        assert_eq!(standing, Standing::Broken(Flaw::NotIntendedForYou));
        let alice = key("alice@example.com", 2).certificate().clone();
        let both = read_by_alice(&[false_alice, alice]);
        assert!(matches!(both, Standing::Verified { .. }));
        assert!(matches!(read_by_alice(&[]), Standing::Verified { .. }));
    }
}

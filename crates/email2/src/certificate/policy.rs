//! Which keys and signatures are accepted, and what a self-signature says
//! (spec §6.2, §6.3, §6.6). The library only does the arithmetic; every rule is
//! here.

use std::fmt;

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Notation, RevocationCode, Signature, SignatureType, SignatureVersionSpecific, Subpacket,
    SubpacketData,
};
use pgp::ser::Serialize;
use pgp::types::{
    EcdhPublicParams, EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, KeyVersion,
    PublicParams,
};

use crate::capability;
use crate::limits;

/// Why a key was revoked (RFC 9580 §5.2.3.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// No reason given: hard.
    None,
    /// Superseded by another key: soft.
    Superseded,
    /// The key material is in other hands: hard.
    Compromised,
    /// No longer used: soft.
    Retired,
    /// The User ID is no longer valid: soft.
    UserIdInvalid,
}

/// A revocation of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When it was made, Unix seconds.
    pub at: u64,
    /// Whether nothing by the key holds any more, whatever its time
    /// (spec §4.10).
    pub hard: bool,
    /// The reason that its signature states.
    pub reason: RevocationReason,
}

impl RevocationReason {
    /// Whether nothing by the key holds any more, whatever its time: an unknown
    /// or missing reason is hard (spec §6.6).
    pub fn is_hard(self) -> bool {
        matches!(self, Self::None | Self::Compromised)
    }

    pub(crate) fn code(self) -> RevocationCode {
        match self {
            Self::None => RevocationCode::NoReason,
            Self::Superseded => RevocationCode::KeySuperseded,
            Self::Compromised => RevocationCode::KeyCompromised,
            Self::Retired => RevocationCode::KeyRetired,
            Self::UserIdInvalid => RevocationCode::CertUserIdInvalid,
        }
    }

    fn from_code(code: Option<&RevocationCode>) -> Self {
        match code {
            Some(RevocationCode::KeySuperseded) => Self::Superseded,
            Some(RevocationCode::KeyCompromised) => Self::Compromised,
            Some(RevocationCode::KeyRetired) => Self::Retired,
            Some(RevocationCode::CertUserIdInvalid) => Self::UserIdInvalid,
            _ => Self::None,
        }
    }
}

/// What one self-signature says, once it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// When it was made, Unix seconds.
    pub(crate) created: u64,
    /// `Some`: it revokes.
    pub(crate) revokes: Option<RevocationReason>,
    /// How long the key is valid from its creation, seconds.
    pub(crate) key_lifetime: Option<u64>,
    /// When the statement itself ends, Unix seconds.
    pub(crate) ends: Option<u64>,
    /// The key may sign.
    pub(crate) signs: bool,
    /// The key may be encrypted to.
    pub(crate) encrypts: bool,
    /// Its owner reads SEIPDv2 (RFC 9580 §5.2.3.32).
    pub(crate) reads_seipd2: bool,
    /// The signed notations of this protocol.
    pub(crate) notations: Notations,
}

/// The signed notations of this protocol in one self-signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notations {
    /// A server holds the secret key.
    pub(crate) keyholder_server: bool,
    /// A classic program reads the mail.
    pub(crate) classic_reader: bool,
    /// The certificate has a post-quantum key.
    pub(crate) post_quantum: bool,
    /// The signature names the successor of its signer.
    pub(crate) transition: bool,
}

impl Statement {
    /// Reads a signature by the rules of spec §6.2 and §6.3; its arithmetic is
    /// verified elsewhere.
    ///
    /// # Errors
    /// Why the signature counts as absent.
    pub(crate) fn read(signature: &Signature) -> Result<Self, &'static str> {
        let config = signature
            .config()
            .ok_or("a signature of an unknown version")?;
        match config.version_specific {
            SignatureVersionSpecific::V4 | SignatureVersionSpecific::V6 { .. } => {}
            _ => return Err("a signature of an old version"),
        }
        if !is_accepted_hash(config.hash_alg) {
            return Err("a signature with a weak hash");
        }
        for subpacket in &config.hashed_subpackets {
            check_critical(subpacket)?;
        }
        Self::collect(config.typ, &config.hashed_subpackets)
    }

    fn collect(kind: SignatureType, subpackets: &[Subpacket]) -> Result<Self, &'static str> {
        let created = once(subpackets, |data| match data {
            SubpacketData::SignatureCreationTime(time) => Some(u64::from(time.as_secs())),
            _ => None,
        })?
        .ok_or("a signature without a time")?;
        let lifetime = once(subpackets, |data| match data {
            SubpacketData::SignatureExpirationTime(time) => Some(u64::from(time.as_secs())),
            _ => None,
        })?;
        let key_lifetime = once(subpackets, |data| match data {
            SubpacketData::KeyExpirationTime(time) => Some(u64::from(time.as_secs())),
            _ => None,
        })?;
        let flags = once(subpackets, |data| match data {
            SubpacketData::KeyFlags(flags) => Some(flags.clone()),
            _ => None,
        })?
        .unwrap_or_default();
        Ok(Self {
            created,
            revokes: is_revocation(kind).then(|| reason_in(subpackets)),
            key_lifetime: key_lifetime.filter(|seconds| *seconds != 0),
            ends: lifetime
                .filter(|seconds| *seconds != 0)
                .map(|seconds| created + seconds),
            signs: flags.sign(),
            encrypts: flags.encrypt_comms() || flags.encrypt_storage(),
            reads_seipd2: reads_seipd2(subpackets),
            notations: Notations::read(subpackets),
        })
    }
}

impl Notations {
    fn read(subpackets: &[Subpacket]) -> Self {
        let mut found = Self::default();
        for subpacket in subpackets {
            if let SubpacketData::Notation(notation) = &subpacket.data {
                found.add(notation);
            }
        }
        found
    }

    fn add(&mut self, notation: &Notation) {
        match (known_notation(&notation.name), notation.value.as_ref()) {
            (Some(capability::KEYHOLDER_NOTATION), b"server") => self.keyholder_server = true,
            (Some(capability::CLASSIC_READER_NOTATION), b"1") => self.classic_reader = true,
            (Some(capability::POST_QUANTUM_NOTATION), b"1") => self.post_quantum = true,
            (Some(capability::TRANSITION_NOTATION), b"1") => self.transition = true,
            _ => {}
        }
    }
}

fn known_notation(name: &[u8]) -> Option<&'static str> {
    [
        capability::KEYHOLDER_NOTATION,
        capability::CLASSIC_READER_NOTATION,
        capability::POST_QUANTUM_NOTATION,
        capability::TRANSITION_NOTATION,
    ]
    .into_iter()
    .find(|known| known.as_bytes() == name)
}

/// A subpacket that stands twice is read in two ways by two programs.
fn once<T>(
    subpackets: &[Subpacket],
    pick: impl Fn(&SubpacketData) -> Option<T>,
) -> Result<Option<T>, &'static str> {
    let mut found = subpackets
        .iter()
        .filter_map(|subpacket| pick(&subpacket.data));
    let first = found.next();
    if found.next().is_some() {
        return Err("a subpacket stands twice");
    }
    Ok(first)
}

fn is_revocation(kind: SignatureType) -> bool {
    matches!(
        kind,
        SignatureType::KeyRevocation
            | SignatureType::SubkeyRevocation
            | SignatureType::CertRevocation
    )
}

fn reason_in(subpackets: &[Subpacket]) -> RevocationReason {
    RevocationReason::from_code(
        subpackets
            .iter()
            .find_map(|subpacket| match &subpacket.data {
                SubpacketData::RevocationReason(code, _) => Some(code),
                _ => None,
            }),
    )
}

fn reads_seipd2(subpackets: &[Subpacket]) -> bool {
    subpackets.iter().any(|subpacket| match &subpacket.data {
        SubpacketData::Features(features) => features.seipd_v2(),
        _ => false,
    })
}

/// A critical subpacket or notation that is not understood makes its signature
/// absent (spec §6.3.3, RFC 9580 §5.2.3.7).
pub(crate) fn check_critical(subpacket: &Subpacket) -> Result<(), &'static str> {
    if !subpacket.is_critical {
        return Ok(());
    }
    match &subpacket.data {
        SubpacketData::SignatureCreationTime(_)
        | SubpacketData::SignatureExpirationTime(_)
        | SubpacketData::KeyExpirationTime(_)
        | SubpacketData::Revocable(_)
        | SubpacketData::PreferredSymmetricAlgorithms(_)
        | SubpacketData::PreferredHashAlgorithms(_)
        | SubpacketData::PreferredCompressionAlgorithms(_)
        | SubpacketData::PreferredAeadAlgorithms(_)
        | SubpacketData::PreferredEncryptionModes(_)
        | SubpacketData::KeyServerPreferences(_)
        | SubpacketData::IssuerKeyId(_)
        | SubpacketData::IssuerFingerprint(_)
        | SubpacketData::IsPrimary(_)
        | SubpacketData::KeyFlags(_)
        | SubpacketData::Features(_)
        | SubpacketData::RevocationReason(..)
        | SubpacketData::EmbeddedSignature(_) => Ok(()),
        SubpacketData::Notation(notation) if known_notation(&notation.name).is_some() => Ok(()),
        SubpacketData::Notation(_) => Err("a critical notation that is not understood"),
        _ => Err("a critical subpacket that is not understood"),
    }
}

/// SHA-256, SHA-384, SHA-512, SHA3; nothing weaker (spec §6.2).
pub(crate) fn is_accepted_hash(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}

/// Whether the key is of a version and algorithm that may sign (spec §6.2.1).
///
/// # Errors
/// The algorithm that is not accepted.
pub(crate) fn check_signing_key(key: &impl KeyDetails) -> Result<(), String> {
    let accepted = match key.public_params() {
        PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { key }) => !key.is_weak(),
        PublicParams::Ed25519(params) => !params.key.is_weak(),
        PublicParams::ECDSA(EcdsaPublicParams::P256 { .. } | EcdsaPublicParams::P384 { .. }) => {
            true
        }
        PublicParams::RSA(params) => rsa_bits(params) >= limits::RSA_BITS,
        _ => false,
    };
    check(key, accepted)
}

/// Whether the key is of a version and algorithm that one may encrypt to
/// (spec §6.2.1).
///
/// # Errors
/// The algorithm that is not accepted.
pub(crate) fn check_encryption_key(key: &impl KeyDetails) -> Result<(), String> {
    let accepted = match key.public_params() {
        PublicParams::ECDH(
            EcdhPublicParams::Curve25519Legacy { .. }
            | EcdhPublicParams::P256 { .. }
            | EcdhPublicParams::P384 { .. },
        )
        | PublicParams::X25519(_)
        | PublicParams::MlKem768X25519(_) => true,
        PublicParams::RSA(params) => rsa_bits(params) >= limits::RSA_BITS,
        _ => false,
    };
    check(key, accepted)
}

/// Whether one encrypts to this key with ML-KEM-768+X25519 (RFC 9980).
pub(crate) fn is_post_quantum(key: &impl KeyDetails) -> bool {
    matches!(key.public_params(), PublicParams::MlKem768X25519(_))
}

fn check(key: &impl KeyDetails, accepted: bool) -> Result<(), String> {
    let version = key.version();
    if accepted && matches!(version, KeyVersion::V4 | KeyVersion::V6) {
        return Ok(());
    }
    Err(format!(
        "{:?}, version {}",
        key.algorithm(),
        u8::from(version)
    ))
}

/// An MPI begins with its length in bits (RFC 9580 §3.2); the modulus is first.
fn rsa_bits(params: &impl Serialize) -> usize {
    match params.to_bytes().as_deref() {
        Ok([high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no reason given",
            Self::Superseded => "superseded",
            Self::Compromised => "compromised",
            Self::Retired => "retired",
            Self::UserIdInvalid => "the User ID is no longer valid",
        })
    }
}

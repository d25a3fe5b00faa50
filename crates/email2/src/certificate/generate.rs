//! The default certificate (spec §6.1) and the service certificate (spec §6.8).

use pgp::composed::KeyType;
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::packet::{
    PubKeyInner, PublicKey, PublicSubkey, SecretKey as SecretPrimary, SecretSubkey, Signature,
    Subpacket,
};
use pgp::ser::Serialize;
use pgp::types::KeyVersion;
use rand_core::{CryptoRng, RngCore};

use super::framing::{PUBLIC_KEY, PUBLIC_SUBKEY, SIGNATURE, USER_ID, put_packet};
use super::selfsign::{self, Use};
use super::{Certificate, CertificateError, assemble};
use crate::address::{Address, Identity};
use crate::capability;
use crate::secret::SecretKey;

type Result<T> = std::result::Result<T, CertificateError>;

/// Makes a key for a mailbox, or for a domain's service (one User ID `@D`,
/// signing only, held by a server). It does not expire until its owner says so.
///
/// # Errors
/// The library that does the arithmetic refused, or `now` is past 2106.
pub fn generate(
    who: &Identity,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey> {
    let holder = match who {
        Identity::Address(_) => Holder::Owner,
        Identity::Service(_) => Holder::Server,
    };
    made(who, holder, now, rng)
}

/// Makes a key that a server holds for a mailbox (spec §13.2): it says so, it signs, and nobody
/// encrypts to it, for its owner's programs could not read that.
///
/// # Errors
/// As [`generate`].
pub fn generate_held(
    who: &Address,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey> {
    made(&Identity::Address(who.clone()), Holder::Server, now, rng)
}

/// Who has the secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// The person, on their devices.
    Owner,
    /// A server: its domain's own key, or a person's.
    Server,
}

fn made(
    who: &Identity,
    holder: Holder,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretKey> {
    let primary = primary_key(now, rng)?;
    let mut octets = Vec::new();
    put_packet(&mut octets, PUBLIC_KEY, &primary.public_key().to_bytes()?);
    let text = who.to_string();
    let id = assemble::user_id(&text)?;
    put_packet(&mut octets, USER_ID, text.as_bytes());
    put_signature(
        &mut octets,
        &selfsign::user_id(&primary, &id, notations(holder)?, now, rng)?,
    )?;
    let mut subkeys = Vec::new();
    for (kind, purpose) in subkey_kinds(holder) {
        let subkey = subkey(kind, now, rng)?;
        put_packet(&mut octets, PUBLIC_SUBKEY, &subkey.public_key().to_bytes()?);
        put_signature(
            &mut octets,
            &selfsign::subkey(&primary, &subkey, *purpose, now, rng)?,
        )?;
        subkeys.push(subkey);
    }
    Ok(SecretKey::new(
        Certificate::parse(&octets)?,
        Some(primary),
        subkeys,
    ))
}

fn put_signature(octets: &mut Vec<u8>, signature: &Signature) -> Result<()> {
    put_packet(octets, SIGNATURE, &signature.to_bytes()?);
    Ok(())
}

/// What the certificate says of itself: that it has a post-quantum key, or that
/// a server holds it.
fn notations(holder: Holder) -> Result<Vec<Subpacket>> {
    let notation = match holder {
        Holder::Owner => selfsign::notation(capability::POST_QUANTUM_NOTATION, "1")?,
        Holder::Server => selfsign::notation(capability::KEYHOLDER_NOTATION, "server")?,
    };
    Ok(vec![notation])
}

fn subkey_kinds(holder: Holder) -> &'static [(KeyType, Use)] {
    match holder {
        Holder::Owner => MAILBOX_SUBKEYS,
        Holder::Server => SERVER_SUBKEYS,
    }
}

/// Of Ed25519 and Curve25519 the legacy ids: GnuPG 2.2 and Thunderbird drop the
/// newer ones in a version 4 certificate. ML-KEM-768+X25519 is for our own
/// programs (RFC 9980).
const MAILBOX_SUBKEYS: &[(KeyType, Use)] = &[
    (KeyType::Ed25519Legacy, Use::Sign),
    (KeyType::ECDH(ECCCurve::Curve25519Legacy), Use::Encrypt),
    (KeyType::MlKem768X25519, Use::Encrypt),
];

const SERVER_SUBKEYS: &[(KeyType, Use)] = &[(KeyType::Ed25519Legacy, Use::Sign)];

fn primary_key(now: u64, rng: &mut (impl CryptoRng + RngCore)) -> Result<SecretPrimary> {
    let kind = KeyType::Ed25519Legacy;
    let (public, secret) = kind.generate(rng)?;
    let created = selfsign::timestamp(now)?;
    let inner = PubKeyInner::new(KeyVersion::V4, kind.to_alg(), created, None, public)?;
    Ok(SecretPrimary::new(PublicKey::from_inner(inner)?, secret)?)
}

/// A signing subkey for a primary key of this version.
pub(crate) fn signing_subkey(
    version: KeyVersion,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretSubkey> {
    match version {
        KeyVersion::V6 => subkey_of(version, &KeyType::Ed25519, now, rng),
        _ => subkey(&KeyType::Ed25519Legacy, now, rng),
    }
}

fn subkey(kind: &KeyType, now: u64, rng: &mut (impl CryptoRng + RngCore)) -> Result<SecretSubkey> {
    subkey_of(KeyVersion::V4, kind, now, rng)
}

fn subkey_of(
    version: KeyVersion,
    kind: &KeyType,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SecretSubkey> {
    let (public, secret) = kind.generate(rng)?;
    let created = selfsign::timestamp(now)?;
    let inner = PubKeyInner::new(version, kind.to_alg(), created, None, public)?;
    Ok(SecretSubkey::new(PublicSubkey::from_inner(inner)?, secret)?)
}

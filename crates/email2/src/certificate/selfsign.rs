//! Making self-signatures, with the caller's time and randomness (never the
//! library's clock).

use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{
    Features, KeyFlags, Notation, PublicKey, PublicSubkey, SecretKey, SecretSubkey, Signature,
    SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::types::{
    CompressionAlgorithm, Duration, KeyDetails, KeyVersion, Password, SigningKey, Tag, Timestamp,
};
use rand_core::{CryptoRng, RngCore};

use super::policy::RevocationReason;

type Result<T> = pgp::errors::Result<T>;

/// What a key is bound for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Sign,
    Encrypt,
}

/// Unix seconds as OpenPGP counts them.
///
/// # Errors
/// Past the year 2106.
pub(crate) fn timestamp(at: u64) -> Result<Timestamp> {
    Ok(Timestamp::from_secs(u32::try_from(at)?))
}

/// Begins a signature by `key`: version, hash, and who made it when. Issuer
/// Fingerprint and Issuer Key ID are both there: GnuPG 2.2 needs the latter
/// (spec §6.1.1).
pub(crate) fn begin(
    key: &impl SigningKey,
    kind: SignatureType,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SignatureConfig> {
    let mut config = SignatureConfig::from_key(rng, key, kind)?;
    config.hashed_subpackets = issued(key, now)?;
    Ok(config)
}

fn issued(key: &impl KeyDetails, now: u64) -> Result<Vec<Subpacket>> {
    let mut subpackets = vec![
        Subpacket::critical(SubpacketData::SignatureCreationTime(timestamp(now)?))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    if key.version() == KeyVersion::V4 {
        subpackets.push(Subpacket::regular(SubpacketData::IssuerKeyId(
            key.legacy_key_id(),
        ))?);
    }
    Ok(subpackets)
}

/// A signed, human-readable notation (RFC 9580 §5.2.3.24).
pub(crate) fn notation(name: &'static str, value: &'static str) -> Result<Subpacket> {
    Subpacket::regular(SubpacketData::Notation(Notation {
        readable: true,
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    }))
}

/// Binds a User ID to a primary key that certifies only.
pub(crate) fn user_id(
    key: &SecretKey,
    id: &UserId,
    notations: Vec<Subpacket>,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let mut config = begin(key, SignatureType::CertPositive, now, rng)?;
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    config
        .hashed_subpackets
        .push(Subpacket::critical(SubpacketData::KeyFlags(flags))?);
    config
        .hashed_subpackets
        .push(Subpacket::regular(SubpacketData::IsPrimary(true))?);
    config.hashed_subpackets.extend(preferences()?);
    config.hashed_subpackets.extend(notations);
    certify(config, key, key.public_key(), id)
}

/// What our programs read: AES, SHA-2, no compression, SEIPDv1 and SEIPDv2.
fn preferences() -> Result<Vec<Subpacket>> {
    let ciphers = [SymmetricKeyAlgorithm::AES256, SymmetricKeyAlgorithm::AES128];
    let hashes = [HashAlgorithm::Sha512, HashAlgorithm::Sha256];
    let modes = [
        (SymmetricKeyAlgorithm::AES256, AeadAlgorithm::Ocb),
        (SymmetricKeyAlgorithm::AES256, AeadAlgorithm::Gcm),
    ];
    let mut features = Features::new();
    features.set_seipd_v1(true);
    features.set_seipd_v2(true);
    [
        SubpacketData::PreferredSymmetricAlgorithms(ciphers.into_iter().collect()),
        SubpacketData::PreferredHashAlgorithms(hashes.into_iter().collect()),
        SubpacketData::PreferredCompressionAlgorithms(
            [CompressionAlgorithm::Uncompressed].into_iter().collect(),
        ),
        SubpacketData::PreferredAeadAlgorithms(modes.into_iter().collect()),
        SubpacketData::Features(features),
    ]
    .into_iter()
    .map(Subpacket::regular)
    .collect()
}

/// Signs a User ID, of the signer's own key or of another's.
pub(crate) fn certify(
    config: SignatureConfig,
    signer: &SecretKey,
    subject: &PublicKey,
    id: &UserId,
) -> Result<Signature> {
    config.sign_certification_third_party(signer, &Password::empty(), subject, Tag::UserId, id)
}

/// Binds a subkey; one that signs agrees by its back-signature (spec §6.3.2).
pub(crate) fn subkey(
    primary: &SecretKey,
    subkey: &SecretSubkey,
    purpose: Use,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let mut flags = KeyFlags::default();
    let mut back = None;
    match purpose {
        Use::Sign => {
            flags.set_sign(true);
            back = Some(back_signature(primary.public_key(), subkey, now, rng)?);
        }
        Use::Encrypt => {
            flags.set_encrypt_comms(true);
            flags.set_encrypt_storage(true);
        }
    }
    let mut config = begin(primary, SignatureType::SubkeyBinding, now, rng)?;
    config
        .hashed_subpackets
        .push(Subpacket::critical(SubpacketData::KeyFlags(flags))?);
    if let Some(back) = back {
        let embedded = SubpacketData::EmbeddedSignature(Box::new(back));
        config.hashed_subpackets.push(Subpacket::regular(embedded)?);
    }
    bind(config, primary, subkey.public_key())
}

fn back_signature(
    primary: &PublicKey,
    subkey: &SecretSubkey,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let config = begin(subkey, SignatureType::KeyBinding, now, rng)?;
    config.sign_primary_key_binding(subkey, subkey.public_key(), &Password::empty(), primary)
}

fn bind(config: SignatureConfig, primary: &SecretKey, subkey: &PublicSubkey) -> Result<Signature> {
    config.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), subkey)
}

/// Revokes the primary key.
pub(crate) fn revocation(
    key: &SecretKey,
    reason: RevocationReason,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let mut config = begin(key, SignatureType::KeyRevocation, now, rng)?;
    let reason = SubpacketData::RevocationReason(reason.code(), Default::default());
    config.hashed_subpackets.push(Subpacket::regular(reason)?);
    config.sign_key(key, &Password::empty(), key.public_key())
}

/// Revokes a subkey.
pub(crate) fn subkey_revocation(
    primary: &SecretKey,
    subkey: &PublicSubkey,
    reason: RevocationReason,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let mut config = begin(primary, SignatureType::SubkeyRevocation, now, rng)?;
    let reason = SubpacketData::RevocationReason(reason.code(), Default::default());
    config.hashed_subpackets.push(Subpacket::regular(reason)?);
    bind(config, primary, subkey)
}

/// What a renewed self-signature is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Primary,
    User(&'a UserId),
    Subkey(&'a PublicSubkey),
}

/// Makes a binding again, the same in all but the lifetime of its key (seconds
/// from the key's creation; `None` is for ever) and its time.
pub(crate) fn renew(
    primary: &SecretKey,
    old: &Signature,
    subject: Subject<'_>,
    (lifetime, now): (Option<u64>, u64),
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let kind = old.typ().unwrap_or(SignatureType::CertPositive);
    let mut config = begin(primary, kind, now, rng)?;
    take_over(&mut config, old, lifetime)?;
    match subject {
        Subject::Primary => config.sign_key(primary, &Password::empty(), primary.public_key()),
        Subject::User(id) => certify(config, primary, primary.public_key(), id),
        Subject::Subkey(subkey) => bind(config, primary, subkey),
    }
}

/// Certifies a User ID again, the same with one notation more (value `1`).
pub(crate) fn annotated(
    primary: &SecretKey,
    old: &Signature,
    id: &UserId,
    name: &'static str,
    (lifetime, now): (Option<u64>, u64),
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Signature> {
    let kind = old.typ().unwrap_or(SignatureType::CertPositive);
    let mut config = begin(primary, kind, now, rng)?;
    take_over(&mut config, old, lifetime)?;
    config.hashed_subpackets.push(notation(name, "1")?);
    certify(config, primary, primary.public_key(), id)
}

fn take_over(config: &mut SignatureConfig, old: &Signature, lifetime: Option<u64>) -> Result<()> {
    config.hashed_subpackets.extend(kept(old).cloned());
    if let Some(seconds) = lifetime {
        let seconds = Duration::from_secs(u32::try_from(seconds)?);
        let end = SubpacketData::KeyExpirationTime(seconds);
        config.hashed_subpackets.push(Subpacket::critical(end)?);
    }
    Ok(())
}

/// What a renewed signature takes over: all that was signed but times and
/// issuer, and the back-signature wherever it stood.
fn kept(old: &Signature) -> impl Iterator<Item = &Subpacket> {
    let hashed = old
        .config()
        .into_iter()
        .flat_map(|config| config.hashed_subpackets());
    let unhashed = old
        .config()
        .into_iter()
        .flat_map(|config| config.unhashed_subpackets());
    let back = unhashed.filter(|s| matches!(s.data, SubpacketData::EmbeddedSignature(_)));
    hashed
        .filter(|subpacket| !is_remade(&subpacket.data))
        .chain(back)
}

fn is_remade(data: &SubpacketData) -> bool {
    matches!(
        data,
        SubpacketData::SignatureCreationTime(_)
            | SubpacketData::SignatureExpirationTime(_)
            | SubpacketData::KeyExpirationTime(_)
            | SubpacketData::IssuerFingerprint(_)
            | SubpacketData::IssuerKeyId(_)
    )
}

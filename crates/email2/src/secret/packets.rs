//! Secret key packets: reading, locking (spec §6.7.1) and unlocking
//! (RFC 9580 §5.5.3).

use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PacketHeader, SecretKey as SecretPrimary, SecretSubkey};
use pgp::ser::Serialize;
use pgp::types::{Password, S2kParams, SecretParams, StringToKey, Tag};
use rand_core::{CryptoRng, RngCore};

use super::SecretKeyError;
use crate::certificate::Certificate;
use crate::certificate::assemble;
use crate::certificate::framing::{
    self, PUBLIC_KEY, PUBLIC_SUBKEY, RawPacket, SECRET_KEY, SECRET_SUBKEY,
};

/// The secret keys of one certificate, locked or not.
pub(crate) struct Keys {
    pub(crate) primary: Option<SecretPrimary>,
    pub(crate) subkeys: Vec<SecretSubkey>,
}

/// Passes, lanes and memory (2¹⁵ KiB = 32 MiB) of Argon2: each of a key's
/// packets is unlocked by its own (RFC 9106 §4).
const ARGON2: (u8, u8, u8) = (2, 1, 15);
/// 16 MiB are hashed for a classic lock (RFC 9580 §3.7.1.3: an encoded count).
const CLASSIC_COUNT: u8 = 224;
/// The block of AES, octets: the length of an IV.
const AES_BLOCK: usize = 16;
/// What another program may ask for at most: 1 GiB and 16 passes.
const ARGON2_MEMORY_MAX: u8 = 20;
const ARGON2_PASSES_MAX: u8 = 16;

/// Reads a transferable secret key: its certificate and its secret packets,
/// which may still be locked. Keys that are elsewhere are left out.
pub(crate) fn read(octets: &[u8]) -> Result<(Certificate, Keys), SecretKeyError> {
    let packets = framing::split(octets)?;
    if packets
        .first()
        .is_none_or(|packet| packet.tag != SECRET_KEY && packet.tag != PUBLIC_KEY)
    {
        return Err(SecretKeyError::Malformed("it does not begin with a key"));
    }
    let mut keys = Keys {
        primary: None,
        subkeys: Vec::new(),
    };
    let mut bodies = Vec::with_capacity(packets.len());
    for packet in &packets {
        bodies.push(public_body(packet, &mut keys)?);
    }
    if keys.primary.is_none() && keys.subkeys.is_empty() {
        return Err(SecretKeyError::Malformed("it holds public keys only"));
    }
    let public: Vec<RawPacket<'_>> = bodies
        .iter()
        .map(|(tag, body)| RawPacket { tag: *tag, body })
        .collect();
    match assemble::drafts(&public)?.as_slice() {
        [draft] => Ok((Certificate::from_parts(assemble::assemble(draft)?), keys)),
        _ => Err(SecretKeyError::Malformed("it holds more than one key")),
    }
}

/// The packet as a certificate has it; its secret half goes to `keys`.
fn public_body(packet: &RawPacket<'_>, keys: &mut Keys) -> Result<(u8, Vec<u8>), SecretKeyError> {
    let unreadable = |_| SecretKeyError::Malformed("a secret key packet cannot be read");
    match packet.tag {
        SECRET_KEY => {
            let key = SecretPrimary::try_from_reader(header(Tag::SecretKey, packet), packet.body)
                .map_err(unreadable)?;
            let body = key.public_key().to_bytes().map_err(unreadable)?;
            keys.primary = is_at_hand(key.secret_params()).then_some(key);
            Ok((PUBLIC_KEY, body))
        }
        SECRET_SUBKEY => {
            let key = SecretSubkey::try_from_reader(header(Tag::SecretSubkey, packet), packet.body)
                .map_err(unreadable)?;
            let body = key.public_key().to_bytes().map_err(unreadable)?;
            keys.subkeys
                .extend(is_at_hand(key.secret_params()).then_some(key));
            Ok((PUBLIC_SUBKEY, body))
        }
        tag => Ok((tag, packet.body.to_vec())),
    }
}

fn header(tag: Tag, packet: &RawPacket<'_>) -> PacketHeader {
    // The whole input is bounded far below 4 GiB by `framing::split`.
    PacketHeader::new_fixed(tag, u32::try_from(packet.body.len()).unwrap_or(u32::MAX))
}

/// GnuPG marks keys that are on a card or left out by private S2K types
/// (RFC 9580 §3.7.1: 100 to 110).
fn is_at_hand(params: &SecretParams) -> bool {
    let SecretParams::Encrypted(locked) = params else {
        return true;
    };
    match locked.string_to_key_params() {
        S2kParams::Cfb { s2k, .. }
        | S2kParams::MalleableCfb { s2k, .. }
        | S2kParams::Aead { s2k, .. } => {
            !matches!(s2k, StringToKey::Private { .. } | StringToKey::Other { .. })
        }
        _ => true,
    }
}

/// Unlocks all keys with one passphrase.
pub(crate) fn unlock(mut keys: Keys, passphrase: Option<&[u8]>) -> Result<Keys, SecretKeyError> {
    if let Some(primary) = &mut keys.primary
        && let Some(password) = needed(primary.secret_params(), passphrase)?
    {
        primary
            .remove_password(&password)
            .map_err(|_| SecretKeyError::WrongPassphrase)?;
    }
    for subkey in &mut keys.subkeys {
        if let Some(password) = needed(subkey.secret_params(), passphrase)? {
            subkey
                .remove_password(&password)
                .map_err(|_| SecretKeyError::WrongPassphrase)?;
        }
    }
    Ok(keys)
}

/// The password that a packet needs: none when it is not locked.
fn needed(
    params: &SecretParams,
    passphrase: Option<&[u8]>,
) -> Result<Option<Password>, SecretKeyError> {
    let SecretParams::Encrypted(locked) = params else {
        return Ok(None);
    };
    if let S2kParams::Aead {
        s2k: StringToKey::Argon2 { t, m_enc, .. },
        ..
    } = locked.string_to_key_params()
        && (*m_enc > ARGON2_MEMORY_MAX || *t > ARGON2_PASSES_MAX)
    {
        return Err(SecretKeyError::Costly);
    }
    passphrase
        .map(|passphrase| Some(Password::from(passphrase)))
        .ok_or(SecretKeyError::Locked)
}

/// How the passphrase becomes a key (RFC 9580 §3.7.1).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lock {
    /// Argon2 and AEAD: at rest, for our own programs.
    Argon2,
    /// Iterated and salted SHA-256, and CFB with a checksum: for programs of today.
    Classic,
}

/// The keys, each locked with the passphrase, its own salt and nonce.
pub(crate) fn lock(
    primary: Option<&SecretPrimary>,
    subkeys: &[SecretSubkey],
    passphrase: &[u8],
    how: Lock,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Keys, SecretKeyError> {
    let password = Password::from(passphrase);
    let mut locked = Keys {
        primary: primary.cloned(),
        subkeys: subkeys.to_vec(),
    };
    if let Some(primary) = &mut locked.primary {
        primary
            .set_password_with_s2k(&password, s2k(how, rng))
            .map_err(super::refused)?;
    }
    for subkey in &mut locked.subkeys {
        subkey
            .set_password_with_s2k(&password, s2k(how, rng))
            .map_err(super::refused)?;
    }
    Ok(locked)
}

fn s2k(how: Lock, rng: &mut (impl CryptoRng + RngCore)) -> S2kParams {
    match how {
        Lock::Argon2 => argon2(rng),
        Lock::Classic => classic(rng),
    }
}

fn classic(rng: &mut (impl CryptoRng + RngCore)) -> S2kParams {
    let mut iv = vec![0; AES_BLOCK];
    rng.fill_bytes(&mut iv);
    S2kParams::Cfb {
        sym_alg: SymmetricKeyAlgorithm::AES256,
        s2k: StringToKey::new_iterated(rng, HashAlgorithm::Sha256, CLASSIC_COUNT),
        iv: iv.into(),
    }
}

fn argon2(rng: &mut (impl CryptoRng + RngCore)) -> S2kParams {
    let aead_mode = AeadAlgorithm::Ocb;
    let mut nonce = vec![0; aead_mode.nonce_size()];
    rng.fill_bytes(&mut nonce);
    let (passes, lanes, memory) = ARGON2;
    S2kParams::Aead {
        sym_alg: SymmetricKeyAlgorithm::AES256,
        aead_mode,
        s2k: StringToKey::new_argon2(rng, passes, lanes, memory),
        nonce: nonce.into(),
    }
}

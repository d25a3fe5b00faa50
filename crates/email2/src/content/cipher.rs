//! The ciphertext: made for a list of certificates, opened by a list of keys
//! (RFC 9580 §5.1, §5.13). Nothing of a stream is given before its end is
//! authenticated (spec §5.2.3).

use std::io::Read as _;

use pgp::composed::{PlainSessionKey, RawSessionKey};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{
    Decompressor, PacketHeader, PublicKeyEncryptedSessionKey, SymEncryptedProtectedData,
};
use pgp::ser::Serialize;
use pgp::types::{
    CompressionAlgorithm, DecryptionKey as _, EskType, Password, PkeskVersion, Seipdv1ReadMode, Tag,
};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::packets::{self, COMPRESSED, PKESK, Packet, SEIPD, SKESK};
use super::{Container, ContentError};
use crate::certificate::Certificate;
use crate::certificate::framing::put_packet;
use crate::limits;
use crate::secret::SecretKey;

/// The cipher of what we write; every OpenPGP program reads it.
const CIPHER: SymmetricKeyAlgorithm = SymmetricKeyAlgorithm::AES256;
/// Octets of its key.
const KEY_OCTETS: usize = 32;
/// What the version 1 packet holds besides data: version, random prefix, MDC.
const V1_OVERHEAD: usize = 1 + 18 + 22;

/// What came out of a ciphertext.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The packets inside, octet for octet, decompressed.
    pub(crate) octets: Vec<u8>,
    /// Whether every session key packet is to a post-quantum key.
    pub(crate) post_quantum: bool,
}

/// Encrypts packets to certificates.
///
/// # Errors
/// [`ContentError::MixedAudience`], [`ContentError::NoRecipient`],
/// [`ContentError::Recipient`].
pub(crate) fn encrypt(
    plain: &[u8],
    to: &[Certificate],
    container: Container,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let mut key = Zeroizing::new(vec![0_u8; KEY_OCTETS]);
    rng.fill_bytes(&mut key);
    let session_key = RawSessionKey::from(key.clone());
    let mut out = session_key_packets(&session_key, to, container, now, rng)?;
    let data = match container {
        Container::V1 => SymEncryptedProtectedData::encrypt_seipdv1(rng, CIPHER, &key, plain),
        Container::V2 => SymEncryptedProtectedData::encrypt_seipdv2(
            rng,
            CIPHER,
            AeadAlgorithm::Ocb,
            ChunkSize::C64KiB,
            &key,
            plain,
        ),
    };
    let body = data.and_then(|data| data.to_bytes()).map_err(library)?;
    put_packet(&mut out, SEIPD, &body);
    Ok(out)
}

/// One packet for each key encrypted to: of every certificate its post-quantum
/// key, or of every certificate its classic one (spec §5.8).
fn session_key_packets(
    session_key: &RawSessionKey,
    to: &[Certificate],
    container: Container,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let first = to.first().ok_or(ContentError::NoRecipient)?;
    let post_quantum = wants_post_quantum(first, now);
    let mut out = Vec::new();
    for certificate in to {
        let refused = |why| ContentError::Recipient(certificate.primary().clone(), why);
        certificate.can_encrypt(now).map_err(refused)?;
        if wants_post_quantum(certificate, now) != post_quantum {
            return Err(ContentError::MixedAudience);
        }
        let keys = certificate.encryption_subkeys(now).into_iter();
        for key in keys.filter(|key| key.post_quantum == post_quantum) {
            let rng = &mut *rng;
            let packet = match container {
                Container::V1 => PublicKeyEncryptedSessionKey::from_session_key_v3(
                    rng,
                    session_key,
                    CIPHER,
                    key.key,
                ),
                Container::V2 => {
                    PublicKeyEncryptedSessionKey::from_session_key_v6(rng, session_key, key.key)
                }
            };
            let body = packet
                .and_then(|packet| packet.to_bytes())
                .map_err(library)?;
            put_packet(&mut out, PKESK, &body);
        }
    }
    Ok(out)
}

/// Whether one writes to the post-quantum key of this certificate alone.
pub(crate) fn wants_post_quantum(certificate: &Certificate, now: u64) -> bool {
    let keys = certificate.encryption_subkeys(now);
    !certificate.is_classic_reader() && keys.iter().any(|key| key.post_quantum)
}

/// Decrypts with whichever key fits.
///
/// # Errors
/// [`ContentError::NotForTheseKeys`], [`ContentError::Ciphertext`].
pub(crate) fn decrypt(octets: &[u8], keys: &[&SecretKey]) -> Result<Opened, ContentError> {
    let packets = packets::split(octets)?;
    let (data, session_keys) = match packets.split_last() {
        Some((data, rest)) if data.tag == SEIPD => (data, rest),
        _ => return Err(ContentError::Ciphertext("it has no integrity protection")),
    };
    if session_keys
        .iter()
        .any(|packet| !matches!(packet.tag, PKESK | SKESK))
    {
        return Err(ContentError::Ciphertext(
            "it holds packets that do not belong there",
        ));
    }
    let session_keys: Vec<_> = session_keys.iter().filter_map(read_session_key).collect();
    let data = read_data(data)?;
    let plain = open(&data, &session_keys, keys)?;
    Ok(Opened {
        octets: decompressed(plain)?,
        post_quantum: !session_keys.is_empty() && session_keys.iter().all(is_post_quantum),
    })
}

fn read_session_key(packet: &Packet<'_>) -> Option<PublicKeyEncryptedSessionKey> {
    let header = header(Tag::PublicKeyEncryptedSessionKey, packet).ok()?;
    let is_public_key = packet.tag == PKESK;
    is_public_key
        .then(|| PublicKeyEncryptedSessionKey::try_from_reader(header, &packet.body[..]).ok())?
}

fn is_post_quantum(packet: &PublicKeyEncryptedSessionKey) -> bool {
    matches!(
        packet.algorithm(),
        Ok(PublicKeyAlgorithm::MlKem768X25519 | PublicKeyAlgorithm::MlKem1024X448)
    )
}

fn read_data(packet: &Packet<'_>) -> Result<SymEncryptedProtectedData, ContentError> {
    let short = packet.body.first() == Some(&1) && packet.body.len() < V1_OVERHEAD;
    if short {
        return Err(DAMAGED);
    }
    let header = header(Tag::SymEncryptedProtectedData, packet)?;
    SymEncryptedProtectedData::try_from_reader(header, &packet.body[..]).map_err(|_| DAMAGED)
}

fn header(tag: Tag, packet: &Packet<'_>) -> Result<PacketHeader, ContentError> {
    let length = u32::try_from(packet.body.len()).map_err(|_| TOO_LARGE)?;
    Ok(PacketHeader::new_fixed(tag, length))
}

const DAMAGED: ContentError = ContentError::Ciphertext("its integrity check failed");
const TOO_LARGE: ContentError = ContentError::Ciphertext("it is larger than a message may be");

/// Tries every session key that is meant for one of the keys. The first that
/// decrypts to the authenticated end is the one; a wrong key never does.
fn open(
    data: &SymEncryptedProtectedData,
    session_keys: &[PublicKeyEncryptedSessionKey],
    keys: &[&SecretKey],
) -> Result<Vec<u8>, ContentError> {
    let keys = || keys.iter().flat_map(|key| key.decryption_keys());
    let opened = session_keys.iter().flat_map(|packet| {
        let mine = keys().filter(|key| packet.match_identity(key));
        mine.filter_map(|key| session_key(packet, key))
    });
    let mut verdict = ContentError::NotForTheseKeys;
    for key in opened.take(limits::DECRYPTION_ATTEMPTS) {
        match decrypt_data(data, &key) {
            Ok(plain) => return Ok(plain),
            Err(error) => verdict = error,
        }
    }
    Err(verdict)
}

fn session_key(
    packet: &PublicKeyEncryptedSessionKey,
    key: &pgp::packet::SecretSubkey,
) -> Option<PlainSessionKey> {
    let kind = match packet.version() {
        PkeskVersion::V3 => EskType::V3_4,
        PkeskVersion::V6 => EskType::V6,
        PkeskVersion::Other(_) => return None,
    };
    let values = packet.values().ok()?;
    key.decrypt(&Password::empty(), values, kind).ok()?.ok()
}

/// The version of the session key packet and of the data belong together
/// (RFC 9580 §10.3.2.1).
fn decrypt_data(
    data: &SymEncryptedProtectedData,
    key: &PlainSessionKey,
) -> Result<Vec<u8>, ContentError> {
    let mode = Seipdv1ReadMode::CheckFirst {
        max_message_size: octets_of_a_message(),
    };
    let (key, cipher) = match (key, data.version()) {
        (PlainSessionKey::V3_4 { sym_alg, key }, 1) if key.len() == sym_alg.key_size() => {
            (key, Some(*sym_alg))
        }
        (PlainSessionKey::V6 { key }, 2) => (key, None),
        _ => return Err(DAMAGED),
    };
    if cipher.is_some_and(|cipher| !is_accepted(cipher)) {
        return Err(ContentError::Ciphertext("its cipher is not accepted"));
    }
    data.decrypt(key.as_ref(), cipher, mode)
        .map_err(|_| DAMAGED)
}

/// RFC 9580 §9.3: 128 bit blocks; the others are for old archives.
fn is_accepted(cipher: SymmetricKeyAlgorithm) -> bool {
    use SymmetricKeyAlgorithm as Cipher;
    matches!(
        cipher,
        Cipher::AES128
            | Cipher::AES192
            | Cipher::AES256
            | Cipher::Camellia128
            | Cipher::Camellia192
            | Cipher::Camellia256
            | Cipher::Twofish
    )
}

fn octets_of_a_message() -> usize {
    usize::try_from(limits::MESSAGE_OCTETS).unwrap_or(usize::MAX)
}

/// Takes one layer of compression off, if there is one, up to the size that a
/// message may have (spec §5.6.7).
fn decompressed(plain: Vec<u8>) -> Result<Vec<u8>, ContentError> {
    let packets = packets::split(&plain)?;
    let [packet] = packets.as_slice() else {
        return Ok(plain);
    };
    if packet.tag != COMPRESSED {
        return Ok(plain);
    }
    let (algorithm, data) = packet.body.split_first().ok_or(DAMAGED)?;
    let broken = ContentError::Ciphertext("its compressed data is broken");
    let algorithm = CompressionAlgorithm::from(*algorithm);
    let reader = Decompressor::from_algorithm(algorithm, data).map_err(|_| broken.clone())?;
    let mut out = Vec::new();
    let mut bounded = reader.take(limits::MESSAGE_OCTETS + 1);
    bounded.read_to_end(&mut out).map_err(|_| broken)?;
    if out.len() > octets_of_a_message() {
        return Err(TOO_LARGE);
    }
    Ok(out)
}

fn library(error: pgp::errors::Error) -> ContentError {
    ContentError::OpenPgp(error.to_string())
}

/// The content of a literal packet: behind its format, name and date
/// (RFC 9580 §5.9).
pub(crate) fn literal_of<'a>(packet: &'a Packet<'_>) -> Option<&'a [u8]> {
    let (_, rest) = packet.body.split_first()?;
    let (name, rest) = rest.split_first()?;
    let (_, content) = rest.split_at_checked(usize::from(*name) + 4)?;
    Some(content)
}

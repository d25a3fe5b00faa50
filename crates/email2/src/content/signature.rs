//! Signatures over content: detached (RFC 3156 §5), or around a literal
//! (RFC 9580 §5.4, §10.3).

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    OnePassSignature, SignatureConfig, SignatureType, SignatureVersionSpecific, Subpacket,
    SubpacketData,
};
use pgp::ser::Serialize;
use pgp::types::{Fingerprint as PgpFingerprint, KeyVersion, Password, SigningKey, Timestamp};
use rand_core::{CryptoRng, RngCore};

use super::ContentError;
use super::packets::{LITERAL, ONE_PASS, SIGNATURE};
use crate::certificate::Certificate;
use crate::certificate::framing::put_packet;
use crate::secret::{SecretKey, SecretKeyError};

/// The digest of what we sign; `pgp-sha256` in MIME (RFC 3156 §5).
const HASH: HashAlgorithm = HashAlgorithm::Sha256;
/// Its name in `micalg`.
pub(crate) const MICALG: &str = "pgp-sha256";

/// Signs content; the body of one Signature packet in its frame.
///
/// # Errors
/// [`ContentError::Author`] when no key may sign at `now`.
pub(crate) fn detached(
    content: &[u8],
    author: &SecretKey,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let mut out = Vec::new();
    let signed = Signed::make(content, author, &[], now, rng)?;
    put_packet(&mut out, SIGNATURE, &signed.signature);
    Ok(out)
}

/// Signs content as a literal between one-pass packet and signature, for these
/// recipients (spec §5.3.1).
///
/// # Errors
/// [`ContentError::Author`] when no key may sign at `now`.
pub(crate) fn enclosed(
    content: &[u8],
    author: &SecretKey,
    recipients: &[Certificate],
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let signed = Signed::make(content, author, recipients, now, rng)?;
    // Binary, no file name, no date (RFC 9580 §5.9).
    let literal = [b"b\0\0\0\0\0", content].concat();
    let mut out = Vec::with_capacity(literal.len() + 1024);
    put_packet(&mut out, ONE_PASS, &signed.one_pass);
    put_packet(&mut out, LITERAL, &literal);
    put_packet(&mut out, SIGNATURE, &signed.signature);
    Ok(out)
}

/// The bodies of a signature and of the packet that announces it.
struct Signed {
    one_pass: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn make(
        content: &[u8],
        author: &SecretKey,
        recipients: &[Certificate],
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, ContentError> {
        let key = author.signing_key(now).map_err(ContentError::Author)?;
        let signer = author.signer(&key);
        let signer = signer.ok_or(ContentError::Author(SecretKeyError::NoSigningKey))?;
        let config = config(&signer, recipients, now, rng)?;
        let one_pass = one_pass(&config, &signer)?;
        let signature = config.sign(&signer, &Password::empty(), content);
        Ok(Self {
            one_pass: one_pass.to_bytes().map_err(library)?,
            signature: signature
                .and_then(|packet| packet.to_bytes())
                .map_err(library)?,
        })
    }
}

fn config(
    signer: &impl SigningKey,
    recipients: &[Certificate],
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SignatureConfig, ContentError> {
    let algorithm = signer.algorithm();
    let mut config = match signer.version() {
        KeyVersion::V6 => SignatureConfig::v6(rng, SignatureType::Binary, algorithm, HASH),
        _ => Ok(SignatureConfig::v4(SignatureType::Binary, algorithm, HASH)),
    }
    .map_err(library)?;
    let seconds = u32::try_from(now)
        .map_err(|_| ContentError::OpenPgp("no signature can be dated after 2106".to_owned()))?;
    let mut data = vec![
        SubpacketData::SignatureCreationTime(Timestamp::from_secs(seconds)),
        SubpacketData::IssuerFingerprint(signer.fingerprint()),
    ];
    if signer.version() == KeyVersion::V4 {
        data.push(SubpacketData::IssuerKeyId(signer.legacy_key_id()));
    }
    for recipient in recipients {
        let fingerprint = pgp_fingerprint(recipient)?;
        data.push(SubpacketData::IntendedRecipientFingerprint(fingerprint));
    }
    let subpackets = data
        .into_iter()
        .map(Subpacket::regular)
        .collect::<Result<_, _>>();
    config.hashed_subpackets = subpackets.map_err(library)?;
    Ok(config)
}

fn pgp_fingerprint(certificate: &Certificate) -> Result<PgpFingerprint, ContentError> {
    let octets = certificate.primary().as_bytes();
    let version = if octets.len() == 20 {
        KeyVersion::V4
    } else {
        KeyVersion::V6
    };
    PgpFingerprint::new(version, octets).map_err(library)
}

fn one_pass(
    config: &SignatureConfig,
    signer: &impl SigningKey,
) -> Result<OnePassSignature, ContentError> {
    let (kind, algorithm) = (SignatureType::Binary, signer.algorithm());
    match (&config.version_specific, signer.fingerprint()) {
        (SignatureVersionSpecific::V6 { salt }, PgpFingerprint::V6(fingerprint)) => Ok(
            OnePassSignature::v6(kind, HASH, algorithm, salt.clone(), fingerprint),
        ),
        (SignatureVersionSpecific::V4, _) => Ok(OnePassSignature::v3(
            kind,
            HASH,
            algorithm,
            signer.legacy_key_id(),
        )),
        _ => Err(ContentError::OpenPgp(
            "key and signature disagree".to_owned(),
        )),
    }
}

fn library(error: pgp::errors::Error) -> ContentError {
    ContentError::OpenPgp(error.to_string())
}

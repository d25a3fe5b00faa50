//! The signature packet of a seal in its one canonical encoding (spec §4.2):
//! type and hash (spec §4.2.1), subpackets (spec §4.2.2), octets (spec §4.2.3).
//! It is written and read here, octet by octet: libraries accept too much.

use pgp::types::{Mpi, SignatureBytes};
use sha2::{Digest, Sha256};

use super::SealError;
use crate::capability::SEAL_NOTATION;
use crate::certificate::Fingerprint;
use crate::certificate::framing::{SIGNATURE, put_packet, take_packet};

/// RSA, either id (RFC 9580 §9.1).
const RSA: [u8; 2] = [1, 3];
const ECDSA: u8 = 19;
const EDDSA_LEGACY: u8 = 22;
const ED25519: u8 = 27;

const BINARY: u8 = 0;
const SHA256: u8 = 8;
/// Salt of a version 6 signature with SHA-256 (RFC 9580 §9.5).
pub(super) const SALT: usize = 16;

/// The order of the Ed25519 group, least octet first (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Everything of the packet that the seal and its key determine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    version: u8,
    algorithm: u8,
    hashed: Vec<u8>,
}

/// What the signer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// The first two octets of the digest.
    pub(super) left: [u8; 2],
    /// Version 6 only.
    pub(super) salt: Option<[u8; SALT]>,
    /// The integers or the native octets, as they stand in the packet.
    pub(super) signature: Vec<u8>,
}

impl Frame {
    /// The frame for a key of this OpenPGP version and algorithm.
    pub(super) fn new(version: u8, algorithm: u8, created: u32, key: &Fingerprint) -> Self {
        let mut hashed = vec![5, 2];
        hashed.extend_from_slice(&created.to_be_bytes());
        let mut issuer = vec![33, version];
        issuer.extend_from_slice(key.as_bytes());
        put_subpacket(&mut hashed, &issuer);
        let mut notation = vec![0x80 | 20, 0x80, 0, 0, 0, 0];
        notation.push(octet(SEAL_NOTATION.len()));
        notation.extend_from_slice(&[0, 1]);
        notation.extend_from_slice(SEAL_NOTATION.as_bytes());
        notation.push(b'1');
        put_subpacket(&mut hashed, &notation);
        Self {
            version,
            algorithm,
            hashed,
        }
    }

    /// What is hashed behind the data, without the trailer (RFC 9580 §5.2.4).
    fn signed_part(&self) -> Vec<u8> {
        let mut part = vec![self.version, BINARY, self.algorithm, SHA256];
        part.extend_from_slice(self.count(self.hashed.len()).as_slice());
        part.extend_from_slice(&self.hashed);
        part
    }

    /// A length of subpackets: two octets, four in version 6.
    fn count(&self, length: usize) -> Vec<u8> {
        let prefix = if self.version == 6 { 2 } else { 0 };
        [vec![0; prefix], vec![0, octet(length)]].concat()
    }

    /// The digest that the key signs.
    pub(super) fn digest(&self, salt: Option<&[u8; SALT]>, data: &[u8]) -> [u8; 32] {
        let part = self.signed_part();
        let mut hash = Sha256::new();
        hash.update(salt.map_or(&[][..], |salt| salt));
        hash.update(data);
        hash.update(&part);
        hash.update([self.version, 0xff, 0, 0, 0, octet(part.len())]);
        hash.finalize().into()
    }

    /// The packet.
    pub(super) fn encode(&self, value: &Value) -> Vec<u8> {
        let mut body = self.signed_part();
        body.extend(self.count(0));
        body.extend_from_slice(&value.left);
        if let Some(salt) = &value.salt {
            body.push(octet(SALT));
            body.extend_from_slice(salt);
        }
        body.extend_from_slice(&value.signature);
        let mut packet = Vec::new();
        put_packet(&mut packet, SIGNATURE, &body);
        packet
    }

    /// Reads a packet that must be this frame with some value, and nothing else:
    /// what is parsed is encoded again and compared octet for octet
    /// (spec §4.2.3).
    pub(super) fn decode(&self, packet: &[u8]) -> Result<(Value, SignatureBytes), SealError> {
        let short = || SealError::Packet("cut short");
        let (raw, _) = take_packet(packet).map_err(|_| SealError::Packet("not a packet"))?;
        let fixed = self.signed_part().len() + self.count(0).len();
        let (_, rest) = raw.body.split_at_checked(fixed).ok_or_else(short)?;
        let (left, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (salt, rest) = match self.version {
            6 => {
                let (_, rest) = rest.split_first().ok_or_else(short)?;
                let (salt, rest) = rest.split_first_chunk().ok_or_else(short)?;
                (Some(*salt), rest)
            }
            _ => (None, rest),
        };
        let (signature, numbers) = self.read_signature(rest)?;
        let value = Value {
            left: *left,
            salt,
            signature,
        };
        if self.encode(&value) != packet {
            return Err(SealError::Packet("not in the one canonical encoding"));
        }
        Ok((value, numbers))
    }

    /// Reads the signature proper, and encodes it again.
    fn read_signature(&self, octets: &[u8]) -> Result<(Vec<u8>, SignatureBytes), SealError> {
        let mut rest = octets;
        match self.algorithm {
            ED25519 => {
                let value: [u8; 64] = octets
                    .try_into()
                    .map_err(|_| SealError::Packet("not 64 octets"))?;
                check_scalar(value.split_at(32).1)?;
                Ok((
                    value.to_vec(),
                    SignatureBytes::Native(value.to_vec().into()),
                ))
            }
            EDDSA_LEGACY => {
                let (r, s) = (take_mpi(&mut rest)?, take_mpi(&mut rest)?);
                check_scalar(s)?;
                Ok(integers(&[r, s]))
            }
            ECDSA => Ok(integers(&[take_mpi(&mut rest)?, take_mpi(&mut rest)?])),
            algorithm if RSA.contains(&algorithm) => Ok(integers(&[take_mpi(&mut rest)?])),
            _ => Err(SealError::Packet("an algorithm that does not seal")),
        }
    }
}

/// The octets that a library's signature has in a packet.
pub(super) fn signature_octets(signature: &SignatureBytes) -> Vec<u8> {
    match signature {
        SignatureBytes::Native(octets) => octets.to_vec(),
        SignatureBytes::Mpis(mpis) => {
            let mut out = Vec::new();
            mpis.iter().for_each(|mpi| put_mpi(&mut out, mpi.as_ref()));
            out
        }
    }
}

/// S < L (RFC 8032 §5.1.7): another S of the same signature would be another
/// seal with the same meaning. In a packet S stands as native octets, least
/// first, whose zeros in front were cut off (RFC 9580 §5.2.3.3).
fn check_scalar(octets: &[u8]) -> Result<(), SealError> {
    let cut_off = ED25519_ORDER.len().checked_sub(octets.len());
    let zeros = vec![0; cut_off.ok_or(SealError::Packet("S is too long"))?];
    let scalar = [zeros.as_slice(), octets].concat();
    if scalar.iter().rev().lt(ED25519_ORDER.iter().rev()) {
        return Ok(());
    }
    Err(SealError::Packet("S is not below the order of the group"))
}

fn integers(values: &[&[u8]]) -> (Vec<u8>, SignatureBytes) {
    let mut out = Vec::new();
    values.iter().for_each(|value| put_mpi(&mut out, value));
    (
        out,
        SignatureBytes::Mpis(values.iter().map(|value| Mpi::from_slice(value)).collect()),
    )
}

/// RFC 9580 §3.2: length in bits, then the octets; zeros in front are kept here
/// and lost on encoding, where they are noticed.
fn take_mpi<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], SealError> {
    let short = SealError::Packet("an integer is cut short");
    let (bits, behind) = rest.split_first_chunk().ok_or(short.clone())?;
    let length = usize::from(u16::from_be_bytes(*bits)).div_ceil(8);
    let (value, behind) = behind.split_at_checked(length).ok_or(short)?;
    *rest = behind;
    Ok(value)
}

fn put_mpi(out: &mut Vec<u8>, value: &[u8]) {
    let zeros = value.iter().take_while(|octet| **octet == 0).count();
    let (_, value) = value.split_at(zeros);
    let unused = value
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    let bits = value.len() * 8 - unused;
    out.extend_from_slice(&u16::try_from(bits).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

fn put_subpacket(out: &mut Vec<u8>, body: &[u8]) {
    out.push(octet(body.len()));
    out.extend_from_slice(body);
}

/// Every length here is that of constants and a fingerprint, below 192.
fn octet(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_no_zeros_in_front() {
        let mut out = Vec::new();
        put_mpi(&mut out, &[0, 0, 1, 255]);
        assert_eq!(out, [0, 9, 1, 255]);
        out.clear();
        put_mpi(&mut out, &[]);
        assert_eq!(out, [0, 0]);
    }

    #[test]
    fn the_scalar_is_below_the_order() {
        let mut below = ED25519_ORDER;
        below[0] -= 1;
        assert!(check_scalar(&below).is_ok());
        assert!(check_scalar(&ED25519_ORDER).is_err());
        assert!(check_scalar(&[0xff; 32]).is_err());
        assert!(check_scalar(&[0x0f]).is_ok());
        assert!(check_scalar(&[0x11]).is_err());
        assert!(check_scalar(&[0; 33]).is_err());
    }

    #[test]
    fn the_hashed_area_is_fixed() {
        let frame = Frame::new(4, 22, 1, &Fingerprint::from_bytes(&[7; 20]).unwrap());
        let expected = [
            &[5, 2, 0, 0, 0, 1, 22, 33, 4][..],
            &[7; 20],
            &[29, 0x94, 0x80, 0, 0, 0, 0, 19, 0, 1],
            b"seal@email2.invalid1",
        ]
        .concat();
        assert_eq!(frame.hashed, expected);
    }
}
